// Shapes measures Serin, and LaunchDarkly's evaluation module next to it, along one axis
// at a time: the length of lists, the number of rules, and so on. It checks the answers
// first, prints tables and every point that misses what is expected, and writes tables
// and curves to files. It is run in the folder of package bench: go run ./shapes.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/serin-flags/serin/bench"
)

func main() {
	short := flag.Bool("short", false,
		"measure in less than a minute, too little for figures to mean much, and write no files unless -out is given")
	only := flag.String("axis", "", "measure only the axis `name`d")
	out := flag.String("out", "", "the `folder` that results are written to; by default, results")
	flag.Parse()
	r := run{size: fullSize, effort: effort{rounds: 7, batch: 20 * time.Millisecond}, only: *only, out: *out}
	switch {
	case *short:
		r.size, r.effort = shortSize, effort{rounds: 3, batch: time.Millisecond}
	case r.out == "":
		r.out = "results"
	}
	if err := r.all(os.Stdout, time.Now()); err != nil {
		fmt.Fprintln(os.Stderr, "shapes:", err)
		os.Exit(1)
	}
}

// A run is what to measure, and where to write it.
type run struct {
	size   size
	effort effort
	only   string // the axis; "": all
	out    string // the folder; "": none
}

// all measures axes, and prints and writes what comes of it.
func (r *run) all(w io.Writer, now time.Time) error {
	var text bytes.Buffer
	w = io.MultiWriter(w, &text)
	fmt.Fprintf(w, "goos: %s\ngoarch: %s\ncpu: %s\ncores: %d\ngo: %s\nrounds: %d of %v\n\n", runtime.GOOS,
		runtime.GOARCH,
		bench.CPU(), runtime.NumCPU(), runtime.Version(), r.effort.rounds, r.effort.batch)
	fmt.Fprintf(w, "Medians, in nanoseconds for one answer: by handle, by name, of %d flags in a view including to make it,\n"+
		"of all flags at once, and LaunchDarkly's evaluation of one flag and of all. (flat): the work doesn't grow.\n\n", viewed)
	name := filepath.Join(r.out, bench.FileName(now, bench.CPU())+"-shapes")
	if r.out != "" {
		if err := os.MkdirAll(r.out, 0o777); err != nil {
			return err
		}
	}
	var missed, known []string
	for _, make := range axes(r.size) {
		a := make()
		if known = append(known, a.name); r.only != "" && a.name != r.only {
			continue
		}
		fmt.Fprintln(os.Stderr, time.Now().Format(time.TimeOnly), a.name)
		curves, err := a.run(r.effort)
		if err != nil {
			return err
		}
		if err := a.table(w, curves); err != nil {
			return err
		}
		for _, c := range curves {
			missed = append(missed, a.judge(c)...)
		}
		if r.out == "" {
			continue
		}
		if err := a.plot(name+"-"+a.name+".svg", curves); err != nil {
			return err
		}
	}
	if r.only != "" && !slices.Contains(known, r.only) {
		return fmt.Errorf("there is no axis %q; there are %s", r.only, strings.Join(known, ", "))
	}
	fmt.Fprintf(w, "Points that miss what is expected: %d\n", len(missed))
	for _, line := range missed {
		fmt.Fprintln(w, " ", line)
	}
	if r.out == "" {
		return nil
	}
	return os.WriteFile(name+".txt", text.Bytes(), 0o666)
}
