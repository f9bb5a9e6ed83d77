package bundle

import (
	"encoding/json"
	"fmt"
	"path"
	"strings"
	"testing"
	"time"
)

// The stories below follow those of the TUF project's conformance suite, in our own code.
// They add what the client must trust after each refresh, successful or not.

// A refresh is something that happens to a repository, and what a client makes of it.
type refresh struct {
	do     func(r *repo) // nil: nothing
	want   Class
	serves string // versions of root, timestamp, snapshot and targets; "-": nothing
	trusts string // the same, of what is verified; 0: none
	last   string // the last object asked for; "": it doesn't matter
}

type story struct {
	name   string
	config func(*VerifierConfig)
	steps  []refresh
}

// start is the refresh that most stories begin with.
var start = refresh{nil, accepted, "1 1 1 1", "1 1 1 1", ""}

// tell takes stories to a client that keeps running, and to one that restarts in between.
func tell(t *testing.T, stories []story) {
	for _, s := range stories {
		for _, restarts := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/restarts=%t", s.name, restarts), func(t *testing.T) {
				t.Parallel()
				s.tell(t, restarts)
			})
		}
	}
}

func (s story) tell(t *testing.T, restarts bool) {
	var config []func(*VerifierConfig)
	if s.config != nil {
		config = append(config, s.config)
	}
	r := newRepo()
	v := r.verifier(t, config...)
	var last *Release
	for i, step := range s.steps {
		if step.do != nil {
			step.do(r)
		}
		if restarts && i > 0 {
			v, last = restarted(t, r.verifier(t, config...), v, last)
		}
		r.requests()
		next, err := v.Update(t.Context(), r, last, r.now)
		checkClass(t, err, step.want)
		if err == nil {
			last = next
		}
		requests := strings.Split(strings.TrimSuffix(r.requests(), " 304"), ", ")
		if got := requests[len(requests)-1]; step.last != "" && path.Base(got) != step.last {
			t.Errorf("step %d: the last request is for %s, not %s", i, got, step.last)
		}
		if got := versions(last); got != step.serves {
			t.Errorf("step %d: serves %s, want %s", i, got, step.serves)
		}
		if got := trustedBy(t, v); got != step.trusts {
			t.Errorf("step %d: trusts %s, want %s", i, got, step.trusts)
		}
		if t.Failed() {
			t.FailNow()
		}
	}
}

// trustedBy returns the versions that v has verified, as it would tell the disk.
func trustedBy(t testing.TB, v *Verifier) string {
	t.Helper()
	seen, err := v.Seen(nil)
	if err != nil {
		t.Fatal(err)
	}
	highest := map[string]int64{roleRoot: v.root.version}
	if seen != nil {
		state, err := parseState(seen)
		if err != nil {
			t.Fatal(err)
		}
		for _, data := range state.Objects {
			var m struct {
				Signed struct {
					Type    string `json:"_type"`
					Version int64
				}
			}
			if err := json.Unmarshal(data, &m); err != nil {
				t.Fatal(err)
			}
			highest[m.Signed.Type] = max(highest[m.Signed.Type], m.Signed.Version)
		}
	}
	return fmt.Sprint(highest[roleRoot], highest[roleTimestamp], highest[roleSnapshot], highest[roleTargets])
}

// unsigned publishes the next version of everything, with a role that nobody signed.
func unsigned(role string) func(*repo) {
	return func(r *repo) {
		signers := r.signers[role]
		r.signers[role] = nil
		r.bump(role)
		r.signers[role] = signers
		for _, other := range []string{roleTargets, roleSnapshot, roleTimestamp} {
			if other != role {
				r.bump(other)
			}
		}
	}
}

// version sets the version of a role, from which it goes on.
func version(role string, n int) func(*repo) {
	return func(r *repo) { r.signed[role]["version"] = n; r.publish(role) }
}

func bumped(roles ...string) func(*repo) { return func(r *repo) { r.bump(roles...) } }

func withHashes(r *repo) { r.listHashes = true }

func expires(role string, d time.Duration) func(*repo) {
	return func(r *repo) { r.signed[role]["expires"] = in(d) }
}

func TestWorkflowOfSignatures(t *testing.T) {
	tell(t, []story{
		{"unsigned root at first", nil, []refresh{{unsigned(roleRoot), Signature, "-", "1 0 0 0", "2.root.json"}}},
		{"unsigned timestamp at first", nil, []refresh{
			{unsigned(roleTimestamp), Signature, "-", "1 0 0 0", "timestamp.json"}}},
		{"unsigned snapshot at first", nil, []refresh{
			{unsigned(roleSnapshot), Signature, "-", "1 2 0 0", "2.snapshot.json"}}},
		{"unsigned targets at first", nil, []refresh{{unsigned(roleTargets), Signature, "-", "1 2 2 0", "2.targets.json"}}},
		{"unsigned root", nil, []refresh{start, {unsigned(roleRoot), Signature, "1 1 1 1", "1 1 1 1", "2.root.json"}}},
		{"unsigned timestamp", nil, []refresh{start,
			{unsigned(roleTimestamp), Signature, "1 1 1 1", "1 1 1 1", "2.root.json"}}},
		{"unsigned snapshot", nil, []refresh{start,
			{unsigned(roleSnapshot), Signature, "1 1 1 1", "1 2 1 1", "2.snapshot.json"}}},
		{"unsigned targets", nil, []refresh{start,
			{unsigned(roleTargets), Signature, "1 1 1 1", "1 2 2 1", "2.targets.json"}}},
		{"a good root, and then an unsigned one", nil, []refresh{start,
			{do(bumped(roleRoot), unsigned(roleRoot)), Signature, "1 1 1 1", "2 1 1 1", "3.root.json"}}},
		{"unsigned, and then signed", nil, []refresh{
			{unsigned(roleTargets), Signature, "-", "1 2 2 0", ""},
			{func(r *repo) { r.publish(roleTargets) }, accepted, "1 2 2 2", "1 2 2 2", ""},
		}},
	})
}

func TestWorkflowOfVersions(t *testing.T) {
	stories := []story{
		{"nothing is listed", nil, []refresh{start,
			{bumped(roleTargets), accepted, "1 1 1 1", "1 1 1 1", "timestamp.json"}}},
		{"the timestamp doesn't list the new snapshot", nil, []refresh{start,
			{bumped(roleSnapshot), accepted, "1 1 1 1", "1 1 1 1", "timestamp.json"}}},
		{"the listed snapshot doesn't exist", nil, []refresh{start,
			{func(r *repo) { r.bumpFrom(roleSnapshot); delete(r.objects, "2.snapshot.json") }, NotFound,
				"1 1 1 1", "1 2 1 1",
				"2.snapshot.json"}}},
		{"the listed targets don't exist", nil, []refresh{start,
			{func(r *repo) { r.bumpFrom(roleTargets); delete(r.objects, "2.targets.json") }, NotFound,
				"1 1 1 1", "1 2 2 1",
				"2.targets.json"}}},
		{"another snapshot than listed", nil, []refresh{{func(r *repo) {
			r.bump(roleSnapshot)
			r.objects["1.snapshot.json"] = r.objects["2.snapshot.json"]
		}, Malformed, "-", "1 1 0 0", "1.snapshot.json"}}},
		{"snapshot of a known version replaced", nil, []refresh{
			{bumped(roleSnapshot, roleTimestamp), accepted, "1 2 2 1", "1 2 2 1", ""},
			{version(roleSnapshot, 1), accepted, "1 2 2 1", "1 2 2 1", "timestamp.json"}}},
		{"older timestamp", nil, []refresh{{bumped(roleTimestamp), accepted, "1 2 1 1", "1 2 1 1", ""},
			{version(roleTimestamp, 1), Rollback, "1 2 1 1", "1 2 1 1", "2.root.json"}}},
		{"timestamp with other content", nil, []refresh{start,
			{func(r *repo) { r.listed(roleSnapshot)["version"] = 100; r.publish(roleTimestamp) }, Conflict,
				"1 1 1 1", "1 1 1 1",
				"2.root.json"}}},
		{"snapshot with other content", nil, []refresh{
			{do(withHashes, bumped(roleSnapshot, roleTimestamp)), accepted, "1 2 2 1", "1 2 2 1", ""},
			{func(r *repo) {
				r.signed[roleSnapshot]["x"] = "other"
				r.publish(roleSnapshot)
				r.bump(roleTimestamp)
			}, Conflict, "1 2 2 1", "1 3 2 1", "2.snapshot.json"}}},
		{"targets with other content", nil, []refresh{{do(withHashes, release), accepted, "1 2 2 2", "1 2 2 2", ""},
			{func(r *repo) {
				r.setPayload("checkout", "other")
				r.publish(roleTargets)
				r.bump(roleSnapshot, roleTimestamp)
			}, Conflict, "1 2 2 2", "1 3 3 2", "2.targets.json"}}},
		{"wrong hash of targets", nil, []refresh{{do(withHashes, release), accepted, "1 2 2 2", "1 2 2 2", ""},
			{func(r *repo) {
				r.bump(roleTargets)
				r.listed(roleTargets)["hashes"] = object{"sha256": strings.Repeat("ab", 32)}
				r.bump(roleSnapshot, roleTimestamp)
			}, Signature, "1 2 2 2", "1 3 3 2", "3.targets.json"}}},
		{"wrong length of the snapshot", nil, []refresh{{do(withHashes, release), accepted, "1 2 2 2", "1 2 2 2", ""},
			{func(r *repo) {
				r.bump(roleSnapshot)
				r.listed(roleSnapshot)["length"] = 10
				r.bump(roleTimestamp)
			}, Signature, "1 2 2 2", "1 3 2 2", "3.snapshot.json"}}},
	}
	for _, hashes := range []bool{false, true} {
		with := func(f func(*repo)) func(*repo) { return func(r *repo) { r.listHashes = hashes; f(r) } }
		stories = append(stories,
			story{fmt.Sprintf("older snapshot/hashes=%t", hashes), nil, []refresh{
				{with(bumped(roleSnapshot, roleTimestamp)), accepted, "1 2 2 1", "1 2 2 1", ""},
				{do(version(roleSnapshot, 1), bumped(roleTimestamp)), Rollback, "1 2 2 1", "1 2 2 1", "2.root.json"}}},
			story{fmt.Sprintf("older targets/hashes=%t", hashes), nil, []refresh{
				{with(do(bumped(roleTargets), release)), accepted, "1 2 2 3", "1 2 2 3", ""},
				{do(version(roleTargets, 1), bumped(roleSnapshot, roleTimestamp)), Rollback, "1 2 2 3", "1 3 2 3",
					"3.snapshot.json"}}},
		)
	}
	tell(t, stories)
}

func TestWorkflowOfRecovery(t *testing.T) {
	tell(t, []story{
		{"timestamp", nil, []refresh{
			{version(roleTimestamp, 99999), accepted, "1 99999 1 1", "1 99999 1 1", ""},
			{func(r *repo) {
				r.rotate(roleTimestamp, ed(11))
				r.bump(roleRoot)
				version(roleTimestamp, 1)(r)
			}, accepted, "2 1 1 1", "2 1 1 1", ""}}},
		{"snapshot", nil, []refresh{
			{do(version(roleSnapshot, 99999), bumped(roleTimestamp)), accepted, "1 2 99999 1", "1 2 99999 1", ""},
			{func(r *repo) {
				r.rotate(roleTimestamp, ed(11))
				r.rotate(roleSnapshot, ed(12))
				r.bump(roleRoot)
				do(version(roleSnapshot, 1), bumped(roleTimestamp))(r)
			}, accepted, "2 3 1 1", "2 3 1 1", ""}}},
		{"snapshot, by the timestamp's key", nil, []refresh{
			{do(version(roleSnapshot, 99999), bumped(roleTimestamp)), accepted, "1 2 99999 1", "1 2 99999 1", ""},
			{func(r *repo) {
				r.rotate(roleTimestamp, ed(11))
				r.bump(roleRoot)
				do(version(roleSnapshot, 1), bumped(roleTimestamp))(r)
			}, accepted, "2 3 1 1", "2 3 1 1", ""}}},
		{"targets, by the snapshot's key", nil, []refresh{
			{do(version(roleTargets, 99999), bumped(roleSnapshot, roleTimestamp)), accepted, "1 2 2 99999", "1 2 2 99999", ""},
			{func(r *repo) {
				r.rotate(roleSnapshot, ed(12))
				r.bump(roleRoot)
				do(version(roleTargets, 1), bumped(roleTargets, roleSnapshot, roleTimestamp))(r)
			}, accepted, "2 3 3 2", "2 3 3 2", ""}}},
		{"not by the targets' key", nil, []refresh{
			{do(version(roleTargets, 99999), bumped(roleSnapshot, roleTimestamp)), accepted, "1 2 2 99999", "1 2 2 99999", ""},
			{func(r *repo) {
				r.rotate(roleTargets, ed(13))
				r.bump(roleRoot)
				do(version(roleTargets, 1), bumped(roleTargets, roleSnapshot, roleTimestamp))(r)
			}, Rollback, "1 2 2 99999", "2 3 2 0", ""}}},
		{"of what was never served", nil, []refresh{start,
			{func(r *repo) {
				r.signed[roleTargets]["targets"].(object)["checkout/"+PayloadName].(object)["length"] = 1
				do(version(roleTargets, 99998), version(roleSnapshot, 99998), version(roleTimestamp, 99998), release)(r)
				delete(r.objects, r.payloadName("checkout"))
			}, NotFound, "1 1 1 1", "1 99999 99999 99999", ""},
			{func(r *repo) {
				for _, role := range []string{roleTargets, roleSnapshot, roleTimestamp} {
					r.signed[role]["version"] = 1
					r.rotate(role, ed(11))
				}
				r.bump(roleRoot)
				r.release()
			}, accepted, "2 2 2 2", "2 2 2 2", ""}}},
	})
}

func TestWorkflowOfExpiry(t *testing.T) {
	tell(t, []story{
		{"root", nil, []refresh{
			{bumped(roleRoot), accepted, "2 1 1 1", "2 1 1 1", ""},
			{do(expires(roleRoot, -day), bumped(roleRoot), release), Expired, "2 1 1 1", "3 1 1 1", "timestamp.json"}}},
		{"root, at first", nil, []refresh{
			{do(expires(roleRoot, -day), bumped(roleRoot)), Expired, "-", "2 0 0 0", "timestamp.json"}}},
		{"root, renewed", nil, []refresh{start,
			{do(expires(roleRoot, -day), bumped(roleRoot, roleTimestamp)), Expired, "1 1 1 1", "2 1 1 1", ""},
			{do(expires(roleRoot, day), bumped(roleRoot)), accepted, "3 2 1 1", "3 2 1 1", ""}}},
		{"timestamp", nil, []refresh{start,
			{do(expires(roleTimestamp, -day), bumped(roleTimestamp)), Expired, "1 1 1 1", "1 2 1 1", "2.root.json"}}},
		{"snapshot", nil, []refresh{start,
			{do(expires(roleSnapshot, -day), bumped(roleSnapshot, roleTimestamp)), Expired, "1 1 1 1", "1 2 2 1",
				"2.snapshot.json"}}},
		{"targets", nil, []refresh{start,
			{do(expires(roleTargets, -day), bumped(roleTargets, roleSnapshot, roleTimestamp)), Expired,
				"1 1 1 1", "1 2 2 2",
				"2.targets.json"}}},
		{"of what the client has, and renewed since", nil, []refresh{
			{do(expires(roleTimestamp, 7*day), bumped(roleTimestamp)), accepted, "1 2 1 1", "1 2 1 1", ""},
			{func(r *repo) {
				r.now = testNow.Add(18 * day)
				expires(roleSnapshot, 30*day)(r)
				expires(roleTimestamp, 21*day)(r)
				r.bump(roleTargets, roleSnapshot, roleTimestamp)
			}, accepted, "1 3 2 2", "1 3 2 2", ""}}},
		{"seen at the wrong time", nil, []refresh{start,
			{func(r *repo) { r.release(); r.now = testNow.AddDate(1, 0, 0) }, Expired, "1 1 1 1", "1 1 1 1", ""},
			{func(r *repo) { r.now = testNow }, accepted, "1 2 2 2", "1 2 2 2", ""}}},
	})
}

func TestWorkflowOfThresholds(t *testing.T) {
	keys := func(threshold int, indices ...int) func(*repo) {
		return func(r *repo) {
			r.trust(roleSnapshot, threshold, eds(indices...)...)
			r.signers[roleSnapshot] = eds(indices...)
			r.bump(roleRoot, roleSnapshot, roleTimestamp)
		}
	}
	tell(t, []story{
		{"more keys are needed and come", nil, []refresh{start,
			{keys(3, 2, 20), Signature, "1 1 1 1", "2 2 0 0", "2.snapshot.json"},
			{keys(3, 2, 20, 21, 22), accepted, "3 3 3 1", "3 3 3 1", ""},
			{func(r *repo) {
				r.trust(roleSnapshot, 5, eds(2, 20, 21, 22)...)
				r.bump(roleRoot, roleSnapshot, roleTimestamp)
			}, Signature, "3 3 3 1", "4 4 0 0", "4.snapshot.json"},
			{func(r *repo) { // a keyid without a key
				r.trust(roleSnapshot, 5, eds(2, 20, 21, 22, 23)...)
				delete(r.signed[roleRoot]["keys"].(object), ed(23).id)
				r.bump(roleRoot)
			}, Malformed, "3 3 3 1", "4 4 0 0", "5.root.json"},
			{func(r *repo) { // the root is repaired
				r.signed[roleRoot]["version"] = 4
				keys(5, 2, 20, 21, 22, 23)(r)
			}, accepted, "5 5 5 1", "5 5 5 1", ""},
		}},
		{"six of five", nil, []refresh{start,
			{keys(6, 2, 20, 21, 22, 23), Signature, "1 1 1 1", "2 2 0 0", "2.snapshot.json"}}},
		{"one key under ten keyids", nil, []refresh{start, {func(r *repo) {
			again := []testKey{ed(2)}
			for i := range 9 {
				again = append(again, listedAs(ed(2), func(o object) { o["note"] = fmt.Sprint(i) }))
			}
			r.trust(roleSnapshot, 6, again...)
			r.signers[roleSnapshot] = again
			r.bump(roleRoot, roleSnapshot, roleTimestamp)
		}, Signature, "1 1 1 1", "2 2 0 0", "2.snapshot.json"}}},
		{"hash algorithms of keyids", nil, []refresh{start, {func(r *repo) {
			r.signed[roleRoot]["keys"].(object)[ed(2).id].(object)["keyid_hash_algorithms"] = []any{"md5"}
			r.bump(roleRoot, roleSnapshot, roleTimestamp)
		}, accepted, "2 2 2 1", "2 2 2 1", ""}}},
	})
}

func TestWorkflowOfTargets(t *testing.T) {
	only := func(namespaces ...string) func(*VerifierConfig) {
		return func(c *VerifierConfig) { c.Namespaces = namespaces }
	}
	stories := []story{
		{"the first refresh is implicit, even for nothing", only("absent"),
			[]refresh{{nil, NotFound, "-", "1 1 1 1", "1.targets.json"}}},
		{"it is published later", only("absent"), []refresh{{nil, NotFound, "-", "1 1 1 1", ""},
			{func(r *repo) { r.setPayload("absent", "v1"); r.bumpFrom(roleTargets) }, accepted, "1 2 2 2", "1 2 2 2", ""}}},
		{"below folders", only("path/to/a/place"), []refresh{
			{func(r *repo) { r.setPayload("path/to/a/place", "v1"); r.bumpFrom(roleTargets) }, accepted,
				"1 2 2 2", "1 2 2 2", ""}}},
		{"replaced by another", nil, []refresh{{func(r *repo) {
			r.objects[r.payloadName("checkout")] = payloadOf("production", "checkout", "evil")
		}, Signature, "-", "1 1 1 1", ""}}},
		{"replaced under a client that has it", nil, []refresh{start, {func(r *repo) {
			r.objects[r.payloadName("checkout")] = payloadOf("production", "checkout", "evil")
			r.bump(roleTargets, roleSnapshot, roleTimestamp)
		}, accepted, "1 2 2 2", "1 2 2 2", "2.targets.json"}}},
		{"shorter than listed", nil, []refresh{{func(r *repo) {
			name := r.payloadName("checkout")
			r.objects[name] = r.objects[name][:20]
		}, Signature, "-", "1 1 1 1", ""}}},
		{"longer than listed", nil, []refresh{{func(r *repo) {
			name := r.payloadName("checkout")
			r.objects[name] = append(r.objects[name], "more"...)
		}, Signature, "-", "1 1 1 1", ""}}},
		{"missing", nil, []refresh{
			{func(r *repo) { delete(r.objects, r.payloadName("checkout")) }, NotFound, "-", "1 1 1 1", ""}}},
		{"many changes, of which every fifth is seen", nil, func() []refresh {
			steps := []refresh{start}
			for i := range 3 {
				n := 6 + 6*i
				have := fmt.Sprintf("1 %d %[1]d %[1]d", n)
				steps = append(steps,
					refresh{do(release, release, release, release, release), accepted,
						"1 " + strings.Repeat(fmt.Sprint(n, " "), 2) +
							fmt.Sprint(n), have, ""},
					refresh{func(r *repo) { // one that isn't what is listed
						r.release()
						r.objects[r.payloadName("checkout")] = []byte("malicious")
					}, Signature, have, fmt.Sprintf("1 %d %[1]d %[1]d", n+1), ""})
			}
			return steps
		}()},
	}
	for _, name := range []string{"?", "#", "/delegatedrole", "../delegatedrole", "a b", "%2e%2e", "..", "a/../b"} {
		stories = append(stories, story{"unusual name " + name, nil, []refresh{start, {func(r *repo) {
			r.signed[roleTargets]["targets"].(object)[name+"/"+PayloadName] = object{
				"length": 1, "hashes": object{"sha256": strings.Repeat("ab", 32)},
			}
			r.bumpFrom(roleTargets)
		}, Malformed, "1 1 1 1", "1 2 2 1", "2.targets.json"}}})
	}
	tell(t, stories)
}

// TestRefusedByDesign is what the conformance suite has clients read, and this one
// doesn't: see docs/bundle.md.
func TestRefusedByDesign(t *testing.T) {
	rsa := listedAs(p256(), func(o object) { o["keytype"], o["scheme"] = "rsa", "rsassa-pss-sha256" })
	tell(t, []story{
		{"delegations", nil, []refresh{start, {set(roleTargets, "delegations", object{
			"keys": object{}, "roles": []any{object{"name": "team", "keyids": []any{}, "threshold": 1,
				"terminating": false,
				"paths":       []any{"*"}}},
		}), Malformed, "1 1 1 1", "1 2 2 1", "2.targets.json"}}},
		{"a key of RSA", nil, []refresh{start, {needing(rsa), Malformed, "1 1 1 1", "1 1 1 1", "2.root.json"}}},
		{"a root that names no environment", nil, []refresh{start,
			{without(roleRoot, environmentField), Malformed, "1 1 1 1", "1 1 1 1", "2.root.json"}}},
		{"snapshots that aren't consistent", nil, []refresh{start,
			{set(roleRoot, "consistent_snapshot", false), Malformed, "1 1 1 1", "1 1 1 1", "2.root.json"}}},
		{"another content of the same version", nil, []refresh{start,
			{func(r *repo) { r.signed[roleTimestamp]["x"] = 1; r.publish(roleTimestamp) }, Conflict, "1 1 1 1", "1 1 1 1", ""}}},
	})
	for name, change := range map[string]func(o object){
		"without an environment": func(o object) { delete(o, environmentField) },
		"without a version":      func(o object) { delete(o, "version") },
	} {
		r := newRepo()
		change(r.signed[roleRoot])
		data := signDocument(r.signed[roleRoot], r.signers[roleRoot]...)
		if _, err := NewVerifier(VerifierConfig{Root: data}); err == nil {
			t.Errorf("a pinned root %s is accepted", name)
		}
	}
	r := newRepo()
	if _, err := NewVerifier(VerifierConfig{Root: signDocument(r.signed[roleRoot], ed(30))}); err == nil {
		t.Error("a pinned root that isn't signed is accepted")
	}
}
