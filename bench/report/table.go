package main

import (
	"cmp"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"golang.org/x/perf/benchfmt"
	"golang.org/x/perf/benchmath"

	"github.com/serin-flags/serin/bench"
)

// A key is what was measured: by which benchmark, and in what unit.
type key struct{ name, unit string }

// samples are all measurements.
type samples struct {
	cpu    string
	values map[key][]float64
	least  bool // of a cell's values the least is printed, not the median
}

// read reads what benchmarks print.
func read(r io.Reader) (*samples, error) {
	s := &samples{values: make(map[key][]float64)}
	for reader := benchfmt.NewReader(r, "measurements"); reader.Scan(); {
		result, ok := reader.Result().(*benchfmt.Result)
		if !ok {
			continue // PASS and the like
		}
		s.cpu = cmp.Or(result.GetConfig("cpu"), s.cpu)
		for _, v := range result.Values {
			k := key{trimProcs(result.Name.String()), v.Unit}
			value := v.Value
			if v.OrigUnit != "" { // seconds, as it was tidied
				k.unit, value = v.OrigUnit, v.OrigValue
			}
			s.values[k] = append(s.values[k], value)
		}
	}
	if len(s.values) == 0 {
		return nil, fmt.Errorf("no benchmark has printed anything")
	}
	return s, nil
}

// trimProcs removes the number of processors that ends a benchmark's name.
func trimProcs(name string) string {
	if i := strings.LastIndexByte(name, '-'); i >= 0 {
		if _, err := strconv.Atoi(name[i+1:]); err == nil {
			return name[:i]
		}
	}
	return name
}

// typical returns the value to print, and how far the least or the greatest value
// is from the median, as a fraction of that. It is false if nothing was measured.
func (s *samples) typical(name, unit string) (value, spread float64, ok bool) {
	values := s.values[key{name, unit}]
	if len(values) == 0 {
		return 0, 0, false
	}
	sample := benchmath.NewSample(slices.Clone(values), &benchmath.DefaultThresholds)
	median := benchmath.AssumeNothing.Summary(sample, 0.95).Center
	least, greatest := sample.Values[0], sample.Values[len(values)-1]
	if median != 0 {
		spread = max(median-least, greatest-median) / math.Abs(median)
	}
	if s.least {
		return least, spread, true
	}
	return median, spread, true
}

// A row is one measurement of all systems. The name has %s for a system's.
type row struct {
	title, name, unit string
	scale             float64 // what a value is divided by
	ratios            bool    // whether the line has columns of ratios
}

var workloadRows = []row{
	{"A  static flag", "Workload/workload=A/system=%s", "ns/op", 1, true},
	{"B  30% rollout, new user each call", "Workload/workload=B/system=%s", "ns/op", 1, true},
	{"B+ the same, building the user (5 attributes)", "Workload/workload=B+/system=%s", "ns/op", 1, true},
	{"B++ the same, built by a helper from a request", "Workload/workload=B++/system=%s", "ns/op", 1, true},
	{"    the same, with room that the caller has", "Workload/workload=B++room/system=%s", "ns/op", 1, true},
	{"C  10-id whitelist, then 30% rollout", "Workload/workload=C/system=%s", "ns/op", 1, true},
	{"D  10,000-id whitelist", "Workload/workload=D/system=%s", "ns/op", 1, true},
	{"E  5 rules x 2 conditions, 3 weighted variants", "Workload/workload=E/system=%s", "ns/op", 1, true},
	{"F  all of 1,000 such flags for one user (µs)", "Workload/workload=F/system=%s", "ns/op", 1000, true},
	{"H  B on all cores", "Workload/workload=H/system=%s", "ns/op", 1, true},
}

// listRows are measured of flags with lists in their conditions, and of few systems.
var listRows = []row{
	{"E with lists of 10 texts, 1,000 flags", "Lists/length=10/equal=false/system=%s/one", "ns/op", 1, true},
	{"E with lists of 200 texts", "Lists/length=200/equal=false/system=%s/one", "ns/op", 1, true},
	{"all of 1,000, different lists of 7 (µs)", "Lists/length=7/equal=false/system=%s/all", "ns/op", 1000, true},
	{"all of 1,000, different lists of 10 (µs)", "Lists/length=10/equal=false/system=%s/all", "ns/op", 1000, true},
	{"all of 1,000, different lists of 200 (µs)", "Lists/length=200/equal=false/system=%s/all", "ns/op", 1000, true},
	{"all of 1,000, equal lists of 7 (µs)", "Lists/length=7/equal=true/system=%s/all", "ns/op", 1000, true},
	{"all of 1,000, equal lists of 10 (µs)", "Lists/length=10/equal=true/system=%s/all", "ns/op", 1000, true},
	{"all of 1,000, equal lists of 200 (µs)", "Lists/length=200/equal=true/system=%s/all", "ns/op", 1000, true},
	{"a request: the user made, 20 flags, lists of 10", "Lists/length=10/equal=false/system=%s/request", "ns/op", 1, true},
	{"the same through a view", "Lists/length=10/equal=false/system=%s/view", "ns/op", 1, true},
	{"load of 10,000 flags, lists of 10 (ms)", "LoadLists/system=%s", "ns/op", 1e6, true},
	{"memory that they take (MB)", "LoadLists/system=%s", "retained-MB", 1, true},
}

var loadRows = []row{
	{"G  load of 10,000 flags as in E (ms)", "Load/system=%s", "ns/op", 1e6, true},
	{"G  memory that they take (MB)", "Load/system=%s", "retained-MB", 1, true},
	{"idle with 10,000 flags: heap (MB)", "Load/system=%s", "heap-MB", 1, false},
	{"idle with 10,000 flags: resident (MB)", "Load/system=%s", "rss-MB", 1, false},
	{"loading them, at most: resident (MB)", "Load/system=%s", "peak-MB", 1, false},
	{"list of 1,000,000 ids: load (ms)", "List/system=%s/id=listed", "load-ms", 1, true},
	{"list of 1,000,000 ids: bytes per id, beyond its own", "List/system=%s/id=listed", "more-B/id", 1, false},
	{"list of 1,000,000 ids: ask for one of them (ns)", "List/system=%s/id=listed", "ns/op", 1, true},
	{"list of 1,000,000 ids: ask for another one (ns)", "List/system=%s/id=other", "ns/op", 1, true},
}

// write writes the tables.
func (s *samples) write(w io.Writer) error {
	what := "Medians"
	if s.least {
		what = "Least values"
	}
	fmt.Fprintf(w, "%s, in nanoseconds unless a line says otherwise.\n", what)
	fmt.Fprintln(w, "x NAME: how many times that of Serin, by handle, the value is.")
	fmt.Fprintln(w)
	if err := s.table(w, workloadRows, bench.Systems(), true); err != nil {
		return err
	}
	fmt.Fprintln(w)
	if err := s.table(w, listRows, bench.WithLists(), true); err != nil {
		return err
	}
	fmt.Fprintln(w)
	if err := s.table(w, loadRows, bench.Loadable(), false); err != nil {
		return err
	}
	none, _, _ := s.typical("Load/system="+bench.NoSystem, "rss-MB")
	fmt.Fprintf(w, "\nresident in a process that has loaded nothing: %s MB\n", number(none))
	s.growth(w)
	for _, n := range []string{"1", "20"} {
		if ns, _, ok := s.typical("Update/namespaces="+n, "ns/op"); ok {
			fmt.Fprintf(w, "Serin: update of 10 of 10,000 flags, namespaces: %s; %s ms\n", n, number(ns/1e6))
		}
	}
	if ns, _, ok := s.typical("UpdateLists", "ns/op"); ok {
		fmt.Fprintf(w, "Serin: update of 10 of 10,000 flags with lists of 10, one namespace; %s ms", number(ns/1e6))
		if full, _, ok := s.typical("LoadLists/system=Serin", "ns/op"); ok {
			fmt.Fprintf(w, ", and to load them all %s ms", number(full/1e6))
		}
		fmt.Fprintln(w)
	}
	fmt.Fprintln(w, "\nWhat Serin is to reach:")
	if err := s.bars(w); err != nil {
		return err
	}
	s.spread(w)
	return nil
}

// table writes one line for each row, and a column for each system, and one for
// how many times Serin's value each other system's is.
func (s *samples) table(w io.Writer, rows []row, systems []bench.System, allocs bool) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	var lines [][]string
	head := []string{}
	for _, system := range systems {
		head = append(head, short(system.Name()))
	}
	if allocs {
		head = slices.Insert(head, 1, "allocs")
	}
	for _, system := range systems[1:] {
		if isPeer(system) {
			head = append(head, "x "+short(system.Name()))
		}
	}
	lines = append(lines, append([]string{""}, head...))
	for _, r := range rows {
		lines = append(lines, s.line(r, systems, allocs))
	}
	// The titles are to stand on the left.
	width := 0
	for _, line := range lines {
		width = max(width, len([]rune(line[0])))
	}
	for _, line := range lines {
		line[0] += strings.Repeat(" ", width-len([]rune(line[0])))
		fmt.Fprintln(tw, strings.Join(line, "\t")+"\t")
	}
	return tw.Flush()
}

func isPeer(s bench.System) bool { return !strings.HasPrefix(s.Name(), "Serin") }

// short returns a name for the heading of a column.
func short(name string) string {
	return strings.NewReplacer("LaunchDarkly", "LD", "evaluation", "eval", "Serin by name", "by name").Replace(name)
}

func (s *samples) line(r row, systems []bench.System, allocs bool) []string {
	line := []string{r.title}
	var ratios []string
	var serin float64
	for i, system := range systems {
		name := fmt.Sprintf(r.name, strings.ReplaceAll(system.Name(), " ", "_"))
		value, _, ok := s.typical(name, r.unit)
		cell, ratio := "-", "-"
		if ok {
			cell = number(value / r.scale)
		}
		if i == 0 {
			serin = value
		} else if ok && r.ratios && serin > 0 {
			ratio = fmt.Sprintf("%.1f", value/serin)
		}
		line = append(line, cell)
		if i == 0 && allocs {
			allocs := "-"
			if n, _, ok := s.typical(name, "allocs/op"); ok {
				allocs = number(n)
			}
			line = append(line, allocs)
		}
		if isPeer(system) {
			ratios = append(ratios, ratio)
		}
	}
	return append(line, ratios...)
}

// number formats a value: one digit after the point if it is below 100.
func number(v float64) string {
	if v == math.Trunc(v) && v < 1000 || v >= 100 {
		whole := strconv.FormatFloat(v, 'f', 0, 64)
		for i := len(whole) - 3; i > 0; i -= 3 {
			whole = whole[:i] + "," + whole[i:]
		}
		return whole
	}
	return strconv.FormatFloat(v, 'f', 1, 64)
}

// growth writes how B depends on the number of flags.
func (s *samples) growth(w io.Writer) {
	for _, system := range bench.Systems() {
		if isPeer(system) {
			continue
		}
		var parts []string
		for _, n := range []int{10, 100, 1000, 10_000, 100_000} {
			name := fmt.Sprintf("Growth/flags=%d/system=%s", n, strings.ReplaceAll(system.Name(), " ", "_"))
			if ns, _, ok := s.typical(name, "ns/op"); ok {
				parts = append(parts, fmt.Sprintf("%s of %s", number(ns), number(float64(n))))
			}
		}
		fmt.Fprintf(w, "%s: B of one of n flags, another one each time (ns): %s\n", system.Name(),
			strings.Join(parts, ", "))
	}
}

// busy is the spread, in percent, above which a run is of little use.
const busy = 25

// spread writes how far apart the measurements of a workload were.
func (s *samples) spread(w io.Writer) {
	var all []float64
	for k := range s.values {
		if strings.HasPrefix(k.name, "Workload/") && k.unit == "ns/op" {
			_, spread, _ := s.typical(k.name, k.unit)
			all = append(all, 100*spread)
		}
	}
	if slices.Sort(all); len(all) > 0 {
		half := all[len(all)/2]
		fmt.Fprintf(w, "A to H: no measurement is further from its median than %.0f%%; in half of the cells, none than %.0f%%\n",
			all[len(all)-1], half)
		if half > busy {
			fmt.Fprintln(w, "The machine did something else meanwhile: measure again when it doesn't, or look at the least values (-least).")
		}
	}
}
