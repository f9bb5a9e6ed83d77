package bundle

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// refusals collects scenarios in which the second update is refused.
type refusals []scenario

func (s *refusals) add(name string, f func(*repo), want Class) {
	*s = append(*s, scenario{name, nil, []step{first, {f, want, "1 1 1 1"}}})
}

var fourRoles = []string{roleRoot, roleTimestamp, roleSnapshot, roleTargets}

// TestFields is about metadata that is well signed, but whose common fields are
// not well formed.
func TestFields(t *testing.T) {
	var s refusals
	for _, role := range fourRoles {
		for _, c := range []struct {
			key   string
			value any
		}{
			{"_type", "mirrors"}, {"_type", 1}, {"_type", strings.ToUpper(role)},
			{"spec_version", "2.0.0"}, {"spec_version", "0.9"}, {"spec_version", "1"}, {"spec_version", "1.0.0.0"},
			{"spec_version", "1.x"}, {"spec_version", "1.-1"}, {"spec_version", "10.0"}, {"spec_version",
				"01.0"}, {"spec_version", 1},
			{"version", 0}, {"version", -1}, {"version", "2"}, {"version", nil}, {"version", true},
			{"expires", "2027-01-01"}, {"expires", "2027-01-01T00:00:00"}, {"expires", "2027-01-01T00:00:00+00:00"},
			{"expires", "2027-01-01T00:00:00.5Z"}, {"expires", "2027-13-01T00:00:00Z"}, {"expires", "2027-01-01t00:00:00z"},
			{"expires", 1893456000}, {"expires", nil}, {"expires", ""},
		} {
			s.add(fmt.Sprintf("%s with %s %v", role, c.key, c.value), set(role, c.key, c.value), Malformed)
		}
		for _, key := range []string{"_type", "spec_version", "version", "expires"} {
			s.add(role+" without "+key, without(role, key), Malformed)
		}
		for _, version := range []string{"1.0", "1.4.2", "1.99.0"} {
			s = append(s, scenario{role + " of specification " + version, nil, []step{
				{set(role, "spec_version", version), accepted, map[string]string{
					roleRoot: "2 2 1 1", roleTimestamp: "1 2 1 1", roleSnapshot: "1 2 2 1", roleTargets: "1 2 2 2",
				}[role]},
			}})
		}
	}
	runScenarios(t, s)
}

// TestSyntax is about metadata that no signature could save.
func TestSyntax(t *testing.T) {
	var s refusals
	for _, role := range fourRoles {
		for _, c := range []struct{ name, old, new string }{
			{"duplicate key in signed", `"spec_version"`, `"version": 1, "spec_version"`},
			{"duplicate key by an escape", `"spec_version"`, `"_typ\u0065": "x", "spec_version"`},
			{"duplicate key outside", `"signed"`, `"signed": {}, "signed"`},
			{"fraction", `"version": 2`, `"version": 2.0`},
			{"exponent", `"version": 2`, `"version": 2e0`},
			{"leading zero", `"version": 2`, `"version": 02`},
			{"huge number", `"version": 2`, `"version": 9007199254740993`},
			{"enormous number", `"version": 2`, `"version": 1` + strings.Repeat("0", 400)},
			{"negative zero", `"version": 2`, `"version": -0`},
			{"trailing comma", "\n}", ",\n}"},
			{"signed is missing", `"signed"`, `"Signed"`},
			{"signatures are missing", `"signatures"`, `"Signatures"`},
			{"signatures are an object", `"signatures": [`, `"signatures": {}, "x": [`},
			{"signature without keyid", `"keyid"`, `"keyID"`},
			{"signature without sig", `"sig"`, `"SIG"`},
			{"signature is not hexadecimal", `"sig": "`, `"sig": "0x`},
			{"signature of odd length", `"sig": "`, `"sig": "0`},
			{"deep nesting", `"version": 2`, `"x": ` + strings.Repeat("[", 50) + strings.Repeat("]", 50) + `, "version": 2`},
			{"invalid UTF-8", `"version": 2`, "\"x\": \"\xff\", \"version\": 2"},
			{"lone surrogate", `"version": 2`, `"x": "\ud800", "version": 2`},
		} {
			s.add(role+": "+c.name, rewrite(role, c.old, c.new), Malformed)
		}
		s.add(role+": trailing data", func(r *repo) {
			r.bumpFrom(role)
			r.objects[r.name(role)] = append(r.objects[r.name(role)], "{}"...)
		}, Malformed)
		s.add(role+": empty", func(r *repo) { r.bumpFrom(role); r.objects[r.name(role)] = nil }, Malformed)
		s.add(role+": a page", func(r *repo) {
			r.bumpFrom(role)
			r.objects[r.name(role)] = []byte("<html><body>Please log in</body></html>")
		}, Malformed)
		s.add(role+": byte order mark", func(r *repo) {
			r.bumpFrom(role)
			r.objects[r.name(role)] = append([]byte("\ufeff"), r.objects[r.name(role)]...)
		}, Malformed)
		// The value is as before, so the signature is for another.
		s.add(role+": changed value", rewrite(role, `"spec_version": "1.0.31"`, `"spec_version": "1.0.32"`), Signature)
		s.add(role+": wrong case of a key", rewrite(role, `"version": 2`, `"Version": 2`), Signature)
		s.add(role+": wrong case of a key, signed", func(r *repo) {
			r.forge(role, func(o object) { o["Version"] = o["version"]; delete(o, "version") })
		}, Malformed)
	}
	// What was read is parsed in one way, wherever it was read from: one role is
	// enough to see that it arrives as it is.
	others := slices.DeleteFunc(slices.Clone(s),
		func(s scenario) bool { return strings.HasPrefix(s.name, roleTimestamp) })
	runScenarios(t, others)
	runEverywhere(t, slices.DeleteFunc(s, func(s scenario) bool { return !strings.HasPrefix(s.name, roleTimestamp) }))
}

// TestStructure is about fields that only some roles have.
func TestStructure(t *testing.T) {
	var s refusals
	s.add("snapshot listed with hashes in another case",
		set(roleTimestamp, "meta", object{"snapshot.json": object{"version": 2,
			"Hashes": object{"sha256": "ab"}}}), Malformed)
	s.add("target with custom in another case", func(r *repo) {
		r.forge(roleTargets,
			func(o object) { o["targets"].(object)["checkout/"+PayloadName].(object)["Custom"] = object{} })
	}, Malformed)
	s.add("delegations in another case", set(roleTargets, "Delegations", object{}), Malformed)
	s.add("both cases of a key", set(roleTimestamp, "Version", 2), Malformed)
	s.add("a key with the Kelvin sign", set(roleRoot, "\u212aeys", object{}), Malformed)
	s.add("root without consistent snapshots", set(roleRoot, "consistent_snapshot", false), Malformed)
	s.add("root that doesn't say whether snapshots are consistent", without(roleRoot, "consistent_snapshot"), Malformed)
	s.add("root with a word for consistent snapshots", set(roleRoot, "consistent_snapshot", "true"), Malformed)
	s.add("root without keys", without(roleRoot, "keys"), Malformed)
	s.add("root without roles", without(roleRoot, "roles"), Malformed)
	s.add("root with an array of keys", set(roleRoot, "keys", []any{}), Malformed)
	s.add("root with a key that is null", func(r *repo) {
		r.forge(roleRoot, func(o object) { o["keys"].(object)[ed(1).id] = nil })
	}, Malformed)
	s.add("root with a keyid that is a number", func(r *repo) {
		r.forge(roleRoot, func(o object) { o["roles"].(object)["timestamp"].(object)["keyids"] = []any{1} })
	}, Malformed)
	s.add("timestamp that lists no snapshot", set(roleTimestamp, "meta", object{"targets.json": object{"version": 1}}),
		Malformed)
	s.add("snapshot that lists no targets", set(roleSnapshot, "meta", object{}), Malformed)
	s.add("timestamp without meta", without(roleTimestamp, "meta"), Malformed)
	s.add("snapshot with meta null", set(roleSnapshot, "meta", nil), Malformed)
	for _, c := range []struct {
		name string
		meta any
	}{
		{"no version", object{}}, {"version 0", object{"version": 0}}, {"a number", 1}, {"null", nil},
		{"length 0", object{"version": 1, "length": 0}}, {"negative length", object{"version": 1, "length": -1}},
		{"length null", object{"version": 1, "length": nil}}, {"length text", object{"version": 1, "length": "9"}},
		{"no hashes", object{"version": 1, "hashes": object{}}}, {"hashes null", object{"version": 1, "hashes": nil}},
		{"an empty hash", object{"version": 1, "hashes": object{"sha256": ""}}},
		{"a hash in upper case", object{"version": 1, "hashes": object{"sha256": strings.Repeat("AB", 32)}}},
		{"a hash that is a number", object{"version": 1, "hashes": object{"sha256": 1}}},
	} {
		s.add("snapshot listed with "+c.name, set(roleTimestamp, "meta", object{"snapshot.json": c.meta}), Malformed)
		s.add("targets listed with "+c.name, set(roleSnapshot, "meta", object{"targets.json": c.meta}), Malformed)
	}
	runScenarios(t, s)
}

func TestUnknownFields(t *testing.T) {
	extra := object{"a": []any{1, "two", nil, true, object{"b": "\u00e9\"\\\n"}}}
	runScenarios(t, []scenario{{"everywhere", nil, []step{{func(r *repo) {
		for _, role := range []string{roleRoot, roleTimestamp, roleSnapshot, roleTargets} {
			r.signed[role]["x-custom"] = extra
		}
		r.signed[roleRoot]["roles"].(object)[roleTargets].(object)["x-custom"] = extra
		r.listed(roleSnapshot)["x-custom"] = extra
		r.listed(roleTargets)["x-custom"] = extra
		r.target("checkout")["custom"] = extra
		r.target("checkout")["x-custom"] = extra
		r.bump(roleRoot, roleTargets, roleSnapshot, roleTimestamp)
		for _, role := range []string{roleRoot, roleTimestamp, roleSnapshot, roleTargets} {
			r.edit(r.name(role), `"keyid"`, `"x-custom": {"b": []}, "keyid"`)
			r.edit(r.name(role), `"signatures"`, `"x-custom": null, "signatures"`)
		}
	}, accepted, "2 2 2 2"}}}})
}

func TestListedMetadata(t *testing.T) {
	var scenarios []scenario
	for _, role := range []string{roleSnapshot, roleTargets} {
		lister := map[string]string{roleSnapshot: roleTimestamp, roleTargets: roleSnapshot}[role]
		for _, c := range []struct {
			name   string
			change func(l object)
			want   Class
		}{
			{"right", func(object) {}, accepted},
			{"only the length", func(l object) { delete(l, "hashes") }, accepted},
			{"only the hash", func(l object) { delete(l, "length") }, accepted},
			{"wrong hash", func(l object) { l["hashes"] = object{"sha256": strings.Repeat("ab", 32)} }, Signature},
			{"short hash", func(l object) { l["hashes"] = object{"sha256": "ab"} }, Signature},
			{"wrong SHA-512", func(l object) { l["hashes"].(object)["sha512"] = strings.Repeat("ab", 64) }, Signature},
			{"unknown hash", func(l object) { l["hashes"] = object{"blake2b": "ab"} }, Signature},
			{"shorter", func(l object) { l["length"] = l["length"].(int) - 1 }, Signature},
			{"longer", func(l object) { l["length"] = l["length"].(int) + 1 }, Signature},
			{"beyond the limit", func(l object) { l["length"] = 5_000_001 }, Malformed},
			{"another version", func(l object) { l["version"] = 7 }, NotFound},
		} {
			have := "1 1 1 1"
			if c.want == accepted {
				have = map[string]string{roleSnapshot: "1 2 2 1", roleTargets: "1 2 2 2"}[role]
			}
			scenarios = append(scenarios, scenario{role + " listed: " + c.name, nil, []step{first, {func(r *repo) {
				r.listHashes = true
				r.bump(role)
				c.change(r.listed(role))
				r.bumpFrom(lister)
			}, c.want, have}}})
		}
		scenarios = append(scenarios,
			scenario{role + " is missing", nil, []step{first, {func(r *repo) {
				r.bumpFrom(role)
				delete(r.objects, r.name(role))
			}, NotFound, "1 1 1 1"}}},
			scenario{role + " has only the name without a version", nil, []step{first, {func(r *repo) {
				r.bumpFrom(role)
				r.objects[role+".json"] = r.objects[r.name(role)]
				delete(r.objects, r.name(role))
			}, NotFound, "1 1 1 1"}}},
			scenario{role + " that is trusted does not have the hash listed", nil, []step{first, {func(r *repo) {
				r.listed(role)["hashes"] = object{"sha256": strings.Repeat("ab", 32)}
				r.bumpFrom(lister)
			}, Signature, "1 1 1 1"}}},
			scenario{role + " is replaced by one with the same version", nil, []step{first, {func(r *repo) {
				r.listHashes = true
				r.bumpFrom(role)
				r.signed[role]["x"] = "y"
				r.objects[r.name(role)] = r.encode(role)
			}, Signature, "1 1 1 1"}}},
		)
	}
	scenarios = append(scenarios,
		scenario{"timestamp is missing", nil, []step{first,
			{func(r *repo) { delete(r.objects, "timestamp.json") }, NotFound, "1 1 1 1"}}},
		scenario{"nothing is there", nil, []step{{func(r *repo) { clear(r.objects) }, NotFound, "-"}}},
	)
	runScenarios(t, scenarios)
}

func TestTargets(t *testing.T) {
	target := func(path string, value any) func(*repo) {
		return func(r *repo) {
			r.forge(roleTargets, func(o object) { o["targets"].(object)[path] = value })
		}
	}
	fine := object{"length": 3, "hashes": object{"sha256": strings.Repeat("ab", 32)}}
	const mine = "checkout/" + PayloadName
	var scenarios []scenario
	for _, c := range []struct {
		name string
		do   func(*repo)
		want Class
	}{
		{"another file", target("checkout/readme.txt", fine), accepted},
		{"another file at the top", target("readme.txt", fine), accepted},
		{"another file with a strange path", target("../../etc/passwd", fine), accepted},
		{"another file that is empty", target("x", object{"length": 0, "hashes": object{"sha256": hashOf(nil)}}), accepted},
		{"another file with an unknown hash", target("x", object{"length": 3, "hashes": object{"blake2b": "ab"}}), accepted},
		{"another file without a length", target("x", object{"hashes": object{"sha256": "ab"}}), Malformed},
		{"another file with a negative length", target("x", object{"length": -1, "hashes": object{"sha256": "ab"}}),
			Malformed},
		{"another file without hashes", target("x", object{"length": 3}), Malformed},
		{"another file with no hash", target("x", object{"length": 3, "hashes": object{}}), Malformed},
		{"another file with custom null",
			target("x", object{"length": 3, "hashes": object{"sha256": "ab"}, "custom": nil}),
			Malformed},
		{"another file is null", target("x", nil), Malformed},
		{"no namespace", target(PayloadName, fine), accepted},
		{"empty namespace", target("/"+PayloadName, fine), Malformed},
		{"parent folder", target("../"+PayloadName, fine), Malformed},
		{"parent folder inside", target("a/../b/"+PayloadName, fine), Malformed},
		{"this folder", target("./a/"+PayloadName, fine), Malformed},
		{"absolute path", target("/a/"+PayloadName, fine), Malformed},
		{"double slash", target("a//b/"+PayloadName, fine), Malformed},
		{"backslash", target(`a\b/`+PayloadName, fine), Malformed},
		{"question mark", target("a?b/"+PayloadName, fine), Malformed},
		{"percent sign", target("a%2f..%2fb/"+PayloadName, fine), Malformed},
		{"not ASCII", target("ключ/"+PayloadName, fine), Malformed},
		{"too long", target(strings.Repeat("a", 101)+"/"+PayloadName, fine), Malformed},
		{"payload without SHA-256",
			target(mine, object{"length": 3, "hashes": object{"sha512": strings.Repeat("ab", 64)}}),
			Malformed},
		{"payload of length 0", target(mine, object{"length": 0, "hashes": object{"sha256": hashOf(nil)}}), Malformed},
		{"payload too large", target(mine, object{"length": MaxPayloads + 1, "hashes": object{"sha256": hashOf(nil)}}),
			Malformed},
		{"payload is not there", target(mine, fine), NotFound},
		{"payload listed too short", func(r *repo) {
			r.forge(roleTargets, func(o object) {
				l := o["targets"].(object)[mine].(object)
				l["length"] = l["length"].(int) - 1
			})
		}, Signature},
		{"targets are an array", set(roleTargets, "targets", []any{}), Malformed},
		{"targets are missing", without(roleTargets, "targets"), Malformed},
		{"delegations", set(roleTargets, "delegations", object{"keys": object{}, "roles": []any{}}), Malformed},
		{"delegations null", set(roleTargets, "delegations", nil), Malformed},
	} {
		have := "1 1 1 1"
		if c.want == accepted {
			have = "1 2 2 2"
		}
		scenarios = append(scenarios, scenario{c.name, nil, []step{first, {c.do, c.want, have}}})
	}
	scenarios = append(scenarios,
		scenario{"no targets", nil, []step{{set(roleTargets, "targets", object{}), accepted, "1 2 2 2"}}},
		scenario{"payloads too large together", nil, []step{{func(r *repo) {
			r.forge(roleTargets, func(o object) {
				for _, ns := range []string{"a", "b"} {
					o["targets"].(object)[ns+"/"+PayloadName] = object{"length": MaxPayloads / 2,
						"hashes": object{"sha256": hashOf(nil)}}
				}
			})
			r.faults["targets/a/"+hashOf(nil)+"."+PayloadName] = func(Object, error) (Object, error) {
				panic("a payload was asked for although they are too large together")
			}
		}, Malformed, "-"}}},
	)
	runScenarios(t, scenarios)
}

func TestPinnedRoot(t *testing.T) {
	valid := newRepo().objects["1.root.json"]
	for _, c := range []struct {
		name string
		root func(r *repo) []byte
		want Class
	}{
		{"valid", func(*repo) []byte { return valid }, accepted},
		{"expired", func(r *repo) []byte { r.signed[roleRoot]["expires"] = in(-day); return r.encode(roleRoot) }, accepted},
		{"of a later version", func(r *repo) []byte { r.signed[roleRoot]["version"] = 7; return r.encode(roleRoot) },
			accepted},
		{"empty", func(*repo) []byte { return nil }, Malformed},
		{"not JSON", func(*repo) []byte { return []byte("root") }, Malformed},
		{"unsigned", func(r *repo) []byte { r.signers[roleRoot] = nil; return r.encode(roleRoot) }, Signature},
		{"signed by another", func(r *repo) []byte { r.signers[roleRoot] = eds(1); return r.encode(roleRoot) }, Signature},
		{"changed", func(r *repo) []byte {
			r.edit("1.root.json", in(365*day),
				in(366*day))
			return r.objects["1.root.json"]
		}, Signature},
		{"below the threshold", func(r *repo) []byte { r.trust(roleRoot, 2, ed(0), ed(1)); return r.encode(roleRoot) },
			Signature},
		{"without a version", func(r *repo) []byte { delete(r.signed[roleRoot], "version"); return r.encode(roleRoot) },
			Malformed},
		{"without an environment", func(r *repo) []byte {
			delete(r.signed[roleRoot],
				environmentField)
			return r.encode(roleRoot)
		}, Malformed},
		{"not a root", func(r *repo) []byte { return r.objects["timestamp.json"] }, Malformed},
		{"too large", func(*repo) []byte { return append(bytes.Clone(valid), bytes.Repeat([]byte(" "), MaxRoot)...) },
			Malformed},
	} {
		t.Run(c.name, func(t *testing.T) {
			v, err := NewVerifier(VerifierConfig{Root: c.root(newRepo())})
			checkClass(t, err, c.want)
			if err == nil && v.Environment() != "production" {
				t.Errorf("environment %q", v.Environment())
			}
		})
	}
	for _, namespace := range []string{"", "/", "a/", "..", "a b"} {
		if _, err := NewVerifier(VerifierConfig{Root: valid, Namespaces: []string{namespace}}); err == nil {
			t.Errorf("namespace %q is accepted", namespace)
		}
	}
}
