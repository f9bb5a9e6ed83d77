package bundle

import (
	"bytes"
	"errors"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/serin-flags/serin/internal/soak"
)

// accepted is the class of no error.
const accepted Class = 0

// A step is something that happens to a repository, and what an update makes
// of it.
type step struct {
	do   func(r *repo) // nil: nothing
	want Class
	have string // the versions that the client has then: root, timestamp, snapshot, targets
}

// A scenario is a story of a repository and one client. Its steps run with a
// client that keeps its release in memory, and with one that restarts between
// steps and has it from its state, and the rest from what the verifier had seen.
type scenario struct {
	name   string
	config func(*VerifierConfig)
	steps  []step
}

func runScenarios(t *testing.T, scenarios []scenario) {
	for _, s := range scenarios {
		for _, client := range []string{"memory", "restarts"} {
			t.Run(s.name+"/"+client, func(t *testing.T) {
				t.Parallel()
				r := newRepo()
				s.run(t, r, r, client == "restarts")
			})
		}
	}
}

// runEverywhere runs scenarios as runScenarios does, and each through one of Doors, in a
// soak through all.
func runEverywhere(t *testing.T, scenarios []scenario) {
	runScenarios(t, scenarios)
	for d, name := range slices.Sorted(maps.Keys(Doors)) {
		source := Doors[name](t)
		for i, s := range scenarios {
			if (i+d)%soak.Times(len(Doors), 1) != 0 {
				continue
			}
			t.Run(s.name+"/"+name, func(t *testing.T) {
				t.Parallel()
				r := newRepo()
				s.run(t, r, source(t, func() map[string][]byte { return r.objects }), false)
			})
		}
	}
}

// throughEach runs a test with repositories that are read directly, and through each
// of Doors.
func throughEach(t *testing.T, f func(t *testing.T, open func(*repo) Source)) {
	t.Run("direct", func(t *testing.T) { f(t, func(r *repo) Source { return r }) })
	for name, door := range Doors {
		t.Run(name, func(t *testing.T) {
			source := door(t)
			f(t, func(r *repo) Source { return source(t, func() map[string][]byte { return r.objects }) })
		})
	}
}

// Objects returns what a repository holds by now, by name.
type Objects func() map[string][]byte

// Doors are ways to a repository that scenarios take beside the direct one, by name:
// a door starts a server for a test, and what it returns opens a repository there.
// They are set before any test runs.
var Doors map[string]func(testing.TB) func(testing.TB, Objects) Source

func (s scenario) run(t *testing.T, r *repo, src Source, restarts bool) {
	var config []func(*VerifierConfig)
	if s.config != nil {
		config = append(config, s.config)
	}
	v := r.verifier(t, config...)
	var last *Release
	for i, step := range s.steps {
		if step.do != nil {
			step.do(r)
		}
		if restarts && i > 0 {
			v, last = restarted(t, r.verifier(t, config...), v, last)
		}
		before := stateOf(t, last)
		next, err := v.Update(t.Context(), src, last, r.now)
		checkClass(t, err, step.want)
		if t.Failed() {
			t.Fatalf("in step %d", i)
		}
		if err == nil {
			last = next
		} else if next != nil || !bytes.Equal(stateOf(t, last), before) {
			t.Fatalf("step %d: the error %v changed something", i, err)
		}
		if got := versions(last); got != step.have {
			t.Fatalf("step %d: versions %s, want %s", i, got, step.have)
		}
	}
}

// restarted takes what the verifier old has, and its release last, which may be nil, to
// the verifier v, as a restart does.
func restarted(t testing.TB, v, old *Verifier, last *Release) (*Verifier, *Release) {
	t.Helper()
	seen, err := old.Seen(last)
	if err != nil {
		t.Fatalf("Seen: %v", err)
	}
	if last != nil {
		last = restored(t, v, last)
	}
	if seen != nil {
		if err := v.Remember(seen); err != nil {
			t.Fatalf("Remember: %v", err)
		}
	}
	return v, last
}

func stateOf(t testing.TB, r *Release) []byte {
	t.Helper()
	if r == nil {
		return nil
	}
	state, err := r.State()
	if err != nil {
		t.Fatalf("State: %v", err)
	}
	return state
}

// checkClass checks that err is an Error of class want, or nil for accepted.
func checkClass(t testing.TB, err error, want Class) {
	t.Helper()
	if want == accepted {
		if err != nil {
			t.Errorf("refused: %v", err)
		}
		return
	}
	var e *Error
	if !errors.As(err, &e) {
		t.Errorf("error is %v, want class %s", err, want)
		return
	}
	if e.Class != want {
		t.Errorf("class is %s, want %s: %v", e.Class, want, err)
	}
	if e.Object == "" || e.Err == nil {
		t.Errorf("incomplete: %#v", e)
	}
}

// Shorthands for steps.

// first is the step that most scenarios begin with.
var first = step{nil, accepted, "1 1 1 1"}

func bumpFrom(role string) func(*repo) { return func(r *repo) { r.bumpFrom(role) } }

func release(r *repo) { r.release() }

// set forges role with a field of its signed part set.
func set(role, key string, value any) func(*repo) {
	return func(r *repo) { r.forge(role, func(signed object) { signed[key] = value }) }
}

// without forges role with a field of its signed part removed.
func without(role, key string) func(*repo) {
	return func(r *repo) { r.forge(role, func(signed object) { delete(signed, key) }) }
}

// expire forges role with metadata that expired a second ago.
func expire(role string) func(*repo) { return set(role, "expires", in(-time.Second)) }

// rewrite publishes the next version of role and replaces old by new in its text, so
// that its signatures may not hold any more.
func rewrite(role, old, new string) func(*repo) {
	return func(r *repo) {
		r.bumpFrom(role)
		r.edit(r.name(role), old, new)
	}
}

// signedBy publishes the next version of role, signed by keys.
func signedBy(role string, keys ...testKey) func(*repo) {
	return func(r *repo) {
		signers := r.signers[role]
		r.signers[role] = keys
		r.bump(role)
		r.signers[role] = signers
		switch role {
		case roleRoot, roleSnapshot:
			r.bump(roleTimestamp)
		case roleTargets:
			r.bump(roleSnapshot, roleTimestamp)
		}
	}
}

// do does several things.
func do(all ...func(*repo)) func(*repo) {
	return func(r *repo) {
		for _, f := range all {
			f(r)
		}
	}
}
