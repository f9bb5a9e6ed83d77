// Report measures, prints tables of medians, and writes them to a file, and all
// single measurements to another one, which benchstat reads. It is run in the
// folder of package bench, as make bench does.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"time"

	"github.com/serin-flags/serin/bench"
)

func main() {
	rounds := flag.Int("rounds", 10, "how often everything quick is measured; what takes long, half as often")
	benchtime := flag.Duration("benchtime", 100*time.Millisecond, "how long each quick measurement takes")
	out := flag.String("out", "results", "the `folder` that results are written to")
	from := flag.String("from", "", "print the tables of a `file` of single measurements, and measure nothing")
	least := flag.Bool("least", false,
		"print the least value of each cell instead of the median: the better guess if the machine was busy")
	flag.Parse()
	var err error
	if *from != "" {
		err = reprint(*from, *least)
	} else {
		err = run(*rounds, *benchtime, *out, *least)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "report:", err)
		os.Exit(1)
	}
}

// reprint prints the tables of earlier measurements.
func reprint(from string, least bool) error {
	f, err := os.Open(from)
	if err != nil {
		return err
	}
	defer f.Close()
	samples, err := read(f)
	if err != nil {
		return fmt.Errorf("%s: %w", from, err)
	}
	samples.least = least
	return samples.write(os.Stdout)
}

func run(rounds int, benchtime time.Duration, out string, least bool) error {
	began := time.Now()
	raw, err := measure(rounds, benchtime)
	if err != nil {
		return err
	}
	samples, err := read(bytes.NewReader(raw))
	if err != nil {
		return err
	}
	samples.least = least
	header := header(samples.cpu, rounds, benchtime)
	var text bytes.Buffer
	text.WriteString(header)
	if err := samples.write(&text); err != nil {
		return err
	}
	if _, err := os.Stdout.Write(text.Bytes()); err != nil {
		return err
	}
	if err := os.MkdirAll(out, 0o777); err != nil {
		return err
	}
	name := filepath.Join(out, bench.FileName(began, samples.cpu))
	if err := os.WriteFile(name+".txt", text.Bytes(), 0o666); err != nil {
		return err
	}
	fmt.Printf("\nwritten to %s.txt, single measurements to %s.raw.txt; took %v\n", name, name,
		time.Since(began).Round(time.Second))
	return os.WriteFile(name+".raw.txt", append([]byte(header), raw...), 0o666)
}

// peers are the modules that are measured, and what they are called in the header.
var peers = [][2]string{
	{"launchdarkly-evaluation", "github.com/launchdarkly/go-server-sdk-evaluation/v3"},
	{"launchdarkly-sdk", "github.com/launchdarkly/go-server-sdk/v7"},
	{"growthbook", "github.com/growthbook/growthbook-golang"},
	{"statsig", "github.com/statsig-io/go-sdk"},
	{"posthog", "github.com/posthog/posthog-go"},
}

// header returns lines of "name: value", as benchmarks have them.
func header(cpu string, rounds int, benchtime time.Duration) string {
	var b strings.Builder
	fmt.Fprintf(&b, "goos: %s\ngoarch: %s\ncpu: %s\ncores: %d\ngo: %s\n", runtime.GOOS, runtime.GOARCH, cpu,
		runtime.NumCPU(), runtime.Version())
	versions := make(map[string]string)
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, m := range info.Deps {
			versions[m.Path] = m.Version
		}
	}
	for _, p := range peers {
		fmt.Fprintf(&b, "%s: %s %s\n", p[0], p[1], versions[p[1]])
	}
	fmt.Fprintf(&b, "rounds: %d of %v\n\n", rounds, benchtime)
	return b.String()
}
