package bundle

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/serin-flags/serin/internal/soak"
)

// updated returns a repository that a client has seen at version 1 and that has
// released version 2 since, with a rotation of the root.
func updated(t testing.TB) (*repo, *Verifier, *Release) {
	t.Helper()
	r := newRepo()
	v := r.verifier(t)
	last, err := v.Update(t.Context(), r, nil, testNow)
	if err != nil {
		t.Fatal(err)
	}
	r.listHashes = true
	r.bump(roleRoot)
	r.release()
	r.requests()
	return r, v, last
}

// reset makes the verifier of last have seen nothing but last.
func reset(last *Release) { last.verifier.seen.Store(&last.trusted) }

// newObjects returns the names of what version 2 consists of.
func newObjects(r *repo) []string {
	return []string{"timestamp.json", "2.root.json", "2.snapshot.json", "2.targets.json", r.payloadName("checkout")}
}

func TestFlippedByte(t *testing.T) {
	r, v, last := updated(t)
	for _, name := range newObjects(r) {
		valid := r.objects[name]
		for i := 0; i < len(valid); i += soak.Times(7, 1) { // 7: all bits of a byte have their turn
			reset(last)
			data := bytes.Clone(valid)
			// Bit 5 makes another case of a letter, the others nonsense. In a signature's
			// hexadecimal digits case means nothing.
			bit := byte(1) << (i % 8)
			data[i] ^= bit
			r.objects[name] = data
			next, err := v.Update(t.Context(), r, last, testNow)
			class, _ := ClassOf(err)
			switch {
			case err == nil && bit == 1<<5 && versions(next) == "2 2 2 2":
			case class != Signature && class != Malformed:
				t.Errorf("%s, byte %d, bit %d: %v", name, i, i%8, err)
			}
		}
		r.objects[name] = valid
	}
	if _, err := v.Update(t.Context(), r, last, testNow); err != nil {
		t.Errorf("unchanged: %v", err)
	}
}

func TestTruncated(t *testing.T) {
	r, v, last := updated(t)
	for _, name := range newObjects(r) {
		reset(last)
		valid := r.objects[name]
		for n := 0; n < len(valid); n += soak.Times(17, 1) {
			r.objects[name] = valid[:n]
			_, err := v.Update(t.Context(), r, last, testNow)
			if class, _ := ClassOf(err); class != Signature && class != Malformed {
				t.Errorf("%s cut to %d bytes: %v", name, n, err)
			}
		}
		r.objects[name] = valid
	}
}

// TestDamagedInStore has a store hold what was damaged, of which [TestFlippedByte]
// and [TestTruncated] try each place.
func TestDamagedInStore(t *testing.T) {
	throughEach(t, func(t *testing.T, open func(*repo) Source) {
		r, v, last := updated(t)
		src := open(r)
		for _, name := range newObjects(r) {
			reset(last)
			valid := r.objects[name]
			flipped := bytes.Clone(valid)
			flipped[len(flipped)/3] ^= 1
			for what, data := range map[string][]byte{"flipped": flipped, "cut": valid[:len(valid)/2], "empty": {}} {
				r.objects[name] = data
				next, err := v.Update(t.Context(), src, last, testNow)
				if class, _ := ClassOf(err); next != nil || class != Signature && class != Malformed {
					t.Errorf("%s, %s: %v", name, what, err)
				}
			}
			r.objects[name] = valid
		}
		if next, err := v.Update(t.Context(), src, last, testNow); err != nil || versions(next) != "2 2 2 2" {
			t.Errorf("does not recover: %v", err)
		}
	})
}

// TestFaults lets each request of an update fail in each way.
func TestFaults(t *testing.T) {
	timeout := &net.DNSError{Err: "no such host", Name: "s3.example", IsNotFound: true}
	faults := []struct {
		name string
		do   func(Object, error) (Object, error)
		want Class
	}{
		{"unreachable", func(Object, error) (Object, error) { return Object{}, timeout }, Network},
		{"slow down", func(Object, error) (Object, error) { return Object{}, errors.New("503 SlowDown") }, Network},
		{"cut", func(Object, error) (Object, error) { return Object{}, io.ErrUnexpectedEOF }, Network},
		{"timeout", func(Object, error) (Object, error) { return Object{}, context.DeadlineExceeded }, Network},
		{"not modified, unasked", func(Object, error) (Object, error) { return Object{}, ErrNotModified }, Network},
		{"missing", func(Object, error) (Object, error) { return Object{}, ErrNotFound }, NotFound},
		{"endless", func(Object, error) (Object, error) { return Object{}, ErrTooLarge }, Malformed},
		{"endless, and the source doesn't mind", func(Object, error) (Object, error) {
			return Object{Data: bytes.Repeat([]byte(" "), maxTargets+1)}, nil
		}, Malformed},
		{"a page", func(Object, error) (Object, error) { return Object{Data: []byte("<html>")}, nil }, Malformed},
	}
	for _, fault := range faults {
		t.Run(fault.name, func(t *testing.T) {
			r, v, last := updated(t)
			for _, name := range newObjects(r) {
				reset(last)
				r.faults[name] = fault.do
				next, err := v.Update(t.Context(), r, last, testNow)
				class, _ := ClassOf(err)
				switch {
				case class == fault.want:
				case fault.name == "missing" && name == "2.root.json":
					// The chain ends where there is no newer root: seen from here,
					// there was no rotation.
					if versions(next) != "1 2 2 2" {
						t.Errorf("%s: %v, %v", name, versions(next), err)
					}
				case fault.name == "not modified, unasked" && name == "timestamp.json":
					if next != last {
						t.Errorf("%s: %v", name, err)
					}
				case class == Signature && fault.want == Malformed && strings.ContainsAny(name[:1], "2t") &&
					name != "timestamp.json" && name != "2.root.json":
					// A length was listed, or a hash: this is not it.
				default:
					t.Errorf("%s: %v, want class %s", name, err, fault.want)
				}
				if versions(last) != "1 1 1 1" {
					t.Fatalf("%s: last has versions %s", name, versions(last))
				}
				delete(r.faults, name)
				if next, err := v.Update(t.Context(), r, last, testNow); err != nil || versions(next) != "2 2 2 2" {
					t.Errorf("%s: does not recover: %s, %v", name, versions(next), err)
				}
			}
		})
	}
}

// TestBoundless pads good objects with white space, and serves them through a
// source that heeds no limit.
func TestBoundless(t *testing.T) {
	r, v, last := updated(t)
	for _, name := range []string{"timestamp.json", "2.root.json"} {
		r.faults[name] = func(obj Object, err error) (Object, error) {
			return Object{Data: append(obj.Data, bytes.Repeat([]byte(" "), MaxRoot)...)}, err
		}
		_, err := v.Update(t.Context(), r, last, testNow)
		checkClass(t, err, Malformed)
		if !errors.Is(err, ErrTooLarge) {
			t.Errorf("%s: %v", name, err)
		}
		delete(r.faults, name)
	}
}

// TestNotModifiedUnasked answers "not modified" to a client that has no ETag.
func TestNotModifiedUnasked(t *testing.T) {
	r := newRepo()
	r.noETag = true
	v := r.verifier(t)
	r.faults["timestamp.json"] = func(obj Object, err error) (Object, error) { return Object{}, ErrNotModified }
	_, err := v.Update(t.Context(), r, nil, testNow)
	checkClass(t, err, Network)
	fault := r.faults["timestamp.json"]
	delete(r.faults, "timestamp.json")
	last, err := v.Update(t.Context(), r, nil, testNow)
	if err != nil {
		t.Fatal(err)
	}
	r.faults["timestamp.json"] = fault
	_, err = v.Update(t.Context(), r, last, testNow)
	checkClass(t, err, Network)
}

// TestBranches takes one release to two different next roots: neither may
// change the other.
func TestBranches(t *testing.T) {
	r := newRepo()
	v := r.verifier(t)
	for range 3 {
		r.bump(roleRoot) // so that the chain has room for one more
	}
	last, err := v.Update(t.Context(), r, nil, testNow)
	if err != nil {
		t.Fatal(err)
	}
	var branches []*Release
	for _, branch := range []string{"left", "right"} {
		reset(last)
		r.signed[roleRoot]["version"] = 4
		r.signed[roleRoot]["x-branch"] = branch
		r.bump(roleRoot, roleTimestamp)
		next, err := v.Update(t.Context(), r, last, testNow)
		if err != nil {
			t.Fatal(err)
		}
		branches = append(branches, next)
	}
	for i, branch := range []string{"left", "right"} {
		root := restored(t, v, branches[i]).Metadata().Root
		if !bytes.Contains(root, []byte(branch)) {
			t.Errorf("the state of the branch %s has another root", branch)
		}
	}
	if versions(last) != "4 1 1 1" {
		t.Errorf("last has versions %s", versions(last))
	}
}

func TestContextEnds(t *testing.T) {
	r, v, last := updated(t)
	for _, name := range newObjects(r) {
		reset(last)
		ctx, cancel := context.WithCancel(t.Context())
		r.faults[name] = func(Object, error) (Object, error) {
			cancel()
			// What a source makes of it doesn't matter.
			return Object{}, fmt.Errorf("reading: %w", ErrNotFound)
		}
		_, err := v.Update(ctx, r, last, testNow)
		checkClass(t, err, Network)
		delete(r.faults, name)
		_, err = v.Update(ctx, r, last, testNow)
		checkClass(t, err, Network)
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%v is not context.Canceled", err)
		}
	}
}

// TestLimits checks that the source is never asked for more than there is.
func TestLimits(t *testing.T) {
	r, v, last := updated(t)
	want := map[string]int64{
		"timestamp.json":             maxTimestamp,
		"2.root.json":                MaxRoot,
		"3.root.json":                MaxRoot,
		"2.snapshot.json":            int64(len(r.objects["2.snapshot.json"])),
		"2.targets.json":             int64(len(r.objects["2.targets.json"])),
		r.payloadName("checkout"):    int64(len(r.payloads["checkout"])),
		"1.snapshot.json":            maxSnapshot,
		"1.targets.json":             maxTargets,
		newRepoPayload("production"): int64(len(payloadOf("production", "checkout", "v1"))),
	}
	got := make(map[string]int64)
	src := sourceFunc(func(ctx context.Context, name, etag string, limit int64) (Object, error) {
		got[name] = limit
		return r.Fetch(ctx, name, etag, limit)
	})
	if _, err := v.Update(t.Context(), src, last, testNow); err != nil {
		t.Fatal(err)
	}
	r = newRepo()
	if _, err := r.verifier(t).Update(t.Context(), src, nil, testNow); err != nil {
		t.Fatal(err)
	}
	for name, limit := range got {
		if want[name] != limit {
			t.Errorf("%s with limit %d, want %d", name, limit, want[name])
		}
	}
	if len(got) != len(want) {
		t.Errorf("asked for %d objects, want %d", len(got), len(want))
	}
}

func newRepoPayload(environment string) string {
	return "targets/checkout/" + hashOf(payloadOf(environment, "checkout", "v1")) + "." + PayloadName
}

type sourceFunc func(ctx context.Context, name, etag string, limit int64) (Object, error)

func (f sourceFunc) Fetch(ctx context.Context, name, etag string, limit int64) (Object, error) {
	return f(ctx, name, etag, limit)
}

func TestPayloads(t *testing.T) {
	replace := func(data []byte) func(*repo) {
		return func(r *repo) { r.release(); r.objects[r.payloadName("checkout")] = data }
	}
	publish := func(data []byte) func(*repo) {
		return func(r *repo) { r.setTarget("checkout", data); r.bumpFrom(roleTargets) }
	}
	valid := payloadOf("production", "checkout", "v9")
	var scenarios []scenario
	for _, c := range []struct {
		name string
		do   func(*repo)
		want Class
	}{
		{"replaced by a valid one", replace(valid), Signature},
		{"replaced by the one before", func(r *repo) {
			old := r.payloads["checkout"]
			replace(old)(r)
		}, Signature},
		{"appended to", func(r *repo) {
			r.release()
			r.objects[r.payloadName("checkout")] = append(r.payloads["checkout"], 0)
		}, Signature},
		{"empty", replace(nil), Signature},
		{"wrong SHA-512", func(r *repo) {
			r.setPayload("checkout", "v2")
			r.target("checkout")["hashes"].(object)["sha512"] = strings.Repeat("ab", 64)
			r.bumpFrom(roleTargets)
		}, Signature},
		{"unknown hash beside SHA-256", func(r *repo) {
			r.setPayload("checkout", "v2")
			r.target("checkout")["hashes"].(object)["blake2b"] = "ab"
			r.bumpFrom(roleTargets)
		}, Signature},
		{"missing", func(r *repo) { r.release(); delete(r.objects, r.payloadName("checkout")) }, NotFound},
		{"only without its hash in the name", func(r *repo) {
			r.release()
			r.objects["targets/checkout/"+PayloadName] = r.payloads["checkout"]
			delete(r.objects, r.payloadName("checkout"))
		}, NotFound},
		{"signed, but of another environment", publish(payloadOf("staging", "checkout", "v2")), Malformed},
		{"signed, but of another namespace", publish(payloadOf("production", "search", "v2")), Malformed},
		{"signed, but not a payload", publish([]byte("flags")), Malformed},
		{"signed, but its label is cut", publish(valid[:20]), Malformed},
		{"signed, but cut behind its label", publish(valid[:len(valid)-9]), accepted}, // whoever decodes it sees
		{"valid", publish(valid), accepted},
	} {
		have := "1 1 1 1"
		if c.want == accepted {
			have = "1 2 2 2"
		}
		scenarios = append(scenarios, scenario{c.name, nil, []step{first, {c.do, c.want, have}}})
	}
	runEverywhere(t, scenarios)
}

// TestForgedRepository serves a whole repository, good in itself, of other keys.
func TestForgedRepository(t *testing.T) {
	throughEach(t, func(t *testing.T, open func(*repo) Source) { forgedRepository(t, open) })
}

func forgedRepository(t *testing.T, open func(*repo) Source) {
	real, v, last := updated(t)
	forged := newRepo()
	for i, role := range []string{roleRoot, roleTimestamp, roleSnapshot, roleTargets} {
		forged.rotate(role, ed(40+i))
	}
	for range 3 {
		forged.bump(roleRoot)
		forged.release()
	}
	src := open(forged)
	for _, last := range []*Release{nil, last} {
		_, err := v.Update(t.Context(), src, last, testNow)
		checkClass(t, err, Signature)
		// Without its roots, too.
		for name := range forged.objects {
			if strings.HasSuffix(name, "root.json") {
				delete(forged.objects, name)
			}
		}
		_, err = v.Update(t.Context(), src, last, testNow)
		checkClass(t, err, Signature)
	}
	if _, err := v.Update(t.Context(), open(real), last, testNow); err != nil {
		t.Error(err)
	}
}

// TestStagingAsProduction serves one environment as another. Even if both
// have the same keys, the payloads say where they belong.
func TestStagingAsProduction(t *testing.T) {
	throughEach(t, func(t *testing.T, open func(*repo) Source) { stagingAsProduction(t, open) })
}

func stagingAsProduction(t *testing.T, open func(*repo) Source) {
	production := newRepo()
	v := production.verifier(t)
	staging := newRepo()
	staging.environment = "staging"
	staging.signed[roleRoot][environmentField] = "staging"
	staging.bump(roleRoot)
	staging.release()
	src := open(staging)
	_, err := v.Update(t.Context(), src, nil, testNow)
	checkClass(t, err, Malformed)
	delete(staging.objects, "2.root.json")
	_, err = v.Update(t.Context(), src, nil, testNow)
	checkClass(t, err, Malformed)
	if !strings.Contains(err.Error(), "staging") {
		t.Errorf("%v does not say what is wrong", err)
	}
}

// TestMixAndMatch serves objects of two good versions together.
func TestMixAndMatch(t *testing.T) {
	throughEach(t, func(t *testing.T, open func(*repo) Source) { mixAndMatch(t, open) })
}

func mixAndMatch(t *testing.T, open func(*repo) Source) {
	for _, listHashes := range []bool{false, true} {
		for mask := 1; mask < 7; mask++ {
			r := newRepo()
			v := r.verifier(t)
			r.listHashes = listHashes
			r.release()
			r.release()
			for bit, name := range []string{"3.snapshot.json", "3.targets.json", r.payloadName("checkout")} {
				if mask&(1<<bit) != 0 {
					old := "2" + name[1:]
					if bit == 2 {
						old = newRepoPayload("production")
					}
					r.objects[name] = r.objects[old]
				}
			}
			rel, err := v.Update(t.Context(), open(r), nil, testNow)
			if class, _ := ClassOf(err); class != Signature && class != Rollback {
				t.Errorf("mask %b, hashes %t: %s, %v", mask, listHashes, versions(rel), err)
			}
		}
	}
}

// TestFrozen serves what there is for ever: the release says by itself that it
// is stale, and a new client refuses it.
func TestFrozen(t *testing.T) {
	throughEach(t, func(t *testing.T, open func(*repo) Source) { frozen(t, open) })
}

func frozen(t *testing.T, open func(*repo) Source) {
	r := newRepo()
	v := r.verifier(t)
	src := open(r)
	last, err := v.Update(t.Context(), src, nil, testNow)
	if err != nil {
		t.Fatal(err)
	}
	later := testNow.Add(2 * day)
	next, err := v.Update(t.Context(), src, last, later) // 304
	if next != last || err != nil {
		t.Errorf("Update: %v, %v", next, err)
	}
	if !last.Expires().Equal(testNow.Add(day)) {
		t.Errorf("Expires: %s", last.Expires())
	}
	next, err = v.UpdateRoot(t.Context(), src, last, later)
	if next != last || err != nil {
		t.Errorf("UpdateRoot: %v, %v", next, err)
	}
	_, err = v.Update(t.Context(), src, nil, later)
	checkClass(t, err, Expired)
}

// TestStolenKey is about a thief who has the online key and keeps serving what
// he signed after it was rotated: the probe for a root notices.
func TestStolenKey(t *testing.T) {
	r := newRepo()
	v := r.verifier(t)
	last, err := v.Update(t.Context(), r, nil, testNow)
	if err != nil {
		t.Fatal(err)
	}
	r.trust(roleTimestamp, 1, ed(11))
	r.bump(roleRoot)
	if next, err := v.Update(t.Context(), r, last, testNow); next != last || err != nil {
		t.Errorf("Update: %v, %v", next, err)
	}
	_, err = v.UpdateRoot(t.Context(), r, last, testNow)
	checkClass(t, err, Signature)
	r.signers[roleTimestamp] = eds(11)
	r.publish(roleTimestamp)
	next, err := v.UpdateRoot(t.Context(), r, last, testNow)
	if err != nil || versions(next) != "2 1 1 1" {
		t.Errorf("%s, %v", versions(next), err)
	}
}

func TestConcurrentUse(t *testing.T) {
	r, v, last := updated(t)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 5 {
				next, err := v.Update(t.Context(), r, last, testNow)
				if err != nil || versions(next) != "2 2 2 2" {
					t.Errorf("%s, %v", versions(next), err)
					return
				}
				restored(t, v, next)
			}
		})
	}
	wg.Wait()
}

func TestOtherVerifier(t *testing.T) {
	r, v, _ := updated(t)
	last, err := r.verifier(t).Update(t.Context(), r, nil, testNow)
	if err != nil {
		t.Fatal(err)
	}
	_, err = v.Update(t.Context(), r, last, testNow)
	checkClass(t, err, Malformed)
}

func TestErrorText(t *testing.T) {
	r, v, last := updated(t)
	r.signers[roleTimestamp] = nil
	r.bump(roleTimestamp)
	_, err := v.Update(t.Context(), r, last, testNow)
	if got, want := fmt.Sprint(err), "verifying timestamp.json: signature: 0 of 1 required signatures"; got != want {
		t.Errorf("%s\nwant: %s", got, want)
	}
	for class, want := range map[Class]string{
		Network: "network", NotFound: "not_found", Signature: "signature",
		Rollback: "rollback", Expired: "expired", Malformed: "malformed", 0: "Class(0)",
	} {
		if class.String() != want {
			t.Errorf("class %d is %s", class, class)
		}
	}
	if _, ok := ClassOf(errors.New("other")); ok {
		t.Error("any error has a class")
	}
	if class, ok := ClassOf(fmt.Errorf("polling: %w", err)); !ok || class != Signature {
		t.Errorf("class of a wrapped error is %s, %t", class, ok)
	}
}
