package ci

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/serin-flags/serin/ci/internal/share"
	"github.com/serin-flags/serin/evaluator"
)

// splitOf returns the split of the only rule of a boolean flag, on or off, that
// serves what it says.
func splitOf(t *testing.T, serve string) *evaluator.Split {
	t.Helper()
	fsys := base(t)
	fsys["shop/x.yaml"] = file("type: boolean\ndefault: off\nrules:\n  - name: r\n    serve: " + serve + "\n")
	e, err := LoadFS(fsys, "flags")
	if err != nil {
		t.Fatalf("%s: %v", serve, err)
	}
	return compiledFlags(t, e, "")["x"].Rules[0].Split
}

// hour is 2026-12-01 at that hour, UTC.
func hour(h int) int64 {
	return time.Date(2026, time.December, 1, h, 0, 0, 0, time.UTC).Unix()
}

// percent returns the level of a whole number of percents.
func percent(n int64) uint64 { return uint64(n) * evaluator.Positions / 100 }

func TestRamps(t *testing.T) {
	tests := []struct {
		serve string
		want  evaluator.Ramp
	}{
		{
			"{ramp: on, steps: [{at: 2026-12-01T02:00:00Z, to: 1%}, {at: 2026-12-01T04:00:00Z, to: 1%}, {at: 2026-12-01T05:00:00Z, to: 20%}]}",
			evaluator.Ramp{Rest: 1, Points: []evaluator.Point{{At: hour(2), Level: 42949672},
				{At: hour(4), Level: 42949672}, {At: hour(5), Level: 858993459}}},
		},
		{
			"{ramp: on, double: {from: 1%, every: 24h, start: 2026-12-01T02:00:00Z}}",
			evaluator.Ramp{Rest: 1, Points: []evaluator.Point{
				{At: hour(2), Level: percent(1)},
				{At: hour(2 + 24), Level: percent(2)},
				{At: hour(2 + 48), Level: percent(4)},
				{At: hour(2 + 72), Level: percent(8)},
				{At: hour(2 + 96), Level: percent(16)},
				{At: hour(2 + 120), Level: percent(32)},
				{At: hour(2 + 144), Level: percent(64)},
				{At: hour(2 + 168), Level: evaluator.Positions},
			}},
		},
		{
			"{ramp: on, double: {from: 5%, every: 1h, start: 2026-12-01T02:00:00Z, to: 20%}}",
			evaluator.Ramp{Rest: 1, Points: []evaluator.Point{{At: hour(2), Level: percent(5)},
				{At: hour(3), Level: percent(10)}, {At: hour(4), Level: percent(20)}}},
		},
		{
			"{ramp: on, double: {from: 5%, every: 1h, start: 2026-12-01T02:00:00Z, to: 5%}}",
			evaluator.Ramp{Rest: 1, Points: []evaluator.Point{{At: hour(2), Level: percent(5)}}},
		},
		{
			"{ramp: on, linear: {start: 2026-12-01, end: 2026-12-02}}",
			evaluator.Ramp{Rest: 1, Linear: true,
				Points: []evaluator.Point{{At: hour(0), Level: 0}, {At: hour(24), Level: evaluator.Positions}}},
		},
		{
			"{ramp: on, linear: {start: 2026-12-01, end: 2026-12-02, from: 10%, to: 30%}, pause: false, at: 2026-12-01}",
			evaluator.Ramp{Rest: 1, Linear: true,
				Points: []evaluator.Point{{At: hour(0), Level: percent(10)}, {At: hour(24), Level: percent(30)}}},
		},
	}
	for _, tt := range tests {
		want := &evaluator.Split{Bucketing: evaluator.Bucketing{By: "user", Salt: "x", Hash: evaluator.HashMurmur3},
			Ramp: &tt.want}
		if diff := cmp.Diff(want, splitOf(t, tt.serve)); diff != "" {
			t.Errorf("%s: -want +got:\n%s", tt.serve, diff)
		}
	}
}

// TestDoublingFromTheLeast holds that the smallest share takes the most steps,
// and the last of them is not twice the one before.
func TestDoublingFromTheLeast(t *testing.T) {
	ramp := splitOf(t, "{ramp: on, double: {from: 0.0000001%, every: 1s, start: 2026-12-01}}").Ramp
	if got, want := len(ramp.Points), 31; got != want { // 2^29 billionths are less than a whole, 2^30 more
		t.Fatalf("got %d points, want %d", got, want)
	}
	for i, p := range ramp.Points {
		portion := min(int64(1)<<i, share.Whole)
		if want := (evaluator.Point{At: hour(0) + int64(i),
			Level: share.Boundary(portion, evaluator.Positions)}); p != want {
			t.Errorf("point %d: got %+v, want %+v", i, p, want)
		}
	}
}

// TestRampSteps holds how many steps a ramp may have.
func TestRampSteps(t *testing.T) {
	for n, want := range map[int]string{1000: "", 1001: `rule "r": the ramp has more than 1000 steps`} {
		var text strings.Builder
		for i := range n {
			text.WriteString("        - {at: " + time.Unix(int64(i), 0).UTC().Format(time.RFC3339) + ", to: 1%}\n")
		}
		fsys := base(t)
		fsys["shop/x.yaml"] = file(
			"type: boolean\ndefault: off\nrules:\n  - name: r\n    serve:\n      ramp: on\n      steps:\n" +
				text.String())
		got := ""
		if _, err := LoadFS(fsys, "flags"); err != nil {
			got = err.Error()
		}
		if want == "" && got != "" || !strings.Contains(got, want) {
			t.Errorf("%d steps: got error %q, want %q", n, got, want)
		}
	}
}

// TestPause holds that a ramp that is paused is a split by the share that the
// ramp had then, and that splits of that share look the same.
func TestPause(t *testing.T) {
	const (
		steps  = "{ramp: on, steps: [{at: 2026-12-01T02:00:00Z, to: 20%}, {at: 2026-12-01T04:00:00Z, to: 50%}, {at: 2026-12-02, to: 100%}]"
		double = "{ramp: on, double: {from: 5%, every: 2h, start: 2026-12-01T02:00:00Z, to: 33%}"
		linear = "{ramp: on, linear: {start: 2026-12-01T02:00:00Z, end: 2026-12-01T12:00:00Z, from: 25%, to: 75%}"
	)
	tests := []struct{ ramp, at, same string }{
		{steps, "2026-12-01T01:59:59Z", "{on: 0%, off: rest}"},
		{steps, "2026-12-01T02:00:00Z", "{on: 20%, off: rest}"},
		{steps, "2026-12-01T03:59:59Z", "{on: 20%, off: rest}"},
		{steps, "2026-12-01T04:00:00Z", "{on: 50%, off: rest}"},
		{steps, "2026-12-03", "{on: 100%, off: rest}"},
		{double, "2026-12-01T04:30:00Z", "{on: 10%, off: rest}"},
		{double, "2026-12-03", "{on: 33%, off: rest}"},
		{linear, "2026-12-01T01:59:59Z", "{on: 0%, off: rest}"},
		{linear, "2026-12-01T02:00:00Z", "{on: 25%, off: rest}"},
		{linear, "2026-12-01T04:30:00Z", "{on: 37.5%, off: rest}"},
		{linear, "2026-12-01T07:00:00Z", "{on: 50%, off: rest}"},
		{linear, "2026-12-01T12:00:00Z", "{on: 75%, off: rest}"},
		{linear, "2026-12-03", "{on: 75%, off: rest}"},
	}
	for _, tt := range tests {
		serve := tt.ramp + ", pause: true, at: " + tt.at + "}"
		if diff := cmp.Diff(splitOf(t, tt.same), splitOf(t, serve)); diff != "" {
			t.Errorf("%s: -%s +got:\n%s", serve, tt.same, diff)
		}
	}
}
