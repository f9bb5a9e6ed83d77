package bundle

import (
	"crypto/elliptic"
	"fmt"
	"strings"
	"testing"
)

func TestRollback(t *testing.T) {
	runEverywhere(t, []scenario{
		{"timestamp", nil, []step{
			{bumpFrom(roleTimestamp), accepted, "1 2 1 1"},
			{func(r *repo) { r.signed[roleTimestamp]["version"] = 1; r.publish(roleTimestamp) }, Rollback, "1 2 1 1"},
		}},
		{"snapshot in the timestamp", nil, []step{
			{bumpFrom(roleSnapshot), accepted, "1 2 2 1"},
			{func(r *repo) { r.listed(roleSnapshot)["version"] = 1; r.bump(roleTimestamp) }, Rollback, "1 2 2 1"},
		}},
		{"snapshot in the timestamp, with hashes", nil, []step{
			{func(r *repo) { r.listHashes = true; r.release() }, accepted, "1 2 2 2"},
			{func(r *repo) { r.signed[roleSnapshot]["version"] = 1; r.publish(roleSnapshot); r.bump(roleTimestamp) },
				Rollback,
				"1 2 2 2"},
		}},
		{"targets in the snapshot", nil, []step{
			{bumpFrom(roleTargets), accepted, "1 2 2 2"},
			{func(r *repo) { r.listed(roleTargets)["version"] = 1; r.bumpFrom(roleSnapshot) }, Rollback, "1 2 2 2"},
		}},
		{"targets in the snapshot, with hashes", nil, []step{
			{func(r *repo) { r.listHashes = true; r.release() }, accepted, "1 2 2 2"},
			{func(r *repo) { r.signed[roleTargets]["version"] = 1; r.publish(roleTargets); r.bumpFrom(roleSnapshot) },
				Rollback, "1 2 2 2"},
		}},
		{"another file in the snapshot", nil, []step{
			{func(r *repo) {
				r.signed[roleSnapshot]["meta"].(object)["team.json"] = object{"version": 4}
				r.bumpFrom(roleSnapshot)
			}, accepted, "1 2 2 1"},
			{func(r *repo) {
				r.signed[roleSnapshot]["meta"].(object)["team.json"] = object{"version": 3}
				r.bumpFrom(roleSnapshot)
			}, Rollback, "1 2 2 1"},
		}},
		{"another file is gone from the snapshot", nil, []step{
			{func(r *repo) {
				r.signed[roleSnapshot]["meta"].(object)["team.json"] = object{"version": 1}
				r.bumpFrom(roleSnapshot)
			}, accepted, "1 2 2 1"},
			{func(r *repo) {
				delete(r.signed[roleSnapshot]["meta"].(object), "team.json")
				r.bumpFrom(roleSnapshot)
			}, Rollback, "1 2 2 1"},
		}},
		{"the snapshot served is older than listed", nil, []step{first, {func(r *repo) {
			r.release()
			r.objects["2.snapshot.json"] = r.objects["1.snapshot.json"]
		}, Rollback, "1 1 1 1"}}},
		{"the snapshot served is newer than listed", nil, []step{first, {func(r *repo) {
			r.release()
			r.bump(roleSnapshot)
			r.objects["2.snapshot.json"] = r.objects["3.snapshot.json"]
		}, Malformed, "1 1 1 1"}}},
		{"the targets served are older than listed", nil, []step{first, {func(r *repo) {
			r.release()
			r.objects["2.targets.json"] = r.objects["1.targets.json"]
		}, Rollback, "1 1 1 1"}}},
		{"the targets served are newer than listed", nil, []step{first, {func(r *repo) {
			r.release()
			r.bump(roleTargets)
			r.objects["2.targets.json"] = r.objects["3.targets.json"]
		}, Malformed, "1 1 1 1"}}},
		{"below the least revision", func(c *VerifierConfig) { c.MinRevision = 3 }, []step{
			{nil, Rollback, "-"},
			{release, Rollback, "-"},
			{release, accepted, "1 3 3 3"},
		}},
		{"of the whole repository", nil, []step{
			{release, accepted, "1 2 2 2"},
			{func(r *repo) {
				old := newRepo()
				r.objects = old.objects
			}, Rollback, "1 2 2 2"},
		}},
	})
}

// TestFastForward is about a thief who signed very high versions: when the keys
// are rotated, the repository goes on with its own.
func TestFastForward(t *testing.T) {
	const far = 1<<53 - 1
	forward := func(r *repo, role string) { r.signed[role]["version"] = far; r.publish(role) }
	back := func(r *repo, role string) { r.signed[role]["version"] = 1 }
	runEverywhere(t, []scenario{
		{"timestamp", nil, []step{
			{func(r *repo) { forward(r, roleTimestamp) }, accepted, fmt.Sprint("1 ", far, " 1 1")},
			{func(r *repo) {
				back(r, roleTimestamp)
				r.rotate(roleTimestamp, ed(11))
				r.bump(roleRoot, roleTimestamp)
			}, accepted, "2 2 1 1"},
		}},
		{"snapshot and timestamp", nil, []step{
			{func(r *repo) { forward(r, roleSnapshot); r.bump(roleTimestamp) }, accepted, fmt.Sprint("1 2 ", far, " 1")},
			{func(r *repo) {
				back(r, roleSnapshot)
				r.rotate(roleTimestamp, ed(11))
				r.rotate(roleSnapshot, ed(12))
				r.bump(roleRoot, roleSnapshot, roleTimestamp)
			}, accepted, "2 3 2 1"},
		}},
		{"targets, by rotating the snapshot's key", nil, []step{
			{func(r *repo) { forward(r, roleTargets); r.bump(roleSnapshot, roleTimestamp) }, accepted,
				fmt.Sprint("1 2 2 ", far)},
			{func(r *repo) {
				back(r, roleTargets)
				r.rotate(roleSnapshot, ed(12))
				r.bump(roleRoot, roleTargets, roleSnapshot, roleTimestamp)
			}, accepted, "2 3 3 2"},
		}},
		{"all three, by rotating the online key", nil, []step{
			{func(r *repo) {
				for _, role := range []string{roleTargets, roleSnapshot, roleTimestamp} {
					forward(r, role)
				}
			}, accepted, fmt.Sprint("1 ", far, " ", far, " ", far)},
			{func(r *repo) {
				for _, role := range []string{roleTargets, roleSnapshot, roleTimestamp} {
					back(r, role)
					r.rotate(role, ed(11))
				}
				r.bump(roleRoot, roleTargets, roleSnapshot, roleTimestamp)
			}, accepted, "2 2 2 2"},
		}},
		{"not without a rotation", nil, []step{
			{func(r *repo) { forward(r, roleTimestamp) }, accepted, fmt.Sprint("1 ", far, " 1 1")},
			{func(r *repo) { back(r, roleTimestamp); r.bump(roleRoot, roleTimestamp) }, Rollback, fmt.Sprint("1 ", far, " 1 1")},
		}},
		{"not if the old key is still good", nil, []step{
			{func(r *repo) { forward(r, roleTimestamp) }, accepted, fmt.Sprint("1 ", far, " 1 1")},
			{func(r *repo) {
				back(r, roleTimestamp)
				r.rotate(roleTimestamp, ed(1), ed(11))
				r.bump(roleRoot, roleTimestamp)
			}, Rollback, fmt.Sprint("1 ", far, " 1 1")},
		}},
	})
}

func TestRotatedKeys(t *testing.T) {
	runEverywhere(t, []scenario{
		{"rotation of the online key", nil, []step{first, {func(r *repo) {
			for _, role := range []string{roleTargets, roleSnapshot, roleTimestamp} {
				r.rotate(role, p256())
			}
			r.bump(roleRoot)
			r.release()
		}, accepted, "2 2 2 2"}}},
		{"rotation of the targets key alone, the old targets stay", nil, []step{first, {func(r *repo) {
			r.rotate(roleTargets, ed(13))
			r.bump(roleRoot, roleTimestamp)
		}, Signature, "1 1 1 1"}}},
		{"same timestamp version after a rotation, other content", nil, []step{first, {func(r *repo) {
			r.bump(roleRoot, roleTargets, roleSnapshot)
			r.signed[roleTimestamp]["version"] = 1
			r.publish(roleTimestamp)
		}, Conflict, "1 1 1 1"}}},
		{"expired timestamp after a rotation", nil, []step{first, {func(r *repo) {
			r.now = testNow.Add(2 * day)
			r.bump(roleRoot)
			r.signers[roleTimestamp] = eds(1, 30)
			r.publish(roleTimestamp)
		}, Expired, "1 1 1 1"}}},
		{"same versions, signed anew by new keys", nil, []step{first, {func(r *repo) {
			for _, role := range []string{roleTargets, roleSnapshot, roleTimestamp} {
				r.rotate(role, ed(11))
				r.publish(role)
			}
			r.bump(roleRoot)
		}, accepted, "2 1 1 1"}}},
	})
}

// needing makes k one of two keys that must sign timestamp, and lets it.
func needing(k testKey) func(*repo) {
	return func(r *repo) {
		r.trust(roleTimestamp, 2, ed(1), k)
		r.signers[roleTimestamp] = []testKey{ed(1), k}
		r.bump(roleRoot, roleTimestamp)
	}
}

// listedAs returns k with another listing. Its keyid is right.
func listedAs(k testKey, change func(object)) testKey {
	listing := copyJSON(k.public).(object)
	change(listing)
	return testKey{keyIDOf(listing), listing, k.sign}
}

// signing returns k with another signature.
func signing(k testKey, sig string) testKey {
	k.sign = func([]byte) []byte { return []byte(sig) }
	return k
}

func TestKeyIDs(t *testing.T) {
	renamed := func(k testKey, id string) testKey { k.id = id; return k }
	garbled, empty := signing(p256(), "not a signature"), signing(ed(20), "")
	scenarios := []scenario{
		{"same key under two keyids", nil, []step{first,
			{needing(listedAs(ed(1), func(o object) { o["note"] = "again" })), Signature, "1 1 1 1"}}},
		{"same ECDSA key under two key types", nil, []step{first, {func(r *repo) {
			a, b := p256(), ec(p256Private(), "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp256")
			r.trust(roleTimestamp, 2, a, b)
			r.signers[roleTimestamp] = []testKey{a, b}
			r.bump(roleRoot, roleTimestamp)
		}, Signature, "1 1 1 1"}}},
		{"keyid twice in a role", nil, []step{first, {func(r *repo) {
			r.trust(roleTimestamp, 1, ed(1), ed(1))
			r.bump(roleRoot, roleTimestamp)
		}, Malformed, "1 1 1 1"}}},
		{"two signatures by one keyid", nil, []step{first, {signedBy(roleSnapshot, ed(2), ed(2)), Malformed, "1 1 1 1"}}},
		{"two signatures by a stranger's keyid", nil,
			[]step{first, {signedBy(roleTimestamp, ed(1), ed(30), ed(30)), Malformed, "1 1 1 1"}}},
		{"one valid and one wrong signature", nil, []step{first, {func(r *repo) {
			r.trust(roleTimestamp, 1, ed(1), garbled)
			r.signers[roleTimestamp] = []testKey{ed(1), garbled}
			r.bump(roleRoot, roleTimestamp)
		}, accepted, "2 2 1 1"}}},
		{"one valid and one empty signature", nil, []step{first, {func(r *repo) {
			r.trust(roleTimestamp, 1, ed(1), empty)
			r.signers[roleTimestamp] = []testKey{ed(1), empty}
			r.bump(roleRoot, roleTimestamp)
		}, accepted, "2 2 1 1"}}},
		{"another key's signature under the keyid", nil,
			[]step{first, {signedBy(roleTimestamp, renamed(ed(2), ed(1).id)), Signature, "1 1 1 1"}}},
		{"keyid in upper case", nil, []step{first,
			{needing(renamed(ed(20), strings.ToUpper(ed(20).id))), Malformed, "1 1 1 1"}}},
		{"keyid is not that of the key", nil, []step{first, {needing(renamed(ed(20), ed(21).id)), Malformed, "1 1 1 1"}}},
		{"keyid is a word", nil, []step{first, {needing(renamed(ed(20), "online")), Malformed, "1 1 1 1"}}},
		{"keyid in upper case in the signature", nil,
			[]step{first, {signedBy(roleTimestamp, renamed(ed(1), strings.ToUpper(ed(1).id))), Signature, "1 1 1 1"}}},
		{"keyids of strangers of any form", nil,
			[]step{first, {signedBy(roleTimestamp, ed(1), renamed(ed(30), ""), renamed(ed(31), "../x"),
				renamed(ed(32), "ключ")), accepted, "1 2 1 1"}}},
		{"a field that keys do not have, outside the keyid", nil, []step{first, {func(r *repo) {
			r.signed[roleRoot]["keys"].(object)[ed(1).id].(object)["keyid_hash_algorithms"] = []any{"md5"}
			r.bump(roleRoot, roleTimestamp)
		}, accepted, "2 2 1 1"}}},
		{"a field that keys do not have, inside the keyid", nil,
			[]step{first, {needing(listedAs(ed(20), func(o object) { o["owner"] = "ops" })), accepted, "2 2 1 1"}}},
		{"a role has no keys", nil, []step{first,
			{func(r *repo) { r.trust(roleTimestamp, 1); r.bump(roleRoot, roleTimestamp) }, Malformed, "1 1 1 1"}}},
		{"a role has an unlisted key", nil, []step{first, {func(r *repo) {
			r.trust(roleTimestamp, 1, ed(1), ed(20))
			delete(r.signed[roleRoot]["keys"].(object), ed(20).id)
			r.bump(roleRoot, roleTimestamp)
		}, Malformed, "1 1 1 1"}}},
		{"threshold 0", nil, []step{first, {func(r *repo) {
			r.trust(roleSnapshot, 0, ed(2))
			r.bump(roleRoot,
				roleTimestamp)
		}, Malformed, "1 1 1 1"}}},
		{"threshold -1", nil, []step{first, {func(r *repo) {
			r.trust(roleSnapshot, -1, ed(2))
			r.bump(roleRoot,
				roleTimestamp)
		}, Malformed, "1 1 1 1"}}},
		{"a role that TUF does not have", nil, []step{first, {func(r *repo) {
			r.trust("mirrors", 1, ed(1), ed(20))
			r.bump(roleRoot, roleTimestamp)
		}, accepted, "2 2 1 1"}}},
		{"one key for all roles, and each role as another", nil, []step{
			{func(r *repo) {
				for _, role := range []string{roleTimestamp, roleSnapshot, roleTargets} {
					r.rotate(role, ed(0))
				}
				r.bump(roleRoot, roleTargets, roleSnapshot, roleTimestamp)
			}, accepted, "2 2 2 2"},
			{func(r *repo) { r.release(); r.objects["timestamp.json"] = r.objects["3.snapshot.json"] }, Malformed, "2 2 2 2"},
			{func(r *repo) { r.release(); r.objects["4.snapshot.json"] = r.objects["timestamp.json"] }, Malformed, "2 2 2 2"},
			{func(r *repo) { r.release(); r.objects["5.targets.json"] = r.objects["5.snapshot.json"] }, Malformed, "2 2 2 2"},
			{func(r *repo) { r.release(); r.objects["3.root.json"] = r.objects["6.targets.json"] }, Malformed, "2 2 2 2"},
		}},
	}
	for _, role := range []string{roleTimestamp, roleSnapshot, roleTargets, roleRoot} {
		scenarios = append(scenarios,
			scenario{role + " is not listed among the roles", nil, []step{first, {func(r *repo) {
				delete(r.signed[roleRoot]["roles"].(object), role)
				r.bump(roleRoot, roleTimestamp)
			}, Malformed, "1 1 1 1"}}})
	}
	runEverywhere(t, scenarios)
}

func TestKeyKinds(t *testing.T) {
	public := func(k testKey, public string) testKey {
		return listedAs(k, func(o object) { o["keyval"].(object)["public"] = public })
	}
	pem := pemOf(p256Private().Public())
	var scenarios []scenario
	for _, c := range []struct {
		name string
		key  testKey
		want Class
	}{
		{"ed25519", ed(20), accepted},
		{"ecdsa", p256(), accepted},
		{"ecdsa-sha2-nistp256", ec(p256Private(), "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp256"), accepted},
		{"ecdsa without a newline at the end", public(p256(), strings.TrimSpace(pem)), accepted},
		{"ecdsa, P-384", ec(newECDSA(elliptic.P384()), "ecdsa", "ecdsa-sha2-nistp256"), Malformed},
		{"ecdsa, scheme of P-384", ec(p256Private(), "ecdsa", "ecdsa-sha2-nistp384"), Malformed},
		{"ecdsa, not PEM", public(p256(), "secret"), Malformed},
		{"ecdsa, another PEM", public(p256(), strings.ReplaceAll(pem, "PUBLIC KEY", "CERTIFICATE")), Malformed},
		{"ecdsa, two PEM blocks", public(p256(), pem+pem), Malformed},
		{"ecdsa, ed25519 inside", public(p256(), pemOf(edPrivate(1).Public())), Malformed},
		{"ecdsa, wrong signature", signing(p256(), "not a signature"), Signature},
		{"ed25519, short", public(ed(20), "00ff"), Malformed},
		{"ed25519, not hexadecimal", public(ed(20), strings.Repeat("x", 64)), Malformed},
		{"ed25519, another scheme", listedAs(ed(20), func(o object) { o["scheme"] = "ecdsa-sha2-nistp256" }), Malformed},
		{"ed25519, empty signature", signing(ed(20), ""), Signature},
		{"rsa", listedAs(p256(), func(o object) { o["keytype"], o["scheme"] = "rsa", "rsassa-pss-sha256" }), Malformed},
		{"no such type", listedAs(ed(20), func(o object) { o["keytype"] = "none" }), Malformed},
		{"no type", listedAs(ed(20), func(o object) { delete(o, "keytype") }), Malformed},
		{"no scheme", listedAs(ed(20), func(o object) { delete(o, "scheme") }), Malformed},
		{"no value", listedAs(ed(20), func(o object) { delete(o, "keyval") }), Malformed},
		{"no public value", listedAs(ed(20), func(o object) { o["keyval"] = object{} }), Malformed},
	} {
		have := "1 1 1 1"
		if c.want == accepted {
			have = "2 2 1 1"
		}
		scenarios = append(scenarios, scenario{"key " + c.name, nil, []step{first, {needing(c.key), c.want, have}}})
	}
	runEverywhere(t, scenarios)
}
