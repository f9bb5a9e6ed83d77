package plans_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/serin-flags/serin/ci"
	"github.com/serin-flags/serin/ci/guard"
	"github.com/serin-flags/serin/ci/plans"
)

// TestRecords checks which decisions are read, in what order, and how many.
func TestRecords(t *testing.T) {
	record := func(flag, environment, reason string) *fstest.MapFile {
		return &fstest.MapFile{Data: fmt.Appendf(nil, `{"flag": %q, "environment": %q, "reason": %q}`, flag,
			environment, reason)}
	}
	fsys := fstest.MapFS{
		"releases/README.md":     {Data: []byte("not a folder")},
		"releases/one/1.json":    record("one", "production", "first"),
		"releases/one/2.json":    record("one", "production", "second"),
		"releases/one/3.json":    record("one", "staging", "third"),
		"releases/one/notes.txt": {Data: []byte("no decision")},
		"releases/other/1.json":  record("one", "production", "in the wrong folder"),
		"releases/broken/9.json": {Data: []byte("{")},
		"releases/broken/8.json": record("broken", "production", "before it broke"),
		"releases/endless/1.json": {Data: []byte(`{"flag": "endless", "reason": "` +
			strings.Repeat("x", 1<<20) + `"}`)},
		"releases/many/unread.json": {Data: []byte("{")},
	}
	for i := range 60 {
		fsys[fmt.Sprintf("releases/many/%02d.json", i)] = record("many", "production", fmt.Sprint(i))
	}
	all, err := plans.ReadRecords(fsys)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	many := 0
	for _, r := range all {
		if r.Flag == "many" {
			many++
			continue
		}
		got = append(got, r.Flag+" "+r.Reason)
	}
	if want := "broken before it broke, one third, one second, one first"; strings.Join(got, ", ") != want ||
		many != 49 {
		t.Errorf("%q, and %d of many", got, many)
	}
	last, err := plans.LastRecord(fsys, &ci.Plan{Flag: "one", Environment: "production"})
	if err != nil || last == nil || last.Reason != "second" || last.File != "releases/one/2.json" {
		t.Errorf("the last is %+v, %v", last, err)
	}
	if last, err := plans.LastRecord(fsys, &ci.Plan{Flag: "two", Environment: "production"}); last != nil ||
		err != nil {
		t.Errorf("of a flag without decisions it is %+v, %v", last, err)
	}
	if _, err := plans.LastRecord(fsys, &ci.Plan{Flag: "broken"}); err == nil ||
		!strings.HasPrefix(err.Error(), "reading releases/broken/9.json: ") {
		t.Errorf("a broken one: %v", err)
	}
	if all, err := plans.ReadRecords(fstest.MapFS{}); all != nil || err != nil {
		t.Errorf("of no folder: %v, %v", all, err)
	}
}

// TestRecordName: what guard writes under the name of a decision is read again, newest first.
func TestRecordName(t *testing.T) {
	p := load(t, nil).Plans("production")[0]
	fsys := make(fstest.MapFS)
	at := time.Date(2026, 12, 1, 23, 59, 59, 0, time.FixedZone("", 3600))
	for i := range 3 {
		d := guard.Decide(p, ci.NewReleaseLine(p), nil, at.Add(time.Duration(i)*time.Hour))
		data, err := d.Evidence()
		if err != nil {
			t.Fatal(err)
		}
		fsys[plans.RecordName(p.Flag, d.Time)] = &fstest.MapFile{Data: data}
	}
	all, err := plans.ReadRecords(fsys)
	if err != nil || len(all) != 3 {
		t.Fatalf("%d records, %v", len(all), err)
	}
	for i, r := range all {
		if !r.Time.Equal(at.Add(time.Duration(2-i)*time.Hour)) || r.Decision != string(guard.Advance) ||
			r.To != p.Steps[0].To ||
			r.Rule != p.Rule || !strings.HasPrefix(r.Reason, "it started at 2026-12-01 00:00:00 UTC") {
			t.Errorf("record %d is %+v", i, r)
		}
	}
	if last, err := plans.LastRecord(fsys, p); err != nil || last == nil || last.File != all[0].File {
		t.Errorf("the last is %+v, %v", last, err)
	}
}
