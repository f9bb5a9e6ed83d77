package bundle

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/secure-systems-lab/go-securesystemslib/cjson"

	"github.com/serin-flags/serin/evaluator"
)

// object is a JSON object in the making.
type object = map[string]any

// testNow is when tests take place.
var testNow = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

// in returns the time d after testNow, as metadata spells it.
func in(d time.Duration) string { return testNow.Add(d).Format("2006-01-02T15:04:05Z") }

const day = 24 * time.Hour

// A testKey signs, and knows how root.json lists it.
type testKey struct {
	id     string
	public object
	sign   func(message []byte) []byte
}

// newTestKey makes the listing of a key. Its keyid is calculated by others' code.
func newTestKey(keytype, scheme, public string, sign func([]byte) []byte) testKey {
	listing := object{"keytype": keytype, "scheme": scheme, "keyval": object{"public": public}}
	return testKey{keyIDOf(listing), listing, sign}
}

func keyIDOf(listing object) string {
	canonical, err := cjson.EncodeCanonical(listing)
	if err != nil {
		panic(err)
	}
	digest := sha256.Sum256(canonical)
	return hex.EncodeToString(digest[:])
}

// ed returns the i-th ed25519 key: always the same one.
func ed(i int) testKey {
	private := edPrivate(i)
	return newTestKey("ed25519", "ed25519", hex.EncodeToString(private.Public().(ed25519.PublicKey)),
		func(m []byte) []byte { return ed25519.Sign(private, m) })
}

func edPrivate(i int) ed25519.PrivateKey {
	seed := sha256.Sum256(fmt.Appendf(nil, "test key %d", i))
	return ed25519.NewKeyFromSeed(seed[:])
}

// eds returns ed25519 keys.
func eds(indices ...int) []testKey {
	var keys []testKey
	for _, i := range indices {
		keys = append(keys, ed(i))
	}
	return keys
}

var p256Private = sync.OnceValue(func() *ecdsa.PrivateKey { return newECDSA(elliptic.P256()) })

func newECDSA(curve elliptic.Curve) *ecdsa.PrivateKey {
	private, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		panic(err)
	}
	return private
}

// ec returns an ECDSA key as root.json lists it under keytype and scheme.
func ec(private *ecdsa.PrivateKey, keytype, scheme string) testKey {
	return newTestKey(keytype, scheme, pemOf(private.Public()), func(m []byte) []byte {
		digest := sha256.Sum256(m)
		sig, err := private.Sign(rand.Reader, digest[:], crypto.SHA256)
		if err != nil {
			panic(err)
		}
		return sig
	})
}

func p256() testKey { return ec(p256Private(), "ecdsa", "ecdsa-sha2-nistp256") }

func pemOf(public crypto.PublicKey) string {
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		panic(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

// A repo is a TUF repository in memory, and a Source. What is to be signed can
// be changed in any way before it is published. By default roles have the keys
// ed(0) to ed(3): root, timestamp, snapshot, targets.
type repo struct {
	environment string
	signed      map[string]object    // by role
	signers     map[string][]testKey // by role
	payloads    map[string][]byte    // by namespace
	// listHashes lists lengths and hashes of metadata.
	listHashes bool

	now time.Time // when the next update takes place

	mu      sync.Mutex
	objects map[string][]byte
	noETag  bool
	// faults, by name of object, replace answers.
	faults map[string]func(Object, error) (Object, error)
	log    []string // the names asked for, with " 304" if unchanged
}

// newRepo returns a repository of version 1 with the payload of "checkout".
func newRepo() *repo {
	r := &repo{
		environment: "production",
		now:         testNow,
		signed: map[string]object{
			roleRoot: {
				"_type": "root", "spec_version": "1.0.31", "version": 1, "expires": in(365 * day),
				"consistent_snapshot": true, "keys": object{}, "roles": object{},
				environmentField: "production",
			},
			roleTimestamp: {
				"_type": "timestamp", "spec_version": "1.0.31", "version": 1, "expires": in(day),
				"meta": object{"snapshot.json": object{"version": 1}},
			},
			roleSnapshot: {
				"_type": "snapshot", "spec_version": "1.0.31", "version": 1, "expires": in(7 * day),
				"meta": object{"targets.json": object{"version": 1}},
			},
			roleTargets: {
				"_type": "targets", "spec_version": "1.0.31", "version": 1, "expires": in(90 * day),
				"targets": object{},
			},
		},
		signers:  make(map[string][]testKey),
		payloads: make(map[string][]byte),
		objects:  make(map[string][]byte),
		faults:   make(map[string]func(Object, error) (Object, error)),
	}
	for i, role := range []string{roleRoot, roleTimestamp, roleSnapshot, roleTargets} {
		r.trust(role, 1, ed(i))
		r.signers[role] = eds(i)
	}
	r.setPayload("checkout", "v1")
	for _, role := range []string{roleRoot, roleTargets, roleSnapshot, roleTimestamp} {
		r.publish(role)
	}
	return r
}

// payloadOf encodes a payload; mark makes it different from others.
func payloadOf(environment, namespace, mark string) []byte {
	data, _, err := EncodePayload(Payload{Environment: environment, Namespace: namespace, Ruleset: evaluator.Ruleset{
		Unit: "user",
		Attributes: []evaluator.Attribute{{Name: "user", Type: evaluator.AttrString},
			{Name: mark, Type: evaluator.AttrString}},
	}})
	if err != nil {
		panic(err)
	}
	return data
}

// trust makes root list keys as those of a role.
func (r *repo) trust(role string, threshold int, keys ...testKey) {
	var ids []any
	for _, k := range keys {
		r.signed[roleRoot]["keys"].(object)[k.id] = k.public
		ids = append(ids, k.id)
	}
	r.signed[roleRoot]["roles"].(object)[role] = object{"keyids": ids, "threshold": threshold}
}

// rotate makes keys those of a role, which sign by themselves from now on.
func (r *repo) rotate(role string, keys ...testKey) {
	r.trust(role, 1, keys...)
	r.signers[role] = keys
}

// setPayload publishes a payload and lists it in targets.
func (r *repo) setPayload(namespace, mark string) {
	r.setTarget(namespace, payloadOf(r.environment, namespace, mark))
}

func (r *repo) setTarget(namespace string, data []byte) {
	r.payloads[namespace] = data
	sum := hashOf(data)
	r.signed[roleTargets]["targets"].(object)[namespace+"/"+PayloadName] = object{
		"length": len(data), "hashes": object{"sha256": sum},
	}
	r.objects[r.payloadName(namespace)] = data
}

// setRuleset is setTarget for the payload of a ruleset and its lists, which it returns.
func (r *repo) setRuleset(namespace string, set evaluator.Ruleset) []*List {
	data, lists, err := EncodePayload(Payload{Environment: r.environment, Namespace: namespace, Ruleset: set})
	if err != nil {
		panic(err)
	}
	r.setTarget(namespace, data)
	for _, l := range lists {
		r.setList(l)
	}
	return lists
}

func (r *repo) setList(l *List) {
	r.signed[roleTargets]["targets"].(object)[ListPath(l.SHA256)] = object{
		"length": len(l.Data), "hashes": object{"sha256": l.SHA256},
	}
	r.objects[ListObject(l.SHA256)] = l.Data
}

// target returns what targets says of a namespace.
func (r *repo) target(namespace string) object {
	return r.signed[roleTargets]["targets"].(object)[namespace+"/"+PayloadName].(object)
}

func (r *repo) payloadName(namespace string) string {
	return "targets/" + namespace + "/" + hashOf(r.payloads[namespace]) + "." + PayloadName
}

func hashOf(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// listed returns what timestamp says of snapshot, or snapshot of targets.
func (r *repo) listed(role string) object {
	if role == roleSnapshot {
		return r.signed[roleTimestamp]["meta"].(object)["snapshot.json"].(object)
	}
	return r.signed[roleSnapshot]["meta"].(object)["targets.json"].(object)
}

func (r *repo) version(role string) int { return r.signed[role]["version"].(int) }

// name returns the name under which a role's metadata is published.
func (r *repo) name(role string) string {
	if role == roleTimestamp {
		return "timestamp.json"
	}
	return fmt.Sprintf("%d.%s.json", r.version(role), role)
}

// encode signs what a role says with its signers.
func (r *repo) encode(role string) []byte { return signDocument(r.signed[role], r.signers[role]...) }

// signDocument canonicalizes by others' code, which the verifier must agree with.
func signDocument(signed any, keys ...testKey) []byte {
	message, err := cjson.EncodeCanonical(signed)
	if err != nil {
		panic(err)
	}
	signatures := []any{}
	for _, k := range keys {
		signatures = append(signatures, object{"keyid": k.id, "sig": hex.EncodeToString(k.sign(message))})
	}
	return encodeJSON(object{"signed": signed, "signatures": signatures})
}

func encodeJSON(v any) []byte {
	data, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		panic(err)
	}
	return data
}

// publish signs a role's metadata and lists it, without changing its version.
func (r *repo) publish(role string) {
	data := r.encode(role)
	r.objects[r.name(role)] = data
	if role == roleSnapshot || role == roleTargets {
		l := r.listed(role)
		l["version"] = r.version(role)
		if r.listHashes {
			l["length"], l["hashes"] = len(data), object{"sha256": hashOf(data)}
		}
	}
}

// bump publishes the next version of roles.
func (r *repo) bump(roles ...string) {
	for _, role := range roles {
		r.signed[role]["version"] = r.version(role) + 1
		r.publish(role)
	}
}

// bumpFrom publishes the next version of a role and of those that lead to it.
func (r *repo) bumpFrom(role string) {
	switch role {
	case roleRoot:
		r.bump(roleRoot, roleTimestamp)
	case roleTimestamp:
		r.bump(roleTimestamp)
	case roleSnapshot:
		r.bump(roleSnapshot, roleTimestamp)
	case roleTargets:
		r.bump(roleTargets, roleSnapshot, roleTimestamp)
	}
}

// forge publishes the next version of a role, and then replaces it by one that
// change has been at. It is properly signed.
func (r *repo) forge(role string, change func(signed object)) {
	r.bumpFrom(role)
	signed := copyJSON(r.signed[role]).(object)
	change(signed)
	r.objects[r.name(role)] = signDocument(signed, r.signers[role]...)
}

// copyJSON returns a deep copy of a value.
func copyJSON(v any) any {
	switch v := v.(type) {
	case object:
		c := object{}
		for key, e := range v {
			c[key] = copyJSON(e)
		}
		return c
	case []any:
		c := make([]any, len(v))
		for i, e := range v {
			c[i] = copyJSON(e)
		}
		return c
	}
	return v
}

// release publishes new content.
func (r *repo) release() {
	r.setPayload("checkout", fmt.Sprintf("v%d", r.version(roleTargets)+1))
	r.bump(roleTargets, roleSnapshot, roleTimestamp)
}

// edit replaces the first old in a published object by new.
func (r *repo) edit(name, old, new string) {
	data := string(r.objects[name])
	if !strings.Contains(data, old) {
		panic(fmt.Sprintf("%s has no %q", name, old))
	}
	r.objects[name] = []byte(strings.Replace(data, old, new, 1))
}

func (r *repo) Fetch(ctx context.Context, name, etag string, limit int64) (Object, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	obj, err := r.answer(ctx, name, etag, limit)
	if fault := r.faults[name]; fault != nil {
		obj, err = fault(obj, err)
	}
	entry := name
	if err == ErrNotModified {
		entry += " 304"
	}
	r.log = append(r.log, entry)
	return obj, err
}

func (r *repo) answer(ctx context.Context, name, etag string, limit int64) (Object, error) {
	if err := ctx.Err(); err != nil {
		return Object{}, err
	}
	data, ok := r.objects[name]
	if !ok {
		return Object{}, fmt.Errorf("reading %s: %w", name, ErrNotFound)
	}
	if int64(len(data)) > limit {
		return Object{}, fmt.Errorf("reading %s: %w", name, ErrTooLarge)
	}
	if r.noETag {
		return Object{Data: data}, nil
	}
	tag := hashOf(data)[:16]
	if tag == etag {
		return Object{}, ErrNotModified
	}
	return Object{bytes.Clone(data), tag}, nil
}

// requests returns what was asked for since the last call.
func (r *repo) requests() string {
	defer func() { r.log = nil }()
	return strings.Join(r.log, ", ")
}

// verifier returns a verifier that pins r's root of version 1.
func (r *repo) verifier(t testing.TB, config ...func(*VerifierConfig)) *Verifier {
	t.Helper()
	cfg := VerifierConfig{Root: r.objects["1.root.json"]}
	for _, f := range config {
		f(&cfg)
	}
	v, err := NewVerifier(cfg)
	if err != nil {
		t.Fatalf("NewVerifier: %v", err)
	}
	return v
}

// versions returns "root timestamp snapshot targets", and "-" for nil.
func versions(r *Release) string {
	if r == nil {
		return "-"
	}
	v := r.Versions()
	return fmt.Sprint(v.Root.Version, v.Timestamp.Version, v.Snapshot.Version, v.Targets.Version)
}

// restored takes a release through its state, as a restart does.
func restored(t testing.TB, v *Verifier, r *Release) *Release {
	t.Helper()
	state, err := r.State()
	if err != nil {
		t.Fatalf("State: %v", err)
	}
	again, err := v.Restore(state, payloadsOf(r))
	if err != nil {
		t.Fatalf("Restore: %v", err)
	}
	return again
}

// payloadsOf returns a cache that has the payloads of r.
func payloadsOf(r *Release) func(string, int64) ([]byte, error) {
	cache := make(map[string][]byte)
	for _, p := range r.Payloads() {
		cache[p.SHA256] = p.Data
		for _, l := range p.Lists {
			cache[l.SHA256] = l.Data
		}
	}
	return func(sha256 string, length int64) ([]byte, error) {
		data, ok := cache[sha256]
		if !ok || int64(len(data)) != length {
			return nil, ErrNotFound
		}
		return data, nil
	}
}
