package main

import (
	"fmt"
	"io"
	"runtime"
	"text/tabwriter"
)

// A bar is what Serin sets out to reach. The figure is a value divided by scale or,
// if over is named, what that value is a multiple of.
type bar struct {
	title        string
	value        key
	scale        float64
	over         key // of the same unit
	least        bool
	limit        float64
	unitOfFigure string
}

// workload returns what was measured of a system in a workload.
func workload(name, system, unit string) key {
	return key{"Workload/workload=" + name + "/system=" + system, unit}
}

// lists returns what was measured of a system with a shape of lists.
func lists(shape, system, what string) key {
	return key{"Lists/" + shape + "/system=" + system + "/" + what, "ns/op"}
}

func bars() []bar {
	list := []bar{
		{title: "B by handle", value: workload("B", "Serin", "ns/op"), limit: 20, unitOfFigure: "ns"},
		{title: "B by handle, allocations", value: workload("B", "Serin", "allocs/op")},
		{title: "B by name", value: workload("B", "Serin_by_name", "ns/op"), limit: 35, unitOfFigure: "ns"},
		{title: "B+ allocations", value: workload("B+", "Serin", "allocs/op"), limit: 1},
	}
	for _, name := range []string{"A", "B", "B+", "B++", "B++room", "C", "D", "E", "F", "H"} {
		limit := map[string]float64{"B+": 5, "B++": 8, "B++room": 8, "E": 15, "F": 60}[name]
		if limit == 0 {
			limit = 10
		}
		list = append(list, bar{title: name + ", how many times LaunchDarkly's evaluation takes",
			value: workload(name, "LaunchDarkly_evaluation", "ns/op"),
			over:  workload(name, "Serin", "ns/op"), least: true, limit: limit, unitOfFigure: "x"})
	}
	for _, r := range []struct {
		title, name, what string
		limit             float64
	}{
		{"E with lists of 10", "length=10/equal=false", "one", 15},
		{"E with lists of 200", "length=200/equal=false", "one", 15},
		{"all, different lists of 7", "length=7/equal=false", "all", 60},
		{"all, different lists of 10", "length=10/equal=false", "all", 60},
		{"all, different lists of 200", "length=200/equal=false", "all", 60},
		{"all, equal lists of 7", "length=7/equal=true", "all", 60},
		{"all, equal lists of 10", "length=10/equal=true", "all", 60},
		{"all, equal lists of 200", "length=200/equal=true", "all", 60},
	} {
		list = append(list, bar{title: r.title + ", how many times LaunchDarkly's evaluation takes",
			value: lists(r.name, "LaunchDarkly_evaluation", r.what), over: lists(r.name, "Serin", r.what),
			least: true, limit: r.limit, unitOfFigure: "x"})
	}
	const tens = "length=10/equal=false"
	list = append(list, bar{title: "20 flags through a view, with the context, by 20 calls by handle",
		value: lists(tens, "Serin", "view"), over: lists(tens, "Serin", "request"), limit: 0.4, unitOfFigure: "x"})
	cores := func(n int) key { return key{fmt.Sprintf("Cores/cores=%d", n), "ns/op"} }
	return append(list,
		bar{title: "throughput of all cores, by that of one", value: cores(1), over: cores(runtime.NumCPU()),
			least: true, limit: 1.8, unitOfFigure: "x"},
		bar{title: "load of 10,000 flags", value: key{"Load/system=Serin", "ns/op"}, scale: 1e6, limit: 40,
			unitOfFigure: "ms"},
		bar{title: "memory that they take", value: key{"Load/system=Serin", "retained-MB"}, limit: 10,
			unitOfFigure: "MB"},
		bar{title: "update of 10 of them, one namespace", value: key{"Update/namespaces=1", "ns/op"}, scale: 1e6,
			limit: 25, unitOfFigure: "ms"},
		bar{title: "update of 10 of them, 20 namespaces", value: key{"Update/namespaces=20", "ns/op"}, scale: 1e6,
			limit: 25, unitOfFigure: "ms"},
		bar{title: "list of 1,000,000 ids: load", value: key{"List/system=Serin/id=listed", "load-ms"}, limit: 200,
			unitOfFigure: "ms"},
		bar{title: "list: beyond each id's own bytes", value: key{"List/system=Serin/id=listed", "more-B/id"},
			limit: 16, unitOfFigure: "bytes"},
		bar{title: "list: ask for one of them", value: key{"List/system=Serin/id=listed", "ns/op"}, limit: 60,
			unitOfFigure: "ns"},
		bar{title: "list: ask for another one", value: key{"List/system=Serin/id=other", "ns/op"}, limit: 60,
			unitOfFigure: "ns"},
	)
}

// bars writes Serin's figures beside what they are to be, as far as measured.
func (s *samples) bars(w io.Writer) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, b := range bars() {
		value, _, ok := s.typical(b.value.name, b.value.unit)
		if !ok {
			continue
		}
		if b.scale != 0 {
			value /= b.scale
		}
		if b.over != (key{}) {
			over, _, ok := s.typical(b.over.name, b.over.unit)
			if !ok {
				continue
			}
			value /= over
		}
		sign, verdict := "at most", ""
		missed := value > b.limit
		if b.least {
			sign, missed = "at least", value < b.limit
		}
		if missed {
			verdict = "missed"
		}
		figure := fmt.Sprintf("%.2f %s", value, b.unitOfFigure)
		fmt.Fprintf(tw, "  %s\t%s\t%s %s\t%s\n", b.title, figure, sign, number(b.limit), verdict)
	}
	return tw.Flush()
}
