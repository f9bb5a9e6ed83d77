package release

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"
)

// signedTargets returns targets metadata of revision 2 with one payload, whose
// provenance field is what it is given.
func signedTargets(t *testing.T, field any) []byte {
	t.Helper()
	targets := metadata.Targets(time.Now().UTC())
	file := metadata.TargetFile()
	file.Length, file.Hashes["sha256"] = 1, []byte("hash")
	targets.Signed.Targets["a/flags.msgpack.gz"] = file
	targets.Signed.Version = 2
	targets.Signed.UnrecognizedFields = map[string]any{provenanceField: field}
	data, err := targets.ToBytes(false)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// Who has a key can sign any provenance. What isn't of this content, or could do harm
// where it is shown, counts as none.
func TestStrangeProvenance(t *testing.T) {
	content := contentHash(map[string]string{"a": "68617368"})
	for _, tt := range []struct {
		name  string
		field any
		want  Provenance
	}{
		{"a good one", map[string]any{"content": content, "commit": "c1", "rollback_of": 1}, Provenance{Content: content, Commit: "c1", RollbackOf: 1}},
		{"that of other content", map[string]any{"content": strings.Repeat("0", 64), "commit": "c1"}, Provenance{Content: content}},
		{"with control characters", map[string]any{"content": content, "author": "\x1b[2J"}, Provenance{Content: content}},
		{"too long", map[string]any{"content": content, "reason": strings.Repeat("x", 1<<20)}, Provenance{Content: content}},
		{"of other types", map[string]any{"content": content, "commit": 7}, Provenance{Content: content}},
		{"with the time of its commit", map[string]any{"content": content, "commit_time": "2026-11-28T12:00:00+01:00"},
			Provenance{Content: content, CommitTime: time.Date(2026, 11, 28, 11, 0, 0, 0, time.UTC)}},
		{"with a time that can't be written", map[string]any{"content": content, "commit_time": "0000-12-31T23:59:59Z"}, Provenance{Content: content}},
		{"a list", []any{1, 2}, Provenance{Content: content}},
		{"none", nil, Provenance{Content: content}},
	} {
		r, err := newRecord(2, signedTargets(t, tt.field))
		if err != nil || r.provenance != tt.want || r.previous != nil {
			t.Errorf("%s: %+v after %v, error %v", tt.name, r.provenance, r.previous, err)
		}
	}
	if _, err := newRecord(3, signedTargets(t, nil)); err == nil {
		t.Error("revision 2 was taken for 3")
	}
}

// Whatever the field holds, what is read of it can be shown.
func FuzzProvenance(f *testing.F) {
	f.Add(`{"time":"2026-11-28T12:00:00Z","content":"00","commit":"c1","previous":{"revision":1,"sha256":"00"}}`)
	f.Add(`{"author":"\u202e","previous":{"revision":-1}}`)
	f.Add(`[]`)
	f.Fuzz(func(t *testing.T, field string) {
		var value any
		if json.Unmarshal([]byte(field), &value) != nil {
			return
		}
		p, _ := provenanceOf(&metadata.TargetsType{UnrecognizedFields: map[string]any{provenanceField: value}})
		if err := p.check(); err != nil {
			t.Errorf("%s: %v", field, err)
		}
	})
}
