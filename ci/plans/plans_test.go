package plans_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/serin-flags/serin/bundle"
	"github.com/serin-flags/serin/ci"
	"github.com/serin-flags/serin/ci/internal/storetest"
	"github.com/serin-flags/serin/ci/plans"
	"github.com/serin-flags/serin/ci/release"
	"github.com/serin-flags/serin/evaluator"
	"github.com/serin-flags/serin/internal/soak"
)

const production = "production"

// flagFiles are an estate of two plans and a flag of another namespace that asks for one.
var flagFiles = map[string]string{
	"serin.yaml":      "environments: [production, staging]\n",
	"context.yaml":    "attributes:\n  user: {type: string, unit: true}\n",
	"guards/slo.yaml": "environments: [production]\nmetrics: [{name: smoke, command: {run: [./smoke.sh]}}]\n",
	"shop/one.yaml":   plan("1%", "5%", "50%"),
	"shop/two.yaml":   plan("10%", "20%", "100%"),
	"beside/x.yaml":   "type: boolean\ndefault: off\nrules: [{name: beside, when: {flag: {one: on}}, serve: on}]\n",
}

// plan returns a flag with a plan.
func plan(shares ...string) string {
	steps := "{to: " + shares[0] + "}"
	for _, s := range shares[1:] {
		steps += ", {to: " + s + ", after: 1h}"
	}
	return "type: boolean\ndefault: off\nrules: [{name: ramp, serve: {ramp: on, steps: [" + steps +
		"], start: 2026-12-01, guard: slo}}]\n"
}

// load returns the estate of files, of which edits replaces some.
func load(t testing.TB, edits map[string]string) *ci.Estate {
	t.Helper()
	fsys := make(fstest.MapFS)
	all := maps.Clone(flagFiles)
	maps.Copy(all, edits)
	for name, text := range all {
		fsys[name] = &fstest.MapFile{Data: []byte(text)}
	}
	e, err := ci.LoadFS(fsys, "flags")
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// A repository is a published environment.
type repository struct {
	store release.Store
	keys  release.Keys
}

func newRepository(t testing.TB) *repository {
	t.Helper()
	dir := t.TempDir()
	if _, err := release.InitKeys(dir, production); err != nil {
		t.Fatal(err)
	}
	keys, err := release.LoadKeys(dir)
	if err != nil {
		t.Fatal(err)
	}
	return &repository{storetest.NewMemory(time.Now), keys}
}

func (r *repository) options(c plans.Content) release.Options {
	return release.Options{Store: r.store, Keys: r.keys, Environment: production, Content: c}
}

func (r *repository) publish(t testing.TB, c plans.Content) release.Report {
	t.Helper()
	report, err := release.Publish(t.Context(), r.options(c))
	if err != nil {
		t.Fatal(err)
	}
	return report
}

// read returns what is published.
func (r *repository) read(t testing.TB) (p release.Published, s plans.State) {
	t.Helper()
	s, p, err := plans.Published(t.Context(), r.options(nil))
	if err != nil {
		t.Fatal(err)
	}
	return p, s
}

// share returns the share that clients have of a flag.
func (r *repository) share(t testing.TB, key string) string {
	t.Helper()
	p, _ := r.read(t)
	for _, data := range p.Payloads {
		payload, err := bundle.DecodePayload(data, p.Lists...)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range payload.Ruleset.Flags {
			if f.Key == key {
				return fmt.Sprintf("%.4g%%", 100*float64(f.Rules[0].Split.Ramp.Points[0].Level)/evaluator.Positions)
			}
		}
	}
	t.Fatalf("there is no flag %s", key)
	return ""
}

// step returns a move that clears a plan's next step.
func step(key, by string) plans.Content {
	return moving(key, func(p *ci.Plan, l ci.ReleaseLine) (ci.ReleaseLine, bool) {
		n, _ := p.Cleared(l.Share)
		if n == len(p.Steps) || l.State == "back" {
			return l, false
		}
		return l.Clear(p, n+1, time.Now(), by), true
	})
}

// back returns a move that rolls a plan back.
func back(key, by string) plans.Content {
	return moving(key, func(p *ci.Plan, l ci.ReleaseLine) (ci.ReleaseLine, bool) {
		return l.RollBack(p, 0, "errors", time.Now(), by), true
	})
}

func moving(key string, move func(*ci.Plan, ci.ReleaseLine) (ci.ReleaseLine, bool)) plans.Content {
	return plans.Move(func(_ context.Context, s plans.State) ([]ci.ReleaseLine, error) {
		for _, p := range s.Plans {
			if p.Flag != key {
				continue
			}
			l, ok := s.Lines[p.Key()]
			if !ok {
				l = ci.NewReleaseLine(p)
			}
			if l, ok = move(p, l); ok {
				return []ci.ReleaseLine{l}, nil
			}
		}
		return nil, nil
	})
}

// TestAudit holds that a robot's revision has the bytes that its files and the published
// releases.lock give.
func TestAudit(t *testing.T) {
	r := newRepository(t)
	r.publish(t, plans.FromFiles(load(t, nil), production, nil))
	for _, move := range []plans.Content{step("one", "robot"), step("two", "robot"), step("one", "robot"),
		back("two", "robot")} {
		r.publish(t, move)
		p, s := r.read(t)
		again := load(t, map[string]string{ci.ReleasesFile: string(p.Files[ci.ReleasesFile])})
		payloads, err := again.Compile(production)
		if err != nil {
			t.Fatal(err)
		}
		for _, payload := range payloads {
			data, _, err := bundle.EncodePayload(payload)
			if err != nil {
				t.Fatal(err)
			}
			if string(data) != string(p.Payloads[payload.Namespace]) {
				t.Errorf("%s has other bytes than its files, with\n%s", payload.Namespace, s.Lines.Format())
			}
		}
	}
	if one, two := r.share(t, "one"), r.share(t, "two"); one != "5%" || two != "0%" {
		t.Errorf("the shares are %s and %s", one, two)
	}
	if report := r.publish(t, plans.FromFiles(load(t, nil), production, nil)); report.Revision != report.Previous {
		t.Errorf("publishing the files again made revision %d: %+v", report.Revision, report)
	}
}

// TestNewerLineCounts holds that a publication from files keeps the newer line of each plan.
func TestNewerLineCounts(t *testing.T) {
	r := newRepository(t)
	r.publish(t, plans.FromFiles(load(t, nil), production, nil))
	r.publish(t, step("one", "robot"))
	_, s := r.read(t)
	old := string(s.Lines.Format())
	r.publish(t, step("one", "robot"))
	r.publish(t, back("one", "robot"))

	// A branch that is behind, at 1%.
	var notes []string
	r.publish(t, plans.FromFiles(load(t, map[string]string{ci.ReleasesFile: old}), production,
		func(s string) { notes = append(notes, s) }))
	if got := r.share(t, "one"); got != "0%" {
		t.Errorf("an older line brought back %s", got)
	}
	if len(notes) != 1 || !strings.Contains(notes[0], `state=back why="errors"`) {
		t.Errorf("the notes are %q", notes)
	}
	// A person has resumed it in a pull request, so that the line of the files is newer.
	_, s = r.read(t)
	for k, l := range s.Lines {
		s.Lines[k] = l.Resume(s.Plans[0], time.Now(), time.Now(), "ann").Clear(s.Plans[0], 1, time.Now(), "ann")
	}
	notes = nil
	r.publish(t, plans.FromFiles(load(t, map[string]string{ci.ReleasesFile: string(s.Lines.Format())}), production,
		func(s string) { notes = append(notes, s) }))
	if got := r.share(t, "one"); got != "1%" || len(notes) > 0 {
		t.Errorf("the newer line of the files gives %s, with the notes %q", got, notes)
	}
	// Steps that are cleared can't be edited, later ones can.
	r.publish(t, plans.FromFiles(load(t, map[string]string{"shop/one.yaml": plan("1%", "6%", "70%", "90%")}),
		production, nil))
	_, err := release.Publish(t.Context(),
		r.options(plans.FromFiles(load(t, map[string]string{"shop/one.yaml": plan("2%", "6%")}), production, nil)))
	if err == nil || !strings.Contains(err.Error(), "serin release replan one --env production") {
		t.Errorf("after a cleared step was edited: %v", err)
	}
	// A plan that is removed takes its line with it.
	r.publish(t, plans.FromFiles(load(t, map[string]string{"shop/one.yaml": "type: boolean\ndefault: off\n"}),
		production, nil))
	if _, s := r.read(t); len(s.Lines) != 0 || len(s.Plans) != 1 {
		t.Errorf("the plan is gone, but the state is %+v", s)
	}
}

// TestRestore goes back to revisions whose plans have moved on since.
func TestRestore(t *testing.T) {
	for _, c := range []struct {
		name   string
		moves  []plans.Content
		edit   map[string]string
		force  bool
		want   string // share
		held   bool
		became string // what the plan is in the end
	}{
		{name: "it has advanced", moves: []plans.Content{step("one", "robot")}, want: "50%"},
		{name: "it was rolled back", moves: []plans.Content{back("one", "robot")}, want: "0%"},
		{name: "it was rolled back, and is forced", moves: []plans.Content{back("one", "robot")}, force: true, want: "5%", held: true},
		{name: "another plan at a higher share", edit: map[string]string{"shop/one.yaml": plan("30%")}, moves: []plans.Content{step("one", "robot")}, want: "5%", held: true},
		{name: "another plan at a lower share", edit: map[string]string{"shop/one.yaml": plan("3%")}, moves: []plans.Content{step("one", "robot")}, want: "1%", held: true},
		{name: "no plan any more", edit: map[string]string{"shop/one.yaml": "type: boolean\ndefault: off\n"}, want: "5%", held: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRepository(t)
			r.publish(t, plans.FromFiles(load(t, nil), production, nil))
			r.publish(t, step("one", "robot"))
			to := r.publish(t, step("one", "robot")).Revision
			before, _ := r.read(t)
			if c.edit != nil {
				// Remove the plan first, so that the new one begins anew.
				r.publish(t, plans.FromFiles(load(t,
					map[string]string{"shop/one.yaml": "type: boolean\ndefault: off\n"}), production, nil))
				r.publish(t, plans.FromFiles(load(t, c.edit), production, nil))
			}
			for _, move := range c.moves {
				r.publish(t, move)
			}
			opts := r.options(plans.Restore(plans.Restoration{Force: c.force, By: "ann", Now: time.Now()}))
			opts.Rollback = to
			if _, err := release.Publish(t.Context(), opts); err != nil {
				t.Fatal(err)
			}
			if got := r.share(t, "one"); got != c.want {
				t.Errorf("the share is %s, not %s", got, c.want)
			}
			after, s := r.read(t)
			line := s.Lines[s.Plans[0].Key()]
			if held := line.State == "held"; held != c.held {
				t.Errorf("the line is %v", line)
			}
			if string(after.Files["releases.json"]) != string(before.Files["releases.json"]) {
				t.Error("the plans aren't those of the revision")
			}
			if err := s.Plans[0].Fits(line); err != nil {
				t.Errorf("the line doesn't fit the plan: %v", err)
			}
		})
	}
}

// TestRestoreApproval holds that a rollback doesn't bring an approval back that was used up or
// withdrawn since.
func TestRestoreApproval(t *testing.T) {
	r := newRepository(t)
	r.publish(t, plans.FromFiles(load(t, nil), production, nil))
	r.publish(t, step("one", "robot"))
	to := r.publish(t, moving("one", func(_ *ci.Plan, l ci.ReleaseLine) (ci.ReleaseLine, bool) {
		return l.Approve(500_000_000, time.Now(), "ann"), true
	})).Revision
	r.publish(t, back("one", "robot"))
	r.publish(t, moving("one", func(p *ci.Plan, l ci.ReleaseLine) (ci.ReleaseLine, bool) {
		return l.Resume(p, time.Now(), time.Now(), "ann"), true
	}))
	opts := r.options(plans.Restore(plans.Restoration{Force: true, By: "ann", Now: time.Now()}))
	opts.Rollback = to
	if _, err := release.Publish(t.Context(), opts); err != nil {
		t.Fatal(err)
	}
	_, s := r.read(t)
	if line := s.Lines[s.Plans[0].Key()]; line.Approved != 0 || line.State != "held" {
		t.Errorf("the line is %v", line)
	}
}

// TestPublishersAtOnce has two robots and a person publish at the same time, and holds that
// each revision is consistent: clients have the share of the line, and counts only grow.
func TestPublishersAtOnce(t *testing.T) {
	r := newRepository(t)
	estates := []*ci.Estate{load(t, nil), load(t, map[string]string{"beside/y.yaml": "type: boolean\ndefault: on\n"})}
	r.publish(t, plans.FromFiles(estates[0], production, nil))
	random := rand.New(rand.NewPCG(1, 2))
	counts := make(map[string]int64)
	moved := 0
	for round := range rounds {
		contents := []plans.Content{
			step("one", "robot a"), step("one", "robot b"), plans.FromFiles(estates[round%2], production, nil),
		}
		if random.IntN(4) == 0 {
			contents[1] = back("one", "robot b")
		}
		random.Shuffle(len(contents), func(i, j int) { contents[i], contents[j] = contents[j], contents[i] })
		var wg sync.WaitGroup
		for _, c := range contents {
			wg.Go(func() {
				if _, err := release.Publish(context.WithoutCancel(t.Context()), r.options(c)); err != nil &&
					!errors.Is(err, plans.ErrNothing) {
					t.Errorf("round %d: %v", round, err)
				}
			})
		}
		wg.Wait()
		moved += r.checkConsistent(t, counts)
		if _, s := r.read(t); s.Lines[s.Plans[0].Key()].State == "back" {
			r.publish(t, moving("one", func(p *ci.Plan, l ci.ReleaseLine) (ci.ReleaseLine, bool) {
				return l.Resume(p, time.Now(), time.Now(), "ann"), true
			}))
		}
	}
	if moved < rounds {
		t.Errorf("plans moved %d times in %d rounds", moved, rounds)
	}
}

// rounds is how often publishers meet in tests.
var rounds = soak.Times(60, 200)

// checkConsistent holds that clients have the shares of the lines, and that no count is lower
// than before. It returns by how much counts have grown.
func (r *repository) checkConsistent(t testing.TB, counts map[string]int64) (grown int) {
	t.Helper()
	_, s := r.read(t)
	for _, p := range s.Plans {
		line := s.Lines[p.Key()]
		if got, want := r.share(t, p.Flag), line.Share.String(); got != want {
			t.Errorf("clients have %s of %s, and its line is %v", got, p.Flag, line)
		}
		if line.Count < counts[p.Flag] {
			t.Errorf("the count of %s falls from %d to %d", p.Flag, counts[p.Flag], line.Count)
		}
		if line.Count > 0 && p.Fits(line) != nil {
			t.Errorf("the line %v doesn't fit", line)
		}
		grown += int(line.Count - counts[p.Flag])
		counts[p.Flag] = line.Count
	}
	return grown
}

// A dying store fails for good after some puts, as if the process was killed.
type dying struct {
	release.Store
	left int
}

var errKilled = errors.New("killed")

func (d *dying) Put(ctx context.Context, name string, data []byte, opts release.PutOptions) error {
	if d.left--; d.left < 0 {
		return errKilled
	}
	return d.Store.Put(ctx, name, data, opts)
}

// TestKilled kills robots at random points, and holds that what is published stays consistent,
// and that nobody ever gets a share beyond the step that the robot was about to clear.
func TestKilled(t *testing.T) {
	r := newRepository(t)
	r.publish(t, plans.FromFiles(load(t, nil), production, nil))
	random := rand.New(rand.NewPCG(3, 4))
	counts := make(map[string]int64)
	killed, done := 0, 0
	for range 100 {
		_, before := r.read(t)
		line := before.Lines[before.Plans[0].Key()]
		next := ci.ReleaseLine{Share: line.Share}
		if n, _ := before.Plans[0].Cleared(line.Share); n < len(before.Plans[0].Steps) {
			next.Share = before.Plans[0].Steps[n].To
		}
		opts := r.options(step("one", "robot"))
		opts.Store = &dying{r.store, random.IntN(14)}
		_, err := release.Publish(t.Context(), opts)
		switch {
		case errors.Is(err, errKilled):
			killed++
		case errors.Is(err, plans.ErrNothing):
			r.publish(t, back("one", "robot"))
			r.publish(t, moving("one", func(p *ci.Plan, l ci.ReleaseLine) (ci.ReleaseLine, bool) {
				return l.Resume(p, time.Now(), time.Now(), "ann"), true
			}))
			next.Share = 0
		case err != nil:
			t.Fatal(err)
		default:
			done++
		}
		r.checkConsistent(t, counts)
		_, after := r.read(t)
		if got := after.Lines[after.Plans[0].Key()].Share; got > next.Share {
			t.Fatalf("the share is %v, beyond the next step, %v", got, next.Share)
		}
	}
	if killed < 30 || done < 10 {
		t.Errorf("of 100 robots, %d were killed and %d got through", killed, done)
	}
}

// TestMoveRefuses holds what a move can't do.
func TestMoveRefuses(t *testing.T) {
	r := newRepository(t)
	r.publish(t, plans.FromFiles(load(t, nil), production, nil))
	r.publish(t, step("one", "robot"))
	_, s := r.read(t)
	p := s.Plans[0]
	line := s.Lines[p.Key()]
	unknown := line.Hold("", time.Now(), "robot")
	unknown.Flag = "gone"
	unreadable := line.Resume(p, time.Now(), time.Now(), "ann")
	unreadable.Start = time.Date(10_000, 1, 1, 0, 0, 0, 0, time.UTC)
	beyond := line.Clear(p, 2, time.Now(), "robot")
	beyond.Share = 70_000_000
	for _, c := range []struct {
		line ci.ReleaseLine
		want string
	}{
		{line, "has moved in the meantime"},
		{unknown, `flag "gone" has no published plan`},
		{unreadable, "releases.lock couldn't be read again: line 4: start=: it is not a time such as 2026-12-01T10:00:00Z"},
		{beyond, "no step of the plan reaches 7%"},
	} {
		_, err := release.Publish(t.Context(),
			r.options(plans.Move(func(context.Context, plans.State) ([]ci.ReleaseLine, error) {
				return []ci.ReleaseLine{c.line}, nil
			})))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: error %v, want %q", c.line, err, c.want)
		}
	}
	if len(s.Lines) != 1 {
		t.Errorf("the lines are %v", s.Lines)
	}
}

// TestSameCount holds that if two have moved a plan from the same line, in a pull request and in
// what is published, the more cautious line counts, and gets a count of its own.
func TestSameCount(t *testing.T) {
	at := time.Date(2026, 12, 7, 9, 0, 0, 0, time.UTC)
	p := load(t, nil).Plans(production)[0]
	base := ci.NewReleaseLine(p).Clear(p, 1, at, "robot").Clear(p, 2, at, "robot")
	for _, c := range []struct {
		name             string
		files, published ci.ReleaseLine
		want             ci.ReleaseLine
		note             bool
	}{
		{"approved, and rolled back", base.Approve(500_000_000, at, "ann"), base.RollBack(p, 0, "errors", at, "robot"), base.RollBack(p, 0, "errors", at, "robot"), true},
		{"held, and advanced", base.Hold("holidays", at, "ann"), base.Clear(p, 3, at, "robot"), base.Hold("holidays", at, "ann"), true},
		{"rolled back, and held", base.RollBack(p, 0, "fails", at, "ann"), base.Hold("errors", at, "robot"), base.RollBack(p, 0, "fails", at, "ann"), true},
		{"two steps", base.Clear(p, 3, at, "ann"), base.RollBack(p, 1, "errors", at, "robot"), base.RollBack(p, 1, "errors", at, "robot"), true},
		{"approved, and noted that nothing can be measured", base.Approve(500_000_000, at, "ann"), base.See(at, at, "robot"), base.Approve(500_000_000, at, "ann"), true},
		{"the same", base.Hold("holidays", at, "ann"), base.Hold("holidays", at, "ann"), base.Hold("holidays", at, "ann"), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRepository(t)
			lock := func(l ci.ReleaseLine) map[string]string {
				return map[string]string{ci.ReleasesFile: string(ci.ReleaseLines{l.Key(): l}.Format())}
			}
			r.publish(t, plans.FromFiles(load(t, lock(c.published)), production, nil))
			var notes []string
			files := plans.FromFiles(load(t, lock(c.files)), production, func(s string) { notes = append(notes, s) })
			r.publish(t, files)
			if c.note {
				c.want.Count++
			}
			_, s := r.read(t)
			if got := s.Lines[p.Key()]; got.String() != c.want.String() {
				t.Errorf("the line is\n%v, not\n%v", got, c.want)
			}
			if (len(notes) > 0) != c.note {
				t.Errorf("the notes are %q", notes)
			}
			if report := r.publish(t, files); report.Revision != report.Previous {
				t.Errorf("publishing the files again made revision %d", report.Revision)
			}
		})
	}
}

// TestPlanGone holds that whoever publishes files without a plan hears of its published line.
func TestPlanGone(t *testing.T) {
	r := newRepository(t)
	r.publish(t, plans.FromFiles(load(t, nil), production, nil))
	r.publish(t, step("one", "robot"))
	r.publish(t, back("one", "robot"))
	var notes []string
	clock := strings.Replace(flagFiles["guards/slo.yaml"], "[production]", "[staging]", 1)
	r.publish(t, plans.FromFiles(load(t, map[string]string{"guards/slo.yaml": clock}), production,
		func(s string) { notes = append(notes, s) }))
	want := `flag "one": no guard advances it in environment production any more, so its published line doesn't count: ` +
		`one production ramp plan=`
	if len(notes) != 1 || !strings.HasPrefix(notes[0], want) || !strings.Contains(notes[0], `state=back why="errors"`) {
		t.Errorf("the notes are %q", notes)
	}
	// Nobody misses the line of a plan that is finished.
	r.publish(t, plans.FromFiles(load(t, nil), production, nil))
	r.publish(t, step("one", "robot"))
	r.publish(t, moving("one",
		func(_ *ci.Plan, l ci.ReleaseLine) (ci.ReleaseLine, bool) { return l.Finish(time.Now(), "robot"), true }))
	notes = nil
	r.publish(t, plans.FromFiles(load(t, map[string]string{"guards/slo.yaml": clock}), production,
		func(s string) { notes = append(notes, s) }))
	if len(notes) != 0 {
		t.Errorf("of a finished plan the notes are %q", notes)
	}
}
