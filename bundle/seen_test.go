package bundle

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
)

// A testClient polls a source, and may be restarted in between.
type testClient struct {
	poll    func() error
	restart func()
}

// Clients are what [TestSeen] tries beside verifiers, by name: each starts a client of
// src that pins root. They are set before any test runs.
var Clients map[string]func(t testing.TB, root []byte, src Source) (poll func() error, restart func())

// startVerifier starts a client that is nothing but a verifier.
func startVerifier(t testing.TB, root []byte, src Source) (poll func() error, restart func()) {
	fresh := func() *Verifier {
		v, err := NewVerifier(VerifierConfig{Root: root})
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	v := fresh()
	var last *Release
	poll = func() error {
		next, err := v.Update(t.Context(), src, last, testNow)
		if err == nil {
			last = next
		}
		return err
	}
	return poll, func() { v, last = restarted(t, fresh(), v, last) }
}

// A theft is what somebody serves after an update has failed: something older than what
// the client has seen by then.
type theft struct {
	role string // what is older
	// from is the object whose failure leaves the role unseen, if it is not a later one.
	from  int
	serve func() *repo
	want  Class // if the client has seen the newer one
}

// lasting returns newRepo with metadata that doesn't expire while tests run.
func lasting() *repo {
	r := newRepo()
	for _, role := range []string{roleRoot, roleTargets, roleSnapshot, roleTimestamp} {
		r.signed[role]["expires"] = "2199-01-01T00:00:00Z"
		r.publish(role)
	}
	return r
}

// thefts are by objects of an update in the order in which they are asked for: 0 is
// 2.root.json, 1 timestamp.json, 2 the snapshot, 3 targets, 4 a payload.
var thefts = []theft{
	{roleRoot, 0, func() *repo { // 2.root.json is hidden, and the old key, which it revokes, signs new flags
		r := lasting()
		r.release()
		r.release()
		return r
	}, Signature},
	{roleTimestamp, 1, lasting, Rollback},
	{roleSnapshot, 1, func() *repo {
		r := lasting()
		r.bump(roleRoot, roleTimestamp, roleTimestamp)
		return r
	}, Rollback},
	{roleTargets, 2, func() *repo {
		r := lasting()
		r.bump(roleRoot, roleSnapshot, roleSnapshot, roleTimestamp, roleTimestamp)
		return r
	}, Rollback},
}

// TestSeen has an update fail at each object, and then somebody serve what is older than
// what was verified until then: whatever kind of client it is, it refuses that exactly
// if it had seen the newer one, and carries on when the repository is whole again.
func TestSeen(t *testing.T) {
	faults := map[string]func(Object, error) (Object, error){
		"unreachable": func(Object, error) (Object, error) { return Object{}, errors.New("503") },
		"garbled":     func(o Object, _ error) (Object, error) { return Object{Data: o.Data[:len(o.Data)/2]}, nil },
	}
	clients := map[string]func(testing.TB, []byte, Source) (func() error, func()){"verifier": startVerifier}
	for name, start := range Clients {
		clients[name] = start
	}
	for name, start := range clients {
		for _, theft := range thefts {
			for failing := range 5 {
				for fault := range faults {
					if name != "verifier" && fault == "garbled" {
						continue // the others have a verifier
					}
					for variant := range 4 {
						cold, restarts := variant&1 != 0, variant&2 != 0
						t.Run(fmt.Sprintf("%s/older %s/%d is %s/cold=%t/restarts=%t", name, theft.role, failing,
							fault, cold,
							restarts), func(t *testing.T) {
							t.Parallel()
							r := lasting()
							poll, restart := start(t, r.objects["1.root.json"], r)
							c := testClient{poll, restart}
							if !restarts {
								c.restart = func() {}
							}
							theft.run(t, r, c, failing, faults[fault], cold)
						})
					}
				}
			}
		}
	}
}

func (f theft) run(
	t *testing.T, r *repo, c testClient, failing int, fault func(Object, error) (Object, error), cold bool,
) {
	if !cold {
		checkClass(t, c.poll(), accepted)
	}
	if f.role == roleRoot {
		for _, role := range []string{roleTargets, roleSnapshot, roleTimestamp} {
			r.rotate(role, ed(11))
		}
	}
	r.bump(roleRoot)
	r.release()
	objects := []string{"2.root.json", "timestamp.json", "2.snapshot.json", "2.targets.json", r.payloadName("checkout")}
	object := objects[failing]
	r.faults[object] = fault
	r.requests()
	if err := c.poll(); err == nil {
		t.Fatal("the update doesn't fail")
	}
	// A client that has flags asks for timestamp.json first.
	asked := strings.Contains(r.requests(), "2.root.json")
	delete(r.faults, object)

	good := r.objects
	r.objects = f.serve().objects
	want := f.want
	if failing <= f.from || f.role == roleRoot && !asked {
		want = accepted
	}
	for range 2 { // refusing it isn't forgetting it
		c.restart()
		checkClass(t, c.poll(), want)
	}
	if want != accepted {
		r.objects = good
		r.release()
		r.release() // what was refused counts too, as far as it was signed
		c.restart()
		checkClass(t, c.poll(), accepted)
	}
}

// TestSeenExpired: metadata that has expired isn't used, but nothing older is either.
func TestSeenExpired(t *testing.T) {
	for role, want := range map[string]string{
		roleTimestamp: "timestamp.json", roleSnapshot: "timestamp.json", roleTargets: "timestamp.json",
	} {
		r := newRepo()
		old := r.objects["timestamp.json"]
		v := r.verifier(t)
		last, err := v.Update(t.Context(), r, nil, testNow)
		checkClass(t, err, accepted)
		expire(role)(r)
		_, err = v.Update(t.Context(), r, last, testNow)
		checkClass(t, err, Expired)
		r.objects["timestamp.json"] = old
		_, err = v.Update(t.Context(), r, last, testNow)
		checkClass(t, err, Rollback)
		var e *Error
		if errors.As(err, &e) && e.Object != want {
			t.Errorf("%s: %v", role, err)
		}
	}
}

// TestSeenRoots has a client far behind, whose online key was replaced in one of the last
// roots: each update gets further, although it fails.
func TestSeenRoots(t *testing.T) {
	for _, restarts := range []bool{false, true} {
		for _, warm := range []bool{false, true} {
			r := newRepo()
			poll, restart := startVerifier(t, r.objects["1.root.json"], r)
			if warm {
				checkClass(t, poll(), accepted)
			}
			for range 2*maxRotations + 20 {
				r.bump(roleRoot)
			}
			for _, role := range []string{roleTargets, roleSnapshot, roleTimestamp} {
				r.rotate(role, ed(11))
			}
			r.bump(roleRoot)
			r.release()
			for _, want := range []Class{Signature, Signature, accepted} {
				checkClass(t, poll(), want)
				if restarts {
					restart()
				}
			}
			if got := r.requests(); !strings.Contains(got, fmt.Sprintf("%d.root.json", 2*maxRotations+22)) {
				t.Error("it didn't get to the last root")
			}
			// It starts again from as many.
			checkClass(t, poll(), accepted)
			if got := r.requests(); got != "timestamp.json 304" {
				t.Errorf("requests %s", got)
			}
		}
	}
	r := newRepo()
	for range 2 * maxRotations {
		r.bump(roleRoot)
	}
	if _, err := r.verifier(t).UpdateIgnoreExpiry(t.Context(), r); err != nil {
		t.Errorf("UpdateIgnoreExpiry: %v", err)
	}
	rel, err := r.verifier(t).UpdateIgnoreExpiry(t.Context(), r)
	if err != nil || rel.Versions().Root.Version != 2*maxRotations+1 {
		t.Errorf("UpdateIgnoreExpiry got to %s, %v", versions(rel), err)
	}
}

// TestRecoveryOfSeen: versions seen in failed updates are forgotten with the key that
// signed them (TUF 5.3.11), and only then.
func TestRecoveryOfSeen(t *testing.T) {
	const far = 1<<53 - 1
	for _, restarts := range []bool{false, true} {
		r := newRepo()
		poll, restart := startVerifier(t, r.objects["1.root.json"], r)
		next := func(want Class) {
			t.Helper()
			if restarts {
				restart()
			}
			checkClass(t, poll(), want)
		}
		next(accepted)
		for _, role := range []string{roleTargets, roleSnapshot, roleTimestamp} {
			r.signed[role]["version"] = far
			r.publish(role)
		}
		r.faults[r.payloadName("checkout")] = func(Object, error) (Object, error) { return Object{}, errors.New("503") }
		r.setPayload("ads", "v1")
		r.publish(roleTargets)
		r.faults[r.payloadName("ads")] = r.faults[r.payloadName("checkout")]
		next(Network)
		for _, role := range []string{roleTargets, roleSnapshot, roleTimestamp} {
			r.signed[role]["version"] = 2
			r.publish(role)
		}
		clear(r.faults)
		next(Rollback)
		r.bump(roleRoot) // with the same keys
		next(Rollback)
		for _, role := range []string{roleTargets, roleSnapshot, roleTimestamp} {
			r.rotate(role, ed(11))
			r.publish(role)
		}
		r.bump(roleRoot)
		next(accepted)
		r.release()
		next(accepted)
	}
}

// TestRemember: what is damaged or foreign adds nothing, and what is intact counts.
func TestRemember(t *testing.T) {
	r := newRepo()
	v := r.verifier(t)
	r.bump(roleRoot, roleRoot)
	r.release()
	r.faults[r.payloadName("checkout")] = func(Object, error) (Object, error) { return Object{}, errors.New("503") }
	_, err := v.Update(t.Context(), r, nil, testNow)
	checkClass(t, err, Network)
	clear(r.faults)
	seen, err := v.Seen(nil)
	if err != nil {
		t.Fatal(err)
	}
	foreign := newRepo()
	foreign.rotate(roleRoot, ed(40))
	foreign.publish(roleRoot)
	edited := func(f func(objects map[string][]byte)) []byte {
		s, err := parseState(seen)
		if err != nil {
			t.Fatal(err)
		}
		f(s.Objects)
		return encodeJSON(s)
	}
	flip := func(name string) []byte {
		return edited(func(o map[string][]byte) { o[name][len(o[name])/3] ^= 1 })
	}
	for _, c := range []struct {
		name  string
		state []byte
		fails bool
		have  string // versions remembered
	}{
		{"whole", seen, false, "3 2 2 2"},
		{"empty", nil, true, "1 0 0 0"},
		{"cut", seen[:len(seen)/2], true, "1 0 0 0"},
		{"of a later format", []byte(`{"format":9}`), true, "1 0 0 0"},
		{"no objects", []byte(`{"format":1}`), false, "1 0 0 0"},
		{"damaged last root", flip("3.root.json"), true, "2 2 2 2"},
		{"damaged timestamp", flip("timestamp.json"), true, "3 0 2 2"},
		{"damaged snapshot", flip("2.snapshot.json"), true, "3 2 0 2"},
		{"damaged targets", flip("2.targets.json"), true, "3 2 2 0"},
		{"no root", edited(func(o map[string][]byte) { delete(o, "2.root.json") }), false, "1 2 2 2"},
		{"foreign", edited(func(o map[string][]byte) { clear(o); o["2.root.json"] = foreign.objects["1.root.json"] }),
			true,
			"1 0 0 0"},
		{"high numbers in names", edited(func(o map[string][]byte) {
			o["9.snapshot.json"] = o["2.snapshot.json"]
			o["99.root.json"] = o["3.root.json"]
		}), false, "3 2 2 2"},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, before := range []string{"nothing", "all"} {
				v := r.verifier(t)
				want := c.have
				if before == "all" {
					if err := v.Remember(seen); err != nil {
						t.Fatal(err)
					}
					want = "3 2 2 2"
				}
				if err := v.Remember(c.state); before == "nothing" && (err != nil) != c.fails {
					t.Errorf("error %v", err)
				}
				if got := versionsSeen(v); got != want {
					t.Errorf("after %s: remembers %s, want %s", before, got, want)
				}
				// It is of use either way.
				if _, err := v.Update(t.Context(), r, nil, testNow); err != nil {
					t.Errorf("after %s: %v", before, err)
				}
			}
		})
	}
}

// versionsSeen returns the versions that v remembers; 0 is none.
func versionsSeen(v *Verifier) string {
	s := v.seen.Load()
	version := func(h *header) int64 {
		if h == nil {
			return 0
		}
		return h.version
	}
	var timestamp, snapshot, targets *header
	if s.timestamp != nil {
		timestamp = &s.timestamp.header
	}
	if s.snapshot != nil {
		snapshot = &s.snapshot.header
	}
	if s.targets != nil {
		targets = &s.targets.header
	}
	return fmt.Sprint(s.root.version, version(timestamp), version(snapshot), version(targets))
}

// TestSeenConcurrently has updates of one verifier overtake each other: the newest of
// what any of them has seen counts.
func TestSeenConcurrently(t *testing.T) {
	var repos []*repo
	for n := range 8 {
		r := newRepo()
		for range n {
			r.release()
		}
		if n == 3 {
			r.bump(roleRoot)
		}
		repos = append(repos, r)
	}
	v := repos[0].verifier(t)
	var wg sync.WaitGroup
	for _, r := range repos {
		wg.Go(func() { _, _ = v.Update(t.Context(), r, nil, testNow) })
	}
	wg.Wait()
	if got := versionsSeen(v); got != "2 8 8 8" {
		t.Errorf("remembers %s", got)
	}
}

// FuzzRemember: whatever a disk holds, the verifier trusts nothing but what was signed,
// and follows the repository.
func FuzzRemember(f *testing.F) {
	r, v, _ := updated(f)
	if _, err := v.Update(f.Context(), r, nil, testNow); err != nil {
		f.Fatal(err)
	}
	valid, err := v.Seen(nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(valid)
	f.Add(valid[:len(valid)/2])
	f.Add([]byte(`{"format":1,"objects":{"timestamp.json":"e30=","2.root.json":null}}`))
	f.Add([]byte("null"))
	f.Fuzz(func(t *testing.T, state []byte) {
		v := r.verifier(t)
		if err := v.Remember(state); err != nil {
			if _, ok := ClassOf(err); !ok {
				t.Fatalf("error %v", err)
			}
		}
		for i, version := range strings.Fields(versionsSeen(v)) {
			if version != "0" && version != "1" && version != "2" {
				t.Fatalf("role %d has version %s", i, version)
			}
		}
		if next, err := v.Update(t.Context(), r, nil, testNow); err != nil || versions(next) != "2 2 2 2" {
			t.Fatalf("%s, %v", versions(next), err)
		}
	})
}
