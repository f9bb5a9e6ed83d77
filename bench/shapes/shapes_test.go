package main

import (
	"bytes"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// smallSize is enough for answers, not for figures.
var smallSize = size{flags: 8, people: 64, most: 100}

// TestAnswers checks the answers of both systems at the ends of each axis, and of all
// kinds of conditions.
func TestAnswers(t *testing.T) {
	for _, make := range axes(smallSize) {
		a := make()
		t.Run(a.name, func(t *testing.T) {
			places := a.places
			if a.unit != "" {
				places = [](func() []point){places[0], places[len(places)-1]}
			}
			if a.name == "lists" { // the last one takes long
				places[1] = a.places[len(a.places)-3]
			}
			for _, make := range places {
				for _, p := range make() {
					l, err := load(p.estate)
					if err != nil {
						t.Fatal(err)
					}
					if err := l.check(&p); err != nil {
						t.Errorf("%s, %s: %v", a.series[p.series].name, p.label, err)
					}
					l.client.Close()
				}
			}
		})
	}
}

// TestCheckFinds checks that answers are compared with what flags are, and with
// LaunchDarkly's.
func TestCheckFinds(t *testing.T) {
	p := smallSize.rules().places[2]()[0]
	l, err := load(p.estate)
	if err != nil {
		t.Fatal(err)
	}
	defer l.client.Close()
	if err := l.check(&p); err != nil {
		t.Fatal(err)
	}
	swapped := *l.peers["flag-0"]
	swapped.Rules = slices.Clone(swapped.Rules)
	slices.Reverse(swapped.Rules)
	right := l.peers["flag-0"]
	l.peers["flag-0"] = &swapped
	if err := l.check(&p); err == nil || !strings.Contains(err.Error(), "and LaunchDarkly") {
		t.Errorf("error %v with another flag at LaunchDarkly", err)
	}
	l.peers["flag-0"] = right
	for i := range p.people {
		p.people[i].attrs = nil
	}
	if err := l.check(&p); err == nil || !strings.Contains(err.Error(), "not rule 0") {
		t.Errorf("error %v for a rule that nobody matches", err)
	}
	p.wanted = anyRule
	p.estate.flags[0].rules[0].when = always()
	if err := l.check(&p); err == nil || !strings.Contains(err.Error(), `"none" for`) {
		t.Errorf("error %v where another flag was published", err)
	}
}

func TestJudge(t *testing.T) {
	a := axis{name: "axis"}
	at := func(label string, handle, peers float64) figure {
		return figure{label: label, ns: map[string]float64{byHandle: handle, peer: peers}}
	}
	c := curve{series{name: "line", flat: true},
		[]figure{at("1", 10, 100), at("2", 14, 139), at("3", 22, 220), at("4", 21, 400)}}
	want := []string{
		"axis, line, 2: handle: 14.0 ns, LaunchDarkly 139.0 ns: 9.9 times; at least 10",
		"axis, line, 3: handle: 22.0 ns, 1.6 times the 14.0 ns of 2; at most 1.5",
	}
	if got := a.judge(c); !slices.Equal(got, want) {
		t.Errorf("missed:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	c.flat, c.exempt = false, true
	if got := a.judge(c); len(got) > 0 {
		t.Errorf("missed %q, of a series of which nothing is expected", got)
	}
}

// TestRun checks that a run writes a table and a curve.
func TestRun(t *testing.T) {
	dir := t.TempDir()
	r := run{size: smallSize, effort: effort{rounds: 1, batch: time.Microsecond}, only: "prerequisites", out: dir}
	var printed bytes.Buffer
	if err := r.all(&printed, time.Date(2026, 3, 4, 0, 0, 0, 0, time.UTC)); err != nil {
		t.Fatal(err)
	}
	if files, err := filepath.Glob(filepath.Join(dir, "2026-03-04-*-shapes*")); err != nil || len(files) != 2 {
		t.Errorf("files %q, error %v: want a table and a curve", files, err)
	}
	if !strings.Contains(printed.String(), "all serve what is required") ||
		!strings.Contains(printed.String(), "Points that miss") {
		t.Errorf("printed:\n%s", &printed)
	}
	r.only = "length"
	if err := r.all(&printed, time.Now()); err == nil || !strings.Contains(err.Error(), "there are lists, attributes") {
		t.Errorf("error %v for an axis that there isn't", err)
	}
}
