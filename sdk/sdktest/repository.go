package sdktest

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/serin-flags/serin/bundle"
	"github.com/serin-flags/serin/evaluator"
)

const (
	specVersion = "1.0.31" // of TUF
	lifetime    = 365 * 24 * time.Hour
	timeLayout  = "2006-01-02T15:04:05Z"
)

// A repository is a published environment in memory, signed with a key that only it
// has. It is a [bundle.Source].
type repository struct {
	environment string
	key         ed25519.PrivateKey
	root        []byte

	mu       sync.Mutex
	revision int64
	objects  map[string][]byte // of the current revision and the one before
	latest   map[string][]byte // of the current revision
}

func newRepository(environment string) (*repository, error) {
	// encoding/json writes canonical JSON as long as all strings are plain.
	if !bundle.ValidNamespace(environment) {
		return nil, fmt.Errorf("environment %q: use letters, digits, \"-\", \"_\" and \".\"", environment)
	}
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		return nil, err
	}
	r := &repository{environment: environment, key: private}
	key := map[string]any{
		"keytype": "ed25519", "scheme": "ed25519",
		"keyval": map[string]string{"public": hex.EncodeToString(public)},
	}
	role := map[string]any{"keyids": []string{r.keyID()}, "threshold": 1}
	r.root, err = r.sign("root", 1, map[string]any{
		"consistent_snapshot": true,
		"keys":                map[string]any{r.keyID(): key},
		"roles":               map[string]any{"root": role, "timestamp": role, "snapshot": role, "targets": role},
		"x-serin-environment": environment,
	})
	return r, err
}

// keyID returns the SHA-256 of the key's entry in root.json.
func (r *repository) keyID() string {
	return sum(fmt.Appendf(nil, `{"keytype":"ed25519","keyval":{"public":"%x"},"scheme":"ed25519"}`, r.key.Public()))
}

// sign returns the metadata of a role: the fields of all roles, and the given ones.
func (r *repository) sign(role string, version int64, fields map[string]any) ([]byte, error) {
	fields["_type"], fields["spec_version"], fields["version"] = role, specVersion, version
	fields["expires"] = time.Now().Add(lifetime).UTC().Format(timeLayout)
	signed, err := json.Marshal(fields)
	if err != nil {
		return nil, err
	}
	signature := map[string]string{"keyid": r.keyID(), "sig": hex.EncodeToString(ed25519.Sign(r.key, signed))}
	return json.Marshal(map[string]any{"signed": json.RawMessage(signed), "signatures": []any{signature}})
}

// publish publishes rulesets by namespace, removes all others, and returns the revision.
func (r *repository) publish(rulesets map[string]evaluator.Ruleset) (int64, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	revision := r.revision + 1
	objects := map[string][]byte{"1.root.json": r.root}
	targets := make(map[string]any)
	for _, namespace := range slices.Sorted(maps.Keys(rulesets)) {
		data, lists, err := bundle.EncodePayload(bundle.Payload{Environment: r.environment, Namespace: namespace,
			Ruleset: rulesets[namespace]})
		if err != nil {
			return 0, err
		}
		targets[namespace+"/"+bundle.PayloadName] = target(data)
		objects["targets/"+namespace+"/"+sum(data)+"."+bundle.PayloadName] = data
		for _, l := range lists {
			targets[bundle.ListPath(l.SHA256)] = target(l.Data)
			objects[bundle.ListObject(l.SHA256)] = l.Data
		}
	}
	version := map[string]int64{"version": revision}
	for _, role := range []struct {
		object, name, field string
		value               map[string]any
	}{
		{fmt.Sprintf("%d.targets.json", revision), "targets", "targets", targets},
		{fmt.Sprintf("%d.snapshot.json", revision), "snapshot", "meta", map[string]any{"targets.json": version}},
		{"timestamp.json", "timestamp", "meta", map[string]any{"snapshot.json": version}},
	} {
		var err error
		if objects[role.object], err = r.sign(role.name, revision, map[string]any{role.field: role.value}); err != nil {
			return 0, err
		}
	}
	r.objects = maps.Clone(r.latest)
	if r.objects == nil {
		r.objects = make(map[string][]byte)
	}
	maps.Copy(r.objects, objects)
	r.latest, r.revision = objects, revision
	return revision, nil
}

// target returns the entry of targets.json for data.
func target(data []byte) map[string]any {
	return map[string]any{"length": len(data), "hashes": map[string]string{"sha256": sum(data)}}
}

// Fetch implements [bundle.Source].
func (r *repository) Fetch(ctx context.Context, name, etag string, limit int64) (bundle.Object, error) {
	if err := ctx.Err(); err != nil {
		return bundle.Object{}, err
	}
	r.mu.Lock()
	data, ok := r.objects[name]
	r.mu.Unlock()
	if !ok {
		return bundle.Object{}, bundle.ErrNotFound
	}
	if int64(len(data)) > limit {
		return bundle.Object{}, bundle.ErrTooLarge
	}
	object := bundle.Object{Data: bytes.Clone(data), ETag: `"` + sum(data) + `"`}
	if object.ETag == etag {
		return bundle.Object{}, bundle.ErrNotModified
	}
	return object, nil
}

func sum(data []byte) string {
	digest := sha256.Sum256(data)
	return hex.EncodeToString(digest[:])
}
