package bundle

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestRelease(t *testing.T) {
	r := newRepo()
	r.bump(roleRoot)
	r.setPayload("payments/risk", "v1")
	r.setPayload("payments", "v1")
	r.signed[roleRoot]["expires"] = in(3 * day)
	r.bump(roleRoot)
	r.bump(roleTargets, roleSnapshot, roleSnapshot, roleTimestamp)
	v := r.verifier(t)
	rel, err := v.Update(t.Context(), r, nil, testNow)
	if err != nil {
		t.Fatal(err)
	}
	for _, rel := range []*Release{rel, restored(t, v, rel)} {
		if rel.Environment() != "production" || v.Environment() != "production" {
			t.Errorf("environment %q", rel.Environment())
		}
		if rel.Revision() != 2 {
			t.Errorf("revision %d", rel.Revision())
		}
		want := Versions{
			Root:      RoleVersion{3, testNow.Add(3 * day)},
			Timestamp: RoleVersion{2, testNow.Add(day)},
			Snapshot:  RoleVersion{3, testNow.Add(7 * day)},
			Targets:   RoleVersion{2, testNow.Add(90 * day)},
		}
		if diff := cmp.Diff(want, rel.Versions()); diff != "" {
			t.Errorf("versions:\n%s", diff)
		}
		if !rel.Expires().Equal(testNow.Add(day)) {
			t.Errorf("expires %s", rel.Expires())
		}
		wantMetadata := Metadata{r.objects["3.root.json"], r.objects["timestamp.json"], r.objects["3.snapshot.json"],
			r.objects["2.targets.json"]}
		if diff := cmp.Diff(wantMetadata, rel.Metadata()); diff != "" {
			t.Errorf("metadata:\n%s", diff)
		}
		var wantPayloads []VerifiedPayload
		for _, namespace := range []string{"checkout", "payments", "payments/risk"} {
			data := r.payloads[namespace]
			wantPayloads = append(wantPayloads, VerifiedPayload{Namespace: namespace, SHA256: hashOf(data), Data: data})
		}
		if diff := cmp.Diff(wantPayloads, rel.Payloads(), cmpopts.IgnoreUnexported(VerifiedPayload{})); diff != "" {
			t.Errorf("payloads:\n%s", diff)
		}
	}
}

// TestExpires lets each role be the first to expire.
func TestExpires(t *testing.T) {
	for _, role := range []string{roleRoot, roleTimestamp, roleSnapshot, roleTargets} {
		r := newRepo()
		v := r.verifier(t)
		set(role, "expires", in(time.Hour))(r)
		rel, err := v.Update(t.Context(), r, nil, testNow)
		if err != nil {
			t.Fatal(err)
		}
		if !rel.Expires().Equal(testNow.Add(time.Hour)) {
			t.Errorf("%s expires in an hour, the release at %s", role, rel.Expires())
		}
	}
}

func TestNamespaces(t *testing.T) {
	r := newRepo()
	for _, namespace := range []string{"search", "payments", "payments/risk"} {
		r.setPayload(namespace, "v1")
	}
	r.bumpFrom(roleTargets)
	for _, c := range []struct {
		ask  []string
		want string
	}{
		{nil, "checkout payments payments/risk search"},
		{[]string{}, "checkout payments payments/risk search"},
		{[]string{"search"}, "search"},
		{[]string{"search", "payments/risk", "search"}, "payments/risk search"},
	} {
		v := r.verifier(t, func(cfg *VerifierConfig) { cfg.Namespaces = c.ask })
		r.requests()
		rel, err := v.Update(t.Context(), r, nil, testNow)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, p := range rel.Payloads() {
			got = append(got, p.Namespace)
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("asked for %q, got %q", c.ask, got)
		}
		if n := strings.Count(r.requests(), PayloadName); n != len(got) {
			t.Errorf("asked for %q, downloaded %d", c.ask, n)
		}
	}
	v := r.verifier(t, func(cfg *VerifierConfig) { cfg.Namespaces = []string{"checkout", "ads"} })
	_, err := v.Update(t.Context(), r, nil, testNow)
	checkClass(t, err, NotFound)
	r.setPayload("ads", "v1")
	r.bumpFrom(roleTargets)
	rel, err := v.Update(t.Context(), r, nil, testNow)
	if err != nil {
		t.Fatal(err)
	}
	delete(r.signed[roleTargets]["targets"].(object), "ads/"+PayloadName)
	r.bumpFrom(roleTargets)
	_, err = v.Update(t.Context(), r, rel, testNow)
	checkClass(t, err, NotFound)
}

func TestValidNamespace(t *testing.T) {
	for name, want := range map[string]bool{
		"checkout": true, "a/b/c": true, "A-1_x.y": true, "a..b": true, strings.Repeat("a", 100): true,
		"": false, "/": false, "/a": false, "a/": false, "a//b": false, ".": false, "..": false, "a/../b": false,
		".git": false, "a/.b": false,
		"a b": false, "a\\b": false, "a:b": false, "a\x00": false, "é": false, "a%2e": false,
		strings.Repeat("a", 101): false,
	} {
		if ValidNamespace(name) != want {
			t.Errorf("ValidNamespace(%q) is %t", name, !want)
		}
	}
}

func TestRestore(t *testing.T) {
	r, v, _ := updated(t)
	rel, err := v.Update(t.Context(), r, nil, testNow)
	if err != nil {
		t.Fatal(err)
	}
	valid := stateOf(t, rel)
	edited := func(f func(s *storedState)) []byte {
		var s storedState
		if err := json.Unmarshal(valid, &s); err != nil {
			t.Fatal(err)
		}
		f(&s)
		data, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	failing := func(err error) func(string, int64) ([]byte, error) {
		return func(string, int64) ([]byte, error) { return nil, err }
	}
	foreign := newRepo()
	foreign.rotate(roleRoot, ed(40))
	foreign.publish(roleRoot)
	for _, c := range []struct {
		name    string
		v       *Verifier
		state   []byte
		payload func(string, int64) ([]byte, error)
		want    Class
	}{
		{"as it was", v, valid, payloadsOf(rel), accepted},
		{"more objects than needed", v, edited(func(s *storedState) { s.Objects["x"] = []byte("x") }), payloadsOf(rel),
			accepted},
		{"another ETag", v, edited(func(s *storedState) { s.ETag = "x" }), payloadsOf(rel), accepted},
		{"pinned root is newer", r.verifier(t, func(c *VerifierConfig) { c.Root = r.objects["2.root.json"] }), valid,
			payloadsOf(rel), accepted},
		{"no such namespace any more", r.verifier(t, func(c *VerifierConfig) { c.Namespaces = []string{"ads"} }), valid,
			payloadsOf(rel), NotFound},
		{"below the least revision", r.verifier(t, func(c *VerifierConfig) { c.MinRevision = 3 }), valid,
			payloadsOf(rel),
			Rollback},
		{"of another pinned root", foreign.verifier(t), valid, payloadsOf(rel), Signature},
		{"empty", v, nil, payloadsOf(rel), Malformed},
		{"not JSON", v, []byte("state"), payloadsOf(rel), Malformed},
		{"another JSON", v, []byte("{}"), payloadsOf(rel), Malformed},
		{"null", v, []byte("null"), payloadsOf(rel), Malformed},
		{"cut", v, valid[:len(valid)-9], payloadsOf(rel), Malformed},
		{"too large", v, append(valid, bytes.Repeat([]byte(" "), MaxState)...), payloadsOf(rel), Malformed},
		{"of a later format", v, edited(func(s *storedState) { s.Format++ }), payloadsOf(rel), Malformed},
		{"no objects", v, edited(func(s *storedState) { clear(s.Objects) }), payloadsOf(rel), NotFound},
		{"no snapshot", v, edited(func(s *storedState) { delete(s.Objects, "2.snapshot.json") }), payloadsOf(rel), NotFound},
		{"older targets", v, edited(func(s *storedState) { s.Objects["2.targets.json"] = r.objects["1.targets.json"] }),
			payloadsOf(rel), Signature},
		{"a forged root", v, edited(func(s *storedState) { s.Objects["2.root.json"] = foreign.objects["1.root.json"] }),
			payloadsOf(rel), Signature},
		{"an unsigned timestamp", v, edited(func(s *storedState) {
			s.Objects["timestamp.json"] = signDocument(r.signed[roleTimestamp])
		}), payloadsOf(rel), Signature},
		{"no payload", v, valid, failing(fmt.Errorf("opening: %w", fs.ErrNotExist)), NotFound},
		{"no payload, in our words", v, valid, failing(ErrNotFound), NotFound},
		{"unreadable payload", v, valid, failing(fs.ErrPermission), Network},
		{"another payload", v, valid, func(string, int64) ([]byte,
			error) {
			return payloadOf("production", "checkout", "v9"), nil
		}, Signature},
		{"empty payload", v, valid, func(string, int64) ([]byte, error) { return nil, nil }, Signature},
		{"endless payload", v, valid, func(_ string, n int64) ([]byte, error) { return make([]byte, n+1), nil }, Signature},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := c.v.Restore(c.state, c.payload)
			checkClass(t, err, c.want)
			if (got == nil) != (err != nil) {
				t.Errorf("release %v with error %v", got, err)
			}
		})
	}
}

// TestRestoredIsLast checks that a restored release protects as the one before
// the restart did, and saves as many requests.
func TestRestoredIsLast(t *testing.T) {
	r, v, _ := updated(t)
	rel, err := v.Update(t.Context(), r, nil, testNow)
	if err != nil {
		t.Fatal(err)
	}
	again := restored(t, v, rel)
	if !bytes.Equal(stateOf(t, again), stateOf(t, rel)) {
		t.Error("the state of a restored release differs")
	}
	r.requests()
	if next, err := v.Update(t.Context(), r, again, testNow); next != again || err != nil {
		t.Errorf("Update: %v, %v", next, err)
	}
	if got := r.requests(); got != "timestamp.json 304" {
		t.Errorf("requests: %s", got)
	}
	// Expired content may be served after a restart; it says that it has expired.
	if !again.Expires().Before(testNow.Add(2 * day)) {
		t.Errorf("expires %s", again.Expires())
	}
	r.objects = newRepo().objects
	_, err = v.Update(t.Context(), r, again, testNow)
	checkClass(t, err, Rollback)
	var e *Error
	if !errors.As(err, &e) || e.Object != "timestamp.json" {
		t.Errorf("refused because of %v", err)
	}
}

func FuzzRestore(f *testing.F) {
	r, v, _ := updated(f)
	rel, err := v.Update(f.Context(), r, nil, testNow)
	if err != nil {
		f.Fatal(err)
	}
	valid := stateOf(f, rel)
	payload := payloadsOf(rel)
	f.Add(valid, []byte{})
	f.Add(valid[:len(valid)/2], []byte{1})
	f.Add([]byte(`{"format":1,"etag":"","objects":{"timestamp.json":"e30="}}`), []byte("x"))
	f.Add([]byte(`{"format":1,"objects":null}`), []byte(nil))
	f.Add([]byte("null"), []byte(nil))
	f.Add(bytes.ReplaceAll(valid, []byte("2.root"), []byte("3.root")), []byte(nil))
	f.Fuzz(func(t *testing.T, state, data []byte) {
		got, err := v.Restore(state, func(sha256 string, length int64) ([]byte, error) {
			if len(data) > 0 {
				return data, nil
			}
			return payload(sha256, length)
		})
		if err != nil {
			if _, ok := ClassOf(err); !ok || got != nil {
				t.Fatalf("release %v with error %v", got, err)
			}
			return
		}
		// Nothing but what was signed comes out.
		for _, p := range got.Payloads() {
			if p.SHA256 != hashOf(p.Data) || p.SHA256 != hashOf(r.payloads["checkout"]) {
				t.Fatalf("payload %s", p.SHA256)
			}
		}
		// Who can write to the disk can hide a root, as who can cut the network.
		if versions(got) != "2 2 2 2" && versions(got) != "1 2 2 2" {
			t.Fatalf("versions %s", versions(got))
		}
	})
}
