package ci

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/serin-flags/serin/ci/internal/plan"
	"github.com/serin-flags/serin/evaluator"
	"github.com/serin-flags/serin/internal/soak"
)

// TestCeiling holds, over random plans, lines and times, that where a guard counts nobody
// beyond the last cleared step gets the new variant, whatever the time: if the guard dies, the
// share stays where it is. Without a line nobody gets it.
func TestCeiling(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	for range soak.Times(200, 20_000) {
		p := randomPlan(random)
		line := plan.NewLine(p)
		cleared := random.IntN(len(p.Steps) + 1)
		for step := 1; step <= cleared; step++ {
			line = line.Clear(p, step, time.Unix(random.Int64N(2e9), 0), "guard")
		}
		switch random.IntN(4) {
		case 0:
			line = line.Hold("x", time.Now(), "ann")
		case 1:
			line = line.RollBack(p, 0, "x", time.Now(), "guard")
		}
		lock := ""
		if line.Count > 0 {
			lock = line.String() + "\n"
		}
		e := planEstate(t, p, lock)
		program := compiled(t, e, "production")
		for range 20 {
			now := time.Unix(random.Int64N(5e9), 0).Unix()
			if random.IntN(10) == 0 {
				now = math.MaxInt64
			}
			checkCeiling(t, program.Flag("x"), line.Share, now, random)
		}
		if t.Failed() {
			t.Fatalf("steps %v, with\n%s", p.Steps, lock)
		}
	}
}

// checkCeiling holds who gets the new variant at a time.
func checkCeiling(t *testing.T, f *evaluator.CompiledFlag, share Share, now int64, random *rand.Rand) {
	t.Helper()
	unit := fmt.Sprint("u-", random.Uint64())
	got := f.Evaluate(&evaluator.Context{Attrs: []evaluator.Attr{evaluator.NewAttr("user", unit)}, Now: now})
	position, _ := evaluator.Bucketing{By: "user", Salt: "x",
		Hash: evaluator.HashMurmur3}.Position(evaluator.StringValue(unit))
	if want := position < share.Level(evaluator.Positions); (got.Variant() == "on") != want {
		t.Errorf("at %d, %v cleared: the unit at position %d gets %q", now, share, position, got.Variant())
	}
}

// randomPlan returns a plan of up to eight steps.
func randomPlan(random *rand.Rand) *plan.Plan {
	p := &plan.Plan{Flag: "x", Environment: "production", Rule: "ramp", Variant: "on", Start: random.Int64N(2e9)}
	for share := plan.Share(0); len(p.Steps) < 8 && share < plan.Whole; {
		share = min(plan.Whole, share+1+plan.Share(random.Int64N(int64(plan.Whole)/3))/100*100)
		s := plan.Step{To: share, Approval: random.IntN(3) == 0}
		if len(p.Steps) > 0 {
			s.After = plan.Duration(time.Duration(1+random.IntN(1e6)) * time.Second)
		}
		p.Steps = append(p.Steps, s)
	}
	return p
}

// planEstate returns an estate with the plan and releases.lock.
func planEstate(t *testing.T, p *plan.Plan, lock string) *Estate {
	t.Helper()
	var steps []string
	for i, s := range p.Steps {
		text := fmt.Sprintf("{to: %v", s.To)
		if i > 0 {
			text += fmt.Sprintf(", after: %ds", time.Duration(s.After)/time.Second)
		}
		if s.Approval {
			text += ", gate: approval"
		}
		steps = append(steps, text+"}")
	}
	files := fstest.MapFS{
		"serin.yaml":    file("environments: [production]\n"),
		"context.yaml":  file("attributes:\n  user: {type: string, unit: true}\n"),
		"guards/g.yaml": file("environments: [production]\nmetrics: [{name: smoke, command: {run: [x]}}]\n"),
		"shop/x.yaml": file(fmt.Sprintf(
			"type: boolean\ndefault: off\nrules: [{name: ramp, serve: {ramp: on, steps: [%s], start: %s, guard: g}}]\n",
			strings.Join(steps, ", "), time.Unix(p.Start, 0).UTC().Format(time.RFC3339))),
		"releases.lock": file(lock),
	}
	e, err := LoadFS(files, "flags")
	if err != nil {
		t.Fatalf("%v, with\n%s", err, files["shop/x.yaml"].Data)
	}
	return e
}
