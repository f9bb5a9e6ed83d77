//go:build linux

// Serve measures `serin serve` beside servers that decide nothing: the processor time that a
// request takes, and how long answers take. It is run in the folder of package bench:
// go run ./serve.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/serin-flags/serin/bench"
)

func main() {
	if mode := os.Getenv(plainEnv); mode != "" {
		if err := servePlain(mode, os.Args[1]); err != nil {
			fmt.Fprintln(os.Stderr, "serve:", err)
			os.Exit(1)
		}
		return
	}
	short := flag.Bool("short", false, "measure for some seconds, and write no file")
	only := flag.String("only", "", "measure `parts` only, of "+strings.Join(partNames(), ","))
	rounds := flag.Int("rounds", 9, "the `number` of rounds")
	flag.Parse()
	r := run{rounds: *rounds, requests: 20_000, rate: 2000, out: "results", only: *only, duration: time.Minute}
	if *short {
		r.rounds, r.requests, r.out, r.duration = 3, 3_000, "", 10*time.Second
	}
	if err := r.all(os.Stdout, time.Now()); err != nil {
		fmt.Fprintln(os.Stderr, "serve:", err)
		os.Exit(1)
	}
}

// A run is what to measure, and where to write it.
type run struct {
	rounds, requests int           // requests of a server in a round
	duration         time.Duration // of the part that counts failed requests
	rate             float64       // requests per second for which latencies are measured
	only             string
	out              string   // the folder; "": none
	dir              string   // for what is temporary
	root             string   // the folder of serin's module
	serin            string   // the command
	leftovers        []string // folders to remove
}

// A part is one comparison.
type part struct {
	name string
	run  func(r *run, w io.Writer) error
}

func parts() []part {
	return []part{
		{"one", (*run).one}, {"all", (*run).allFlags}, {"route", (*run).route}, {"nginx", (*run).nginx},
		{"attack", (*run).attack}, {"failures", (*run).failures},
	}
}

func partNames() (names []string) {
	for _, p := range parts() {
		names = append(names, p.name)
	}
	return names
}

// all measures, and prints and writes what comes of it.
func (r *run) all(w io.Writer, now time.Time) (err error) {
	if r.dir, err = os.MkdirTemp("", "serin-serve"); err != nil {
		return err
	}
	defer func() {
		for _, dir := range append(r.leftovers, r.dir) {
			os.RemoveAll(dir)
		}
	}()
	if err := r.build(); err != nil {
		return err
	}
	var text bytes.Buffer
	to := io.MultiWriter(w, &text)
	fmt.Fprintf(to, "goos: %s\ngoarch: %s\ncpu: %s\ncores: %d\ngo: %s\n", runtime.GOOS, runtime.GOARCH, bench.CPU(),
		runtime.NumCPU(), runtime.Version())
	fmt.Fprintf(to, "%d rounds of %d requests. Figures are medians of rounds, in which servers take turns. Time is processor\n"+
		"time of the server, user and system, for a request. Ratios are medians of the ratios of rounds. p50 and p99 are\n"+
		"those of %.0f requests per second.\n", r.rounds, r.requests, r.rate)
	for _, p := range parts() {
		if r.only != "" && !strings.Contains(","+r.only+",", ","+p.name+",") {
			continue
		}
		if err := p.run(r, to); err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
	}
	if r.out == "" || r.only != "" {
		return nil
	}
	if err := os.MkdirAll(r.out, 0o777); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(r.out, bench.FileName(now, bench.CPU())+"-serve.txt"), text.Bytes(), 0o666)
}
