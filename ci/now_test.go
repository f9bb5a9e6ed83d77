package ci

import (
	"testing"
	"time"

	"github.com/serin-flags/serin/evaluator"
)

// TestNow holds what conditions on the time come to once they are evaluated.
func TestNow(t *testing.T) {
	for when, times := range map[string]map[string]bool{
		"{after: 2026-03-28, before: 2026-03-30}": {
			"2026-03-27T23:59:59+01:00": false, "2026-03-28T00:00:00+01:00": true,
			"2026-03-29T23:59:59+02:00": true, "2026-03-30T00:00:00+02:00": false,
		},
		"{after: 2026-03-28T00:00Z}": {"1970-01-01T00:00:00Z": false, "2026-03-28T00:00:00Z": true,
			"2100-01-01T00:00:00Z": true},
		"{before: 2026-03-28, zone: Asia/Tokyo}": {"1970-01-01T00:00:00Z": true, "2026-03-27T14:59:59Z": true,
			"2026-03-27T15:00:00Z": false},
		// 2026-03-27 is a Friday.
		"{weekdays: [mon, tue, wed, thu, fri], from: \"09:00\", to: \"18:00\"}": {
			"2026-03-27T08:59:59+01:00": false, "2026-03-27T09:00:00+01:00": true, "2026-03-27T17:59:59+01:00": true,
			"2026-03-27T18:00:00+01:00": false, "2026-03-28T12:00:00+01:00": false,
			"2026-03-30T08:59:59+02:00": false, "2026-03-30T09:00:00+02:00": true, // summer time
		},
		"{weekdays: fri, from: \"22:00\", to: \"06:00\"}": {
			"2026-03-27T05:00:00+01:00": false, "2026-03-27T21:59:59+01:00": false, "2026-03-27T22:00:00+01:00": true,
			"2026-03-28T05:59:59+01:00": true, "2026-03-28T06:00:00+01:00": false, "2026-03-28T23:00:00+01:00": false,
		},
		"{weekdays: [fri], from: \"18:00\", to: \"00:00\"}": {
			"2026-03-27T18:00:00+01:00": true, "2026-03-27T23:59:59+01:00": true, "2026-03-28T00:00:00+01:00": false,
			"2026-03-27T00:00:00+01:00": false,
		},
		"{weekdays: [sat, sun]}": {
			"2026-03-27T23:59:59+01:00": false, "2026-03-28T00:00:00+01:00": true, "2026-03-29T23:59:59+02:00": true,
			"2026-03-30T00:00:00+02:00": false,
		},
		"{from: \"09:35\", to: \"12:07\", zone: UTC}": {
			"2026-03-27T09:34:59Z": false, "2026-03-27T09:35:00Z": true, "2026-03-27T12:06:59Z": true,
			"2026-03-27T12:07:00Z": false,
		},
		"{weekdays: sat, zone: Pacific/Kiritimati}": {"2026-03-27T09:59:59Z": false,
			"2026-03-27T10:00:00Z": true, "2026-03-28T10:00:00Z": false},
		"{from: \"00:00\", to: \"24:00\", before: 2026-03-28}": {"2026-03-27T12:00:00Z": true,
			"2026-03-28T12:00:00Z": false},
	} {
		fsys := base(t)
		fsys["serin.yaml"] = file("environments: [production]\ntime_zone: Europe/Berlin\n")
		fsys["shop/x.yaml"] = file("type: boolean\ndefault: off\nrules: [{name: r, when: {now: " + when +
			"}, serve: on}]\n")
		e, err := LoadFS(fsys, "flags")
		if err != nil {
			t.Errorf("%s: %v", when, err)
			continue
		}
		flag := compiled(t, e, "production").Flag("x")
		for text, want := range times {
			at, err := time.Parse(time.RFC3339, text)
			if err != nil {
				t.Fatal(err)
			}
			if got, _ := flag.Evaluate(&evaluator.Context{Now: at.Unix()}).Value().Bool(); got != want {
				t.Errorf("%s at %s: %v, want %v", when, text, got, want)
			}
		}
	}
}

// compiled returns the flags of an environment, ready to evaluate.
func compiled(t testing.TB, e *Estate, environment string) *evaluator.Program {
	t.Helper()
	payloads, err := e.Compile(environment)
	if err != nil {
		t.Fatal(err)
	}
	program, err := Program(payloads)
	if err != nil {
		t.Fatal(err)
	}
	return program
}
