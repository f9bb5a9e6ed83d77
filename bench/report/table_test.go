package main

import (
	"strings"
	"testing"
)

const measured = `goos: linux
cpu: Some CPU
BenchmarkWorkload/workload=B/system=Serin-2          	 100	 30.0 ns/op	 0 B/op	 0 allocs/op
BenchmarkWorkload/workload=B/system=Serin-2          	 100	 10.0 ns/op	 0 B/op	 0 allocs/op
BenchmarkWorkload/workload=B/system=Serin-2          	 100	 20.0 ns/op	 0 B/op	 0 allocs/op
BenchmarkWorkload/workload=B/system=Serin_by_name-2  	 100	 25.5 ns/op	 0 B/op	 0 allocs/op
BenchmarkWorkload/workload=B/system=LaunchDarkly_evaluation-2 	 100	 120 ns/op	 0 B/op	 0 allocs/op
BenchmarkWorkload/workload=B/system=PostHog-2        	 100	 5000 ns/op	 9 B/op	 5 allocs/op
PASS
BenchmarkLoad/system=Serin-2  	 1	 39000000 ns/op	 4.5 retained-MB
BenchmarkUpdate/namespaces=1-2  	 1	 12000000 ns/op
`

func TestTables(t *testing.T) {
	s, err := read(strings.NewReader(measured))
	if err != nil {
		t.Fatal(err)
	}
	if s.cpu != "Some CPU" {
		t.Errorf("cpu %q", s.cpu)
	}
	var b strings.Builder
	if err := s.write(&b); err != nil {
		t.Fatal(err)
	}
	lines := make(map[string]string)
	for line := range strings.Lines(b.String()) {
		words := strings.Join(strings.Fields(line), " ")
		for _, title := range []string{"B ", "B by handle ", "B, ", "G load", "Serin: update", "update", "A to H"} {
			if strings.HasPrefix(words, title) && lines[title] == "" {
				lines[title] = words
			}
		}
	}
	for title, want := range map[string]string{
		"B by handle ":  "B by handle 20.00 ns at most 20",
		"B, ":           "B, how many times LaunchDarkly's evaluation takes 6.00 x at least 10 missed",
		"update":        "update of 10 of them, one namespace 12.00 ms at most 25",
		"B ":            "B 30% rollout, new user each call 20 0 25.5 120 - - - 5,000 6.0 - - - 250.0",
		"G load":        "G load of 10,000 flags as in E (ms) 39 - - - - - - - - - -",
		"Serin: update": "Serin: update of 10 of 10,000 flags, namespaces: 1; 12 ms",
		"A to H":        "A to H: no measurement is further from its median than 50%; in half of the cells, none than 0%",
	} {
		if got := lines[title]; got != want {
			t.Errorf("line %q, want %q, of\n%s", got, want, b.String())
		}
	}
}

func TestLeast(t *testing.T) {
	s, err := read(strings.NewReader(measured))
	if err != nil {
		t.Fatal(err)
	}
	s.least = true
	if value, _, ok := s.typical("Workload/workload=B/system=Serin", "ns/op"); value != 10 || !ok {
		t.Errorf("least value %v, %v", value, ok)
	}
}

func TestReadNothing(t *testing.T) {
	if _, err := read(strings.NewReader("PASS\n")); err == nil {
		t.Error("no error without a measurement")
	}
}

func TestNumber(t *testing.T) {
	for v, want := range map[float64]string{0: "0", 4.55: "4.5", 12: "12", 99.94: "99.9", 100.4: "100",
		62_571.6: "62,572", 1e6: "1,000,000"} {
		if got := number(v); got != want {
			t.Errorf("%v is %q, want %q", v, got, want)
		}
	}
}
