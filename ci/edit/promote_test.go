package edit_test

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/serin-flags/serin/ci"
	"github.com/serin-flags/serin/ci/edit"
	"github.com/serin-flags/serin/internal/soak"
)

// promoted returns the folder after a promotion.
func promoted(t testing.TB, fsys fstest.MapFS, key, source, target string) (fstest.MapFS, *edit.Promotion, error) {
	t.Helper()
	p, err := edit.Promote(fsys, "flags", key, source, target)
	if err != nil {
		return nil, nil, err
	}
	out := make(fstest.MapFS, len(fsys))
	for name, f := range fsys {
		out[name] = f
	}
	for _, c := range p.Changes {
		out[strings.TrimPrefix(c.Path, "flags/")] = &fstest.MapFile{Data: c.After}
	}
	if p.Lock != nil {
		out[ci.LockFile] = &fstest.MapFile{Data: p.Lock.After}
	}
	return out, p, nil
}

// guarded reports whether a guard moves the flag in an environment.
func guarded(e *ci.Estate, key, env string) bool {
	for _, p := range e.Plans(env) {
		if p.Flag == key {
			return true
		}
	}
	return false
}

// TestPromote holds that a promoted flag is the same in both environments, that it stays as it
// was in all others, that no other flag changes, and that promoting it again changes nothing.
func TestPromote(t *testing.T) {
	done := 0
	for name, plain := range estates(t) {
		for style, write := range styles {
			fsys := restyle(plain, write)
			// Tests name rules of environments, and promotions that remove those are refused.
			maps.DeleteFunc(fsys, func(file string, _ *fstest.MapFile) bool { return strings.Contains(file, ".test.") })
			old, err := ci.LoadFS(fsys, "flags")
			if err != nil {
				t.Fatal(err)
			}
			envs, keys := old.Environments(), old.Keys()
			if len(envs) < 2 {
				continue
			}
			for range soak.Times(2, 1000) {
				order := rand.Perm(len(envs))
				key, source, target := keys[rand.IntN(len(keys))], envs[order[0]], envs[order[1]]
				what := fmt.Sprintf("%s, %s: %s from %s to %s", name, style, key, source, target)
				files, p, err := promoted(t, fsys, key, source, target)
				if broken := (*edit.BrokenError)(nil); errors.As(err, &broken) && guarded(old, key, target) {
					continue // a release that is under way
				}
				if err != nil {
					t.Fatalf("%s: %v: %v", what, err, errors.Unwrap(err))
				}
				done++
				comparePromoted(t, what, old, p, key, source, target)
				if _, again, err := promoted(t, files, key, source, target); err != nil || len(again.Changes) > 0 {
					t.Errorf("%s: again: %v, %v", what, again, err)
				}
			}
		}
	}
	if done < 20 {
		t.Errorf("only %d promotions", done)
	}
}

func comparePromoted(t *testing.T, what string, old *ci.Estate, p *edit.Promotion, key, source, target string) {
	t.Helper()
	effective := func(e *ci.Estate, key, env string) any {
		f, err := e.Effective(key, env)
		if err != nil {
			t.Fatal(err)
		}
		return f.Compiled
	}
	if a, b := effective(p.New, key, source), effective(p.New, key, target); !reflect.DeepEqual(a, b) &&
		!guarded(p.New, key, source) && !guarded(p.New, key, target) {
		t.Errorf("%s: it is\n%+v\nand\n%+v", what, a, b)
	}
	for _, k := range old.Keys() {
		for _, env := range append([]string{""}, old.Environments()...) {
			if k == key && env == target {
				continue
			}
			if !reflect.DeepEqual(effective(old, k, env), effective(p.New, k, env)) {
				t.Errorf("%s: %s changed in %q", what, k, env)
			}
		}
	}
}

// TestPromoteLock holds that after any history of shares, a promotion gives everybody in the
// target what they have in the source.
func TestPromoteLock(t *testing.T) {
	const rules = "\n    rules:\n      - {name: half, serve: {on: 50%, off: 50%}}\n      - {name: part, by: device, serve: {on: 10%, off: 90%}}\n"
	for range soak.Times(10, 10_000) {
		fsys := fstest.MapFS{
			"serin.yaml": {Data: []byte("environments: [production, staging]\n")},
			"context.yaml": {Data: []byte(
				"attributes:\n  user: {type: string, unit: true}\n  device: {type: string, unit: true}\n")},
			"shop/x.yaml": {Data: []byte("type: boolean\ndefault: off\nenvironments:\n  staging:" + rules +
				"  production:" + rules)},
		}
		update, err := ci.LockFS(fsys, "flags", nil)
		if err != nil {
			t.Fatal(err)
		}
		fsys[ci.LockFile] = &fstest.MapFile{Data: update.After}
		for range 4 {
			text := fmt.Sprintf("share x %s on=%d%% in %s", []string{"half", "part"}[rand.IntN(2)], rand.IntN(101),
				[]string{"staging", "production"}[rand.IntN(2)])
			if fsys, _, err = apply(t, fsys, text); err != nil {
				t.Fatalf("%s: %v", text, err)
			}
		}
		old, err := ci.LoadFS(fsys, "flags")
		if err != nil {
			t.Fatal(err)
		}
		files, p, err := promoted(t, fsys, "x", "staging", "production")
		if err != nil {
			t.Fatal(err)
		}
		comparePromoted(t, "x", old, p, "x", "staging", "production")
		if _, err := ci.LoadFS(files, "flags"); err != nil {
			t.Errorf("what was written isn't valid: %v", err)
		}
	}
}

// TestPromoteStyle holds what is written, and what is reported.
func TestPromoteStyle(t *testing.T) {
	fsys := fstest.MapFS{
		"serin.yaml":            {Data: []byte("environments: [production, staging, development]\n")},
		"context.yaml":          {Data: []byte("attributes:\n  user: {type: string, unit: true}\n")},
		"segments/testers.yaml": {Data: []byte("include: [u-1]\n")},
		"shop/basis.yaml": {Data: []byte(
			"type: boolean\ndefault: off\nenvironments: {staging: {default: on}}\n")},
		"shop/same.yaml": {Data: []byte("type: boolean\ndefault: off\n")},
		"shop/x.yaml": {Data: []byte(`# The cart.
type: boolean
default: off   # for now
environments:
    production:
        # not yet
        default: "off"   # stays
        enabled: false
    staging:
        # why not
        default: off
        rules:
            # first the people
            - name: testers   # all of them
              when: {user: {segment: testers}, flag: {basis: on, same: off}}
              serve: on
            - {name: half, serve: {on: 50%, off: rest}}
`)},
	}
	files, p, err := promoted(t, fsys, "x", "staging", "production")
	if err != nil {
		t.Fatal(err)
	}
	const want = `# The cart.
type: boolean
default: off   # for now
environments:
    production:
        # not yet
        default: "off"   # stays
        rules:
            # first the people
            - name: testers   # all of them
              when: {user: {segment: testers}, flag: {basis: on, same: off}}
              serve: on
            - {name: half, serve: {on: 50%, off: rest}}
    staging:
        # why not
        default: off
        rules:
            # first the people
            - name: testers   # all of them
              when: {user: {segment: testers}, flag: {basis: on, same: off}}
              serve: on
            - {name: half, serve: {on: 50%, off: rest}}
`
	if got := string(files["shop/x.yaml"].Data); got != want {
		t.Errorf("got\n%s", got)
	}
	if !reflect.DeepEqual(p.Prerequisites, []string{"basis"}) || !reflect.DeepEqual(p.Segments, []string{"testers"}) {
		t.Errorf("%q, %q", p.Prerequisites, p.Segments)
	}
	// Back to what the flag itself says, and to an environment that says nothing yet.
	files, _, err = promoted(t, files, "x", "development", "staging")
	if err != nil {
		t.Fatal(err)
	}
	if got := string(files["shop/x.yaml"].Data); strings.Contains(got, "staging") {
		t.Errorf("got\n%s", got)
	}
	files, _, err = promoted(t, files, "x", "production", "development")
	if err != nil {
		t.Fatal(err)
	}
	got := string(files["shop/x.yaml"].Data)
	_, added, _ := strings.Cut(got, "    development:\n")
	if !strings.HasPrefix(added,
		"        # not yet\n        default: \"off\"   # stays\n        rules:\n            # first the people\n") {
		t.Errorf("got\n%s", got)
	}
	for _, c := range [][3]string{
		{"y", "staging", "production"}, {"x", "moon", "production"}, {"x", "staging", "staging"}, {"x", "", "staging"},
	} {
		if _, err := edit.Promote(fsys, "flags", c[0], c[1], c[2]); err == nil {
			t.Errorf("%q isn't refused", c)
		}
	}
}

// TestPromoteGuarded holds what is said of guarded ramps, whose progress stays where it is.
func TestPromoteGuarded(t *testing.T) {
	const ramp = "{ramp: on, steps: [{to: 1%}, {to: 5%, after: 4h}, {to: 100%, after: 24h}], start: 2026-11-01T10:00, guard: slo}"
	files := func(guarded, releases string) fstest.MapFS {
		fsys := fstest.MapFS{
			"serin.yaml":   {Data: []byte("environments: [production, staging]\n")},
			"context.yaml": {Data: []byte("attributes:\n  user: {type: string, unit: true}\n")},
			"guards/slo.yaml": {Data: []byte("environments: [" + guarded +
				"]\nmetrics: [{name: smoke, command: {run: [./smoke.sh]}}]\n")},
			"shop/x.yaml": {Data: []byte(
				"type: boolean\ndefault: off\nenvironments:\n  staging:\n    rules:\n      - {name: new, serve: " +
					ramp + "}\n" +
					"  production:\n    rules:\n      - {name: new, serve: " +
					strings.Replace(ramp, "5%", "7%", 1) + "}\n")},
		}
		if releases != "" {
			fsys[ci.ReleasesFile] = &fstest.MapFile{Data: []byte(releases)}
		}
		return fsys
	}
	// The line of a plan that has cleared its first two steps, as its hash has them.
	old, err := ci.LoadFS(files("production, staging", ""), "flags")
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 11, 2, 10, 0, 0, 0, time.UTC)
	line := func(step int) string {
		plan := old.Plans("production")[0]
		cleared := ci.NewReleaseLine(plan).Replan(plan, step, at, "robot")
		return string(ci.ReleaseLines{cleared.Key(): cleared}.Format())
	}
	for _, c := range []struct{ guarded, releases, want string }{
		{"production, staging", "", "in production it starts from nothing, however far it has got in staging"},
		{"staging", "", "its guard doesn't count in production: there it follows the clock"},
		{"production, staging", line(1), "goes on in production from where it has got there"},
		{"production, staging", line(2), "serin release replan x --env production"},
	} {
		_, p, err := promoted(t, files(c.guarded, c.releases), "x", "staging", "production")
		var got string
		if err != nil {
			got = fmt.Sprint(errors.Unwrap(err))
		} else {
			got = strings.Join(p.Notes, "\n")
		}
		if !strings.Contains(got, c.want) {
			t.Errorf("guarded in %s, releases.lock %q: got %s, want %s", c.guarded, c.releases, got, c.want)
		}
	}
}
