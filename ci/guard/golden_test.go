package guard

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/serin-flags/serin/ci/internal/plan"
)

var update = flag.Bool("update", false, "write what comes out into the golden files")

// TestGolden holds what evidence and texts look like.
func TestGolden(t *testing.T) {
	const arn = "arn:aws:cloudwatch:eu-central-1:111122223333:alarm:pager"
	p := small()
	p.Guard.Metrics[0].Max = pointer(.5)
	p.Guard.Metrics = append(p.Guard.Metrics, plan.Metric{Name: "pager", Alarm: arn},
		plan.Metric{Name: "smoke", Command: &plan.Command{Run: []string{"./smoke.sh"}}})
	f := &fake{
		answer: numbers(func(name, arm string, values []float64) {
			switch {
			case name == "bad" && arm == New:
				for i := len(values) - 8; i < len(values); i++ {
					values[i] = 12
				}
			case name == "latency":
				values[len(values)-1] = .9
			}
		}),
		alarms: func(string) (Alarm, error) {
			return Alarm{State: "INSUFFICIENT_DATA", Since: hours(1), Host: "eu-central-1"}, nil
		},
	}
	compare(t, "back", run(t, p, f, hours(4)))
	compare(t, "advance", run(t, small(), &fake{answer: numbers(nil)}, hours(4)))
	compare(t, "start", Decide(p, plan.NewLine(p), nil, hours(-1)))
}

// compare holds the evidence and the text of a decision against golden files.
func compare(t *testing.T, name string, d Decision) {
	t.Helper()
	data, err := d.Evidence()
	if err != nil {
		t.Fatal(err)
	}
	for file, got := range map[string]string{name + ".json": string(data), name + ".txt": d.Text()} {
		path := filepath.Join("testdata", file)
		if *update {
			if err := os.WriteFile(path, []byte(got), 0o666); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if got != string(want) {
			t.Errorf("%s is now\n%s", path, got)
		}
	}
}
