// Tail measures how long single calls by handle take while the flags are updated: not
// only in the middle, but at the end of the distribution. It is run in the folder of
// package bench: go run ./tail.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"text/tabwriter"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/serin-flags/serin/bench"
)

func main() {
	short := flag.Bool("short", false, "make 1,000,000 calls during 10 updates, and write no file")
	readers := flag.Int("readers", 1, "the `number` of goroutines that call; beside them, one updates")
	flag.Parse()
	r := run{flags: 10_000, calls: 100_000_000, updates: 100, readers: *readers, out: "results"}
	if *short {
		r.calls, r.updates, r.out = 1_000_000, 10, ""
	}
	if err := r.all(os.Stdout, time.Now()); err != nil {
		fmt.Fprintln(os.Stderr, "tail:", err)
		os.Exit(1)
	}
}

// A run is what to measure, and where to write it.
type run struct {
	flags, calls, updates, readers int
	out                            string // the folder; "": none
}

// all publishes revisions, measures, and prints and writes what comes of it.
func (r *run) all(w io.Writer, now time.Time) error {
	dir, err := os.MkdirTemp("", "serin-tail")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	h, err := publish(dir, r.flags, r.updates)
	if err != nil {
		return err
	}
	during, between, err := r.load(h)
	if err != nil {
		return err
	}
	first, err := firstCalls(h)
	if err != nil {
		return err
	}
	var text bytes.Buffer
	fmt.Fprintf(&text, "goos: %s\ngoarch: %s\ncpu: %s\ncores: %d\ngo: %s\n\n",
		runtime.GOOS, runtime.GOARCH, bench.CPU(), runtime.GOMAXPROCS(0), runtime.Version())
	fmt.Fprintf(&text, "%d flags as in E, 20 of them asked for in turn by %d goroutines, while another one updates %d times.\n"+
		"Nanoseconds of single calls, each between two readings of the clock. \"clock\" is two readings with nothing\n"+
		"between them, which every other line contains. Nothing is subtracted.\n\n", r.flags, r.readers, r.updates)
	if err := table(&text, []line{
		{"clock", clock(r.calls / 10)},
		{"calls during an update", during},
		{"calls between updates", between},
		{"first call of a handle after an update", first[0]},
		{"second call", first[1]},
	}); err != nil {
		return err
	}
	if _, err := w.Write(text.Bytes()); err != nil || r.out == "" {
		return err
	}
	if err := os.MkdirAll(r.out, 0o777); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(r.out, bench.FileName(now, bench.CPU())+"-tail.txt"), text.Bytes(), 0o666)
}

// A line is a distribution and what it is of.
type line struct {
	title string
	of    *hdrhistogram.Histogram
}

func table(w io.Writer, lines []line) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(tw, "\tcalls\tp50\tp99\tp99.9\tp99.99\tmax\t")
	for _, l := range lines {
		fmt.Fprintf(tw, "%s\t%d\t", l.title, l.of.TotalCount())
		for _, percent := range []float64{50, 99, 99.9, 99.99} {
			fmt.Fprintf(tw, "%d\t", l.of.ValueAtQuantile(percent))
		}
		fmt.Fprintf(tw, "%d\t\n", l.of.Max())
	}
	return tw.Flush()
}
