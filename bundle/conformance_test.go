package bundle

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// The behaviours below are those that the TUF specification asks of a client and that the
// TUF project's conformance suite tests, in our own code. These tests look at what the
// client serves; those in workflow_test.go look at what it trusts as well.

func TestBasics(t *testing.T) {
	runEverywhere(t, []scenario{
		{"first update", nil, []step{first}},
		{"nothing new", nil, []step{first, {nil, accepted, "1 1 1 1"}}},
		{"new timestamp", nil, []step{first, {bumpFrom(roleTimestamp), accepted, "1 2 1 1"}}},
		{"new snapshot", nil, []step{first, {bumpFrom(roleSnapshot), accepted, "1 2 2 1"}}},
		{"new targets", nil, []step{first, {bumpFrom(roleTargets), accepted, "1 2 2 2"}}},
		{"new root", nil, []step{first, {bumpFrom(roleRoot), accepted, "2 2 1 1"}}},
		{"many new versions at once", nil, []step{first, {do(release, release, release, release), accepted, "1 5 5 5"}}},
		{"five roots behind", nil, []step{first, {func(r *repo) {
			for range 5 {
				r.bump(roleRoot)
			}
			r.release()
		}, accepted, "6 2 2 2"}}},
		{"five roots behind at first", nil, []step{{func(r *repo) {
			for range 5 {
				r.bump(roleRoot)
			}
		}, accepted, "6 1 1 1"}}},
		{"lengths and hashes listed", nil, []step{
			{func(r *repo) { r.listHashes = true; r.release() }, accepted, "1 2 2 2"},
			{release, accepted, "1 3 3 3"},
			{bumpFrom(roleSnapshot), accepted, "1 4 4 3"},
		}},
		{"unchanged timestamp without ETags", nil, []step{
			{func(r *repo) { r.noETag = true }, accepted, "1 1 1 1"},
			{nil, accepted, "1 1 1 1"},
			{release, accepted, "1 2 2 2"},
		}},
		{"same timestamp version, other content", nil, []step{first, {func(r *repo) {
			r.listed(roleSnapshot)["version"] = 100
			r.publish(roleTimestamp)
		}, Conflict, "1 1 1 1"}}},
		{"same timestamp version, older snapshot", nil, []step{
			{release, accepted, "1 2 2 2"},
			{func(r *repo) {
				r.listed(roleSnapshot)["version"] = 1
				r.publish(roleTimestamp)
			}, Conflict, "1 2 2 2"},
		}},
		{"snapshot replaced under a trusted timestamp", nil, []step{
			{release, accepted, "1 2 2 2"},
			{func(r *repo) { r.objects["2.snapshot.json"] = r.objects["1.snapshot.json"] }, accepted, "1 2 2 2"},
		}},
		{"recovers after an error", nil, []step{
			first,
			{signedBy(roleTimestamp), Signature, "1 1 1 1"},
			{release, accepted, "1 3 2 2"},
		}},
	})
}

func TestRequests(t *testing.T) {
	r := newRepo()
	v := r.verifier(t)
	var last *Release
	update := func(probe bool, want string) {
		t.Helper()
		ask := v.Update
		if probe {
			ask = v.UpdateRoot
		}
		next, err := ask(t.Context(), r, last, testNow)
		if err != nil {
			t.Fatal(err)
		}
		last = next
		want = strings.ReplaceAll(want, "PAYLOAD", r.payloadName("checkout"))
		if got := r.requests(); got != want {
			t.Errorf("requests: %s\nwant:     %s", got, want)
		}
	}
	update(false, "2.root.json, timestamp.json, 1.snapshot.json, 1.targets.json, PAYLOAD")
	update(false, "timestamp.json 304")
	update(true, "2.root.json, timestamp.json 304")
	r.bumpFrom(roleTimestamp)
	update(false, "timestamp.json, 2.root.json")
	r.bumpFrom(roleSnapshot)
	update(false, "timestamp.json, 2.root.json, 2.snapshot.json")
	r.bumpFrom(roleTargets)
	update(false, "timestamp.json, 2.root.json, 3.snapshot.json, 2.targets.json")
	r.release()
	update(false, "timestamp.json, 2.root.json, 4.snapshot.json, 3.targets.json, PAYLOAD")
	r.setPayload("a/b", "v1")
	r.bumpFrom(roleTargets)
	update(false, "timestamp.json, 2.root.json, 5.snapshot.json, 4.targets.json, "+r.payloadName("a/b"))
	r.bumpFrom(roleRoot)
	update(false, "timestamp.json, 2.root.json, 3.root.json, timestamp.json")
	r.bump(roleRoot)
	update(false, "timestamp.json 304")
	r.bump(roleRoot)
	update(true, "3.root.json, 4.root.json, 5.root.json, timestamp.json")
	if got := versions(last); got != "4 7 5 4" {
		t.Errorf("versions %s", got)
	}
}

// rootVersion describes a version of root: the keys of the role root, the
// threshold, and who signed.
type rootVersion struct {
	keys      []int
	threshold int
	signers   []int
}

func TestRootRotation(t *testing.T) {
	five := []int{0, 1, 2, 3, 4}
	rotated := []int{0, 1, 3, 4, 5}
	for _, c := range []struct {
		name  string
		roots []rootVersion // from version 2; version 1 is by key 0 of 1
		want  Class         // of the last
	}{
		{"one key to another", []rootVersion{{[]int{1}, 1, []int{1, 0}}, {[]int{1}, 1, []int{1}}}, accepted},
		{"with signatures of strangers", []rootVersion{{[]int{2}, 1, []int{3, 2, 0, 4}}, {[]int{2}, 1, []int{3, 2, 4}}},
			accepted},
		{"different three of five", []rootVersion{{five, 3, []int{0, 2, 4}}, {five, 3, []int{0, 4, 1}},
			{five, 3, []int{0, 1, 3}}, {five, 3, []int{1, 2, 3}}}, accepted},
		{"one of five rotated", []rootVersion{{five, 3, []int{0, 2, 4}}, {rotated, 3, []int{0, 4, 1}}}, accepted},
		{"one of five rotated, signed by the old one too",
			[]rootVersion{{five, 3, []int{0, 2, 4}}, {rotated, 3, []int{0, 2, 4, 5}}, {rotated, 3, []int{0, 4, 5}}},
			accepted},
		{"all of five rotated", []rootVersion{{five, 3, []int{0, 2, 4}}, {[]int{5, 6, 7, 8, 9}, 3, []int{0, 2, 4, 5, 6, 7}},
			{[]int{5, 6, 7, 8, 9}, 3, []int{5, 6, 7}}}, accepted},
		{"threshold up", []rootVersion{{[]int{0, 1, 2}, 1, []int{0}}, {[]int{0, 1, 2}, 2, []int{0, 1}}}, accepted},
		{"threshold down", []rootVersion{{[]int{0, 1, 2}, 2, []int{0, 1}}, {[]int{0, 1, 2}, 1, []int{0, 1}},
			{[]int{0, 1, 2}, 1, []int{1}}}, accepted},
		{"threshold up with a new key", []rootVersion{{[]int{0}, 1, []int{0}}, {[]int{0, 1}, 2, []int{0, 1}}}, accepted},
		{"not signed by the old key", []rootVersion{{[]int{2}, 1, []int{2, 3, 4}}}, Signature},
		{"not signed by the new key", []rootVersion{{[]int{2}, 1, []int{0, 3, 4}}}, Signature},
		{"not signed at all", []rootVersion{{[]int{0}, 1, nil}}, Signature},
		{"two of three new keys", []rootVersion{{five, 3, []int{0, 2, 4}}, {rotated, 3, []int{0, 2, 4}}}, Signature},
		{"two of three old keys", []rootVersion{{five, 3, []int{0, 2, 4}}, {rotated, 3, []int{0, 4, 5}}}, Signature},
		{"below the new threshold", []rootVersion{{[]int{0, 1, 2}, 1, []int{0}}, {[]int{0, 1, 2}, 2, []int{2}}}, Signature},
		{"below the old threshold", []rootVersion{{[]int{0, 1, 2}, 2, []int{0, 1}}, {[]int{0, 1, 2}, 1, []int{1}}},
			Signature},
		{"an intermediate root is unsigned", []rootVersion{{[]int{0}, 1, nil}, {[]int{0}, 1, []int{0}}}, Signature},
		{"threshold above the number of keys", []rootVersion{{[]int{0, 1}, 3, []int{0, 1}}}, Signature},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRepo()
			v := r.verifier(t)
			for _, root := range c.roots {
				r.trust(roleRoot, root.threshold, eds(root.keys...)...)
				r.signers[roleRoot] = eds(root.signers...)
				r.bump(roleRoot)
			}
			rel, err := v.Update(t.Context(), r, nil, testNow)
			checkClass(t, err, c.want)
			if err == nil && rel.Versions().Root.Version != int64(1+len(c.roots)) {
				t.Errorf("root version %d", rel.Versions().Root.Version)
			}
		})
	}
}

func TestOtherRoles(t *testing.T) {
	five := []int{10, 11, 12, 13, 14}
	for _, role := range []string{roleTimestamp, roleSnapshot, roleTargets} {
		for _, c := range []struct {
			name string
			rootVersion
			want Class
		}{
			{"rotated", rootVersion{[]int{12}, 1, []int{12}}, accepted},
			{"with signatures of strangers", rootVersion{[]int{11}, 1, []int{13, 11, 14}}, accepted},
			{"not signed by the new key", rootVersion{[]int{12}, 1, []int{11, 13, 14}}, Signature},
			{"signed by two of three and a stranger", rootVersion{[]int{10, 11, 13, 14, 15}, 3, []int{10, 12, 14}}, Signature},
			{"signed by two of three", rootVersion{five, 3, []int{10, 14}}, Signature},
			{"three of five", rootVersion{five, 3, []int{10, 12, 14}}, accepted},
			{"another three of five", rootVersion{five, 3, []int{14, 10, 11}}, accepted},
			{"five of five", rootVersion{five, 5, five}, accepted},
			{"signed by the root's key", rootVersion{[]int{12}, 1, []int{0}}, Signature},
			{"signed by the other roles' keys", rootVersion{[]int{12}, 1, []int{1, 2, 3}}, Signature},
			{"not signed", rootVersion{[]int{12}, 1, nil}, Signature},
			{"threshold above the number of keys", rootVersion{[]int{10, 11}, 3, []int{10, 11}}, Signature},
		} {
			for _, warm := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s/%s/warm=%t", role, c.name, warm), func(t *testing.T) {
					r := newRepo()
					v := r.verifier(t)
					var last *Release
					if warm {
						var err error
						if last, err = v.Update(t.Context(), r, nil, testNow); err != nil {
							t.Fatal(err)
						}
					}
					r.trust(role, c.threshold, eds(c.keys...)...)
					r.signers[role] = eds(c.signers...)
					r.bump(roleRoot, roleTargets, roleSnapshot, roleTimestamp)
					_, err := v.Update(t.Context(), r, last, testNow)
					checkClass(t, err, c.want)
				})
			}
		}
	}
}

func TestRootVersions(t *testing.T) {
	runEverywhere(t, []scenario{
		{"next root has the same version", nil, []step{first, {func(r *repo) {
			r.bump(roleTimestamp)
			r.objects["2.root.json"] = r.objects["1.root.json"]
		}, Rollback, "1 1 1 1"}}},
		{"next root skips a version", nil, []step{first, {func(r *repo) {
			r.bump(roleRoot, roleRoot, roleTimestamp)
			r.objects["2.root.json"] = r.objects["3.root.json"]
		}, Malformed, "1 1 1 1"}}},
		{"an older root is served again", nil, []step{
			{bumpFrom(roleRoot), accepted, "2 2 1 1"},
			{func(r *repo) {
				r.bump(roleTimestamp)
				r.objects["3.root.json"] = r.objects["1.root.json"]
			}, Rollback, "2 2 1 1"},
		}},
		{"a gap in the chain ends it", nil, []step{first, {func(r *repo) {
			r.bump(roleRoot, roleRoot, roleTimestamp)
			delete(r.objects, "2.root.json")
		}, accepted, "1 2 1 1"}}},
		{"expired intermediate root", nil, []step{first, {func(r *repo) {
			expires := r.signed[roleRoot]["expires"]
			r.signed[roleRoot]["expires"] = in(-day)
			r.bump(roleRoot)
			r.signed[roleRoot]["expires"] = expires
			r.bump(roleRoot, roleTimestamp)
		}, accepted, "3 2 1 1"}}},
		{"expired last root", nil, []step{first, {func(r *repo) {
			r.signed[roleRoot]["expires"] = in(-day)
			r.bump(roleRoot, roleTimestamp)
		}, Expired, "1 1 1 1"}}},
		{"expired pinned root, newer one published", nil, []step{{func(r *repo) {
			r.now = testNow.Add(366 * day)
			for _, role := range []string{roleRoot, roleTargets, roleSnapshot, roleTimestamp} {
				r.signed[role]["expires"] = in(400 * day)
				r.bump(role)
			}
		}, accepted, "2 2 2 2"}}},
		{"expired pinned root", nil, []step{{func(r *repo) { r.now = testNow.Add(366 * day) }, Expired, "-"}}},
		{"root of another environment", nil, []step{first,
			{set(roleRoot, environmentField, "staging"), Malformed, "1 1 1 1"}}},
		{"root of no environment", nil, []step{first, {without(roleRoot, environmentField), Malformed, "1 1 1 1"}}},
		{"environment is not text", nil, []step{first, {set(roleRoot, environmentField, 1), Malformed, "1 1 1 1"}}},
		{"environment is empty", nil, []step{first, {set(roleRoot, environmentField, ""), Malformed, "1 1 1 1"}}},
	})
}

func TestManyRootRotations(t *testing.T) {
	r := newRepo()
	v := r.verifier(t)
	for range maxRotations + 2 {
		r.bump(roleRoot)
	}
	rel, err := v.Update(t.Context(), r, nil, testNow)
	if err != nil {
		t.Fatal(err)
	}
	if got := rel.Versions().Root.Version; got != maxRotations+1 {
		t.Errorf("root version %d after one update", got)
	}
	if rel, err = v.UpdateRoot(t.Context(), r, rel, testNow); err != nil {
		t.Fatal(err)
	}
	if got := rel.Versions().Root.Version; got != maxRotations+3 {
		t.Errorf("root version %d after two updates", got)
	}
}

func TestExpiry(t *testing.T) {
	var scenarios []scenario
	for _, role := range []string{roleTimestamp, roleSnapshot, roleTargets} {
		scenarios = append(scenarios,
			scenario{"new " + role + " has expired", nil, []step{first, {expire(role), Expired, "1 1 1 1"}}},
			scenario{"first " + role + " has expired", nil, []step{{expire(role), Expired, "-"}}},
			scenario{role + " expires now", nil, []step{first, {set(role, "expires", in(0)), Expired, "1 1 1 1"}}},
		)
	}
	runEverywhere(t, append(scenarios,
		scenario{"expires in a second", nil, []step{first,
			{set(roleTimestamp, "expires", in(time.Second)), accepted, "1 2 1 1"}}},
		scenario{"expired meanwhile, renewed since", nil, []step{first, {func(r *repo) {
			r.now = testNow.Add(18 * day)
			r.signed[roleTimestamp]["expires"] = in(21 * day)
			r.signed[roleSnapshot]["expires"] = in(21 * day)
			r.release()
		}, accepted, "1 2 2 2"}}},
		scenario{"expired meanwhile, unchanged", nil,
			[]step{first, {func(r *repo) { r.now = testNow.Add(800 * day) }, accepted, "1 1 1 1"}}},
		scenario{"kept snapshot has expired", nil, []step{first, {func(r *repo) {
			r.now = testNow.Add(18 * day)
			r.signed[roleTimestamp]["expires"] = in(21 * day)
			r.bump(roleTimestamp)
		}, Expired, "1 1 1 1"}}},
		scenario{"kept targets have expired", nil, []step{first, {func(r *repo) {
			r.now = testNow.Add(100 * day)
			r.signed[roleTimestamp]["expires"] = in(121 * day)
			r.signed[roleSnapshot]["expires"] = in(121 * day)
			r.bumpFrom(roleSnapshot)
		}, Expired, "1 1 1 1"}}},
		scenario{"clock two hours back", nil, []step{first,
			{func(r *repo) { r.now = testNow.Add(-2 * time.Hour); r.release() }, accepted, "1 2 2 2"}}},
		scenario{"clock two hours ahead", nil, []step{first,
			{func(r *repo) { r.now = testNow.Add(2 * time.Hour); r.release() }, accepted, "1 2 2 2"}}},
		scenario{"clock ten years ahead", nil, []step{
			first,
			{func(r *repo) { r.now = testNow.AddDate(10, 0, 0); r.release() }, Expired, "1 1 1 1"},
			{func(r *repo) { r.now = testNow }, accepted, "1 2 2 2"},
		}},
	))
}

// TestUpdateIgnoreExpiry holds that expiry is all that UpdateIgnoreExpiry ignores,
// and that only it ignores expiry: the zero time is no way around it.
func TestUpdateIgnoreExpiry(t *testing.T) {
	for _, role := range []string{roleRoot, roleTimestamp, roleSnapshot, roleTargets} {
		r := newRepo()
		v := r.verifier(t)
		expire(role)(r)
		rel, err := v.UpdateIgnoreExpiry(t.Context(), r)
		if err != nil {
			t.Fatalf("%s has expired: %v", role, err)
		}
		if want := testNow.Add(-time.Second); !rel.Expires().Equal(want) {
			t.Errorf("%s has expired: the release expires at %v, want %v", role, rel.Expires(), want)
		}
		for _, now := range []time.Time{testNow, {}} {
			if _, err := v.Update(t.Context(), r, nil, now); err == nil {
				t.Errorf("%s has expired: accepted at %v", role, now)
			} else {
				checkClass(t, err, Expired)
			}
		}
		if _, err := v.UpdateRoot(t.Context(), r, rel, time.Time{}); err == nil {
			t.Errorf("%s has expired: accepted without a time", role)
		}
		r.edit(r.name(role), `"version"`, `"Version"`)
		_, err = v.UpdateIgnoreExpiry(t.Context(), r)
		if class, _ := ClassOf(err); class != Signature && class != Malformed {
			t.Errorf("%s was changed: got error %v", role, err)
		}
	}
}
