package prometheus

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/serin-flags/serin/ci/guard"
	"github.com/serin-flags/serin/ci/internal/plan"
	"github.com/serin-flags/serin/internal/needs"
)

// history fills a data folder with samples of the last day, which Prometheus reads when it
// starts.
func history(b *testing.B, now time.Time, scrape time.Duration) (data string) {
	b.Helper()
	dir := b.TempDir()
	var text strings.Builder
	for _, s := range []struct {
		name, arm string
		by        int64
	}{
		{"exposures", "new", exposedNew}, {"exposures", "rest", exposedRest}, {"bad", "new", badNew}, {"bad", "rest", badRest},
	} {
		if s.arm == "new" {
			fmt.Fprintf(&text, "# TYPE %s counter\n", s.name)
		}
		for i, at := int64(0), now.Add(-25*time.Hour); at.Before(now); i, at = i+1, at.Add(scrape) {
			fmt.Fprintf(&text, "%s_total{arm=%q} %d %d\n", s.name, s.arm, i*s.by, at.Unix())
		}
	}
	text.WriteString("# EOF\n")
	file := filepath.Join(dir, "history")
	if err := os.WriteFile(file, []byte(text.String()), 0o600); err != nil {
		b.Fatal(err)
	}
	data = filepath.Join(dir, "data")
	out, err := exec.Command(needs.Command(b, "promtool"), "tsdb", "create-blocks-from", "openmetrics", file,
		data).CombinedOutput()
	if err != nil {
		b.Fatalf("%v: %s", err, out)
	}
	return data
}

// BenchmarkRun decides about 500 plans of one metric each, which ask a real Prometheus for a
// day or an hour of data.
func BenchmarkRun(b *testing.B) {
	const scrape = 15 * time.Second
	now := time.Now().Truncate(time.Second)
	url := startPrometheus(b, history(b, now, scrape))
	for _, age := range []time.Duration{time.Hour, 24 * time.Hour} {
		b.Run(age.String(), func(b *testing.B) {
			var plans []*guard.Plan
			lines := make(guard.Lines)
			for i := range 500 {
				p, l := release(url, fmt.Sprintf("flag-%d", i), now.Add(-age),
					plan.Metric{Bad: of("bad_total"), Rest: true, WorseBy: .1})
				p.Steps[1].After = plan.Duration(age)
				s := p.Guard.Sources["prom"]
				s.Scrape = plan.Duration(scrape)
				p.Guard.Sources["prom"] = s
				plans, lines[l.Key()] = append(plans, p), l
			}
			for b.Loop() {
				for _, d := range guard.Run(context.Background(), plans, lines, guard.Options{
					Now: func() time.Time { return now },
					Open: func(_ context.Context, _, address string) (guard.Source, error) {
						return Open(address, Credentials{})
					},
				}) {
					if d.Action != guard.Advance {
						b.Fatal(&d)
					}
				}
			}
		})
	}
}
