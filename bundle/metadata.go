package bundle

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// The names of roles, which are also their metadata's types.
const (
	roleRoot      = "root"
	roleTimestamp = "timestamp"
	roleSnapshot  = "snapshot"
	roleTargets   = "targets"
)

// environmentField is the field of root metadata that names the environment.
// TUF lets implementations add fields, and they are signed like all others.
const environmentField = "x-serin-environment"

// An envelope is metadata of which nothing has been verified.
type envelope struct {
	raw        []byte
	signed     node
	message    []byte            // the canonical form of signed
	signatures map[string][]byte // by keyid
}

// insteadOfJSON returns an error that says what a server has sent instead of metadata, or
// nil if that isn't clear.
func insteadOfJSON(raw []byte) error {
	text := bytes.ToLower(bytes.TrimSpace(raw[:min(len(raw), 1<<10)]))
	switch {
	case len(text) == 0:
		return errors.New("it is empty: check the URL, and what the server sends")
	case bytes.HasPrefix(raw, []byte("-----BEGIN ")):
		return errors.New("it is a key or a certificate in PEM instead of JSON: name root.json")
	case bytes.HasPrefix(raw, []byte{0x1f, 0x8b}):
		return errors.New("it is compressed with gzip: have the server, or the CDN in front of it, send it as it was published")
	case bytes.HasPrefix(text, []byte("<!doctype html")), bytes.HasPrefix(text, []byte("<html")):
		return errors.New("it is an HTML page, such as one to log in, instead of JSON: check the URL, and what the server " +
			"asks of clients")
	case bytes.HasPrefix(text, []byte("<")):
		return errors.New("it is XML instead of JSON: check the URL")
	}
	return nil
}

// open parses the outside of metadata: what is signed stays a tree.
func open(raw []byte) (envelope, error) {
	doc, err := parseJSON(raw)
	if err != nil {
		return envelope{}, cmp.Or(insteadOfJSON(raw), err)
	}
	signed, err := doc.member("signed", kindObject)
	if err != nil {
		return envelope{}, err
	}
	list, err := doc.member("signatures", kindArray)
	if err != nil {
		return envelope{}, err
	}
	signatures := make(map[string][]byte)
	for _, n := range list.list {
		keyid, err := n.member("keyid", kindString)
		if err != nil {
			return envelope{}, fmt.Errorf("signature: %w", err)
		}
		text, err := n.member("sig", kindString)
		if err != nil {
			return envelope{}, fmt.Errorf("signature: %w", err)
		}
		sig, err := hex.DecodeString(text.text)
		if err != nil {
			return envelope{}, errors.New("a signature is not hexadecimal")
		}
		if _, ok := signatures[keyid.text]; ok {
			return envelope{}, errors.New("two signatures by one keyid")
		}
		signatures[keyid.text] = sig
	}
	return envelope{raw, signed, appendCanonical(nil, signed), signatures}, nil
}

// A role is the keys that may sign for a role, and how many must.
type role struct {
	keys      map[string]publicKey // by keyid
	threshold int64
}

// verify checks that a threshold of different keys of r signed e. A signature
// that is wrong, or by another key, counts for nothing but does no harm.
func (r role) verify(e envelope) error {
	signers := make(map[string]bool)
	for keyid, sig := range e.signatures {
		if k, ok := r.keys[keyid]; ok && k.verifies(e.message, sig) {
			signers[k.point] = true
		}
	}
	if int64(len(signers)) < r.threshold {
		return fmt.Errorf("%d of %d required signatures", len(signers), r.threshold)
	}
	return nil
}

// A header is what all metadata has.
type header struct {
	raw     []byte
	content [sha256.Size]byte // the SHA-256 of what is signed, in canonical form
	version int64
	expires time.Time
}

// head returns h itself, of any metadata that embeds it.
func (h *header) head() *header { return h }

func (h header) roleVersion() RoleVersion { return RoleVersion{h.version, h.expires} }

func (e envelope) header(role string) (header, error) {
	kind, err := e.signed.member("_type", kindString)
	if err != nil {
		return header{}, err
	}
	if kind.text != role {
		return header{}, fmt.Errorf("not %s metadata", role)
	}
	spec, err := e.signed.member("spec_version", kindString)
	if err != nil {
		return header{}, err
	}
	if !isSpecVersion(spec.text) {
		return header{}, errors.New(`"spec_version" is not 1.x`)
	}
	version, err := versionOf(e.signed)
	if err != nil {
		return header{}, err
	}
	expires, err := e.signed.member("expires", kindString)
	if err != nil {
		return header{}, err
	}
	// time.Parse accepts fractions of a second that the layout lacks.
	t, err := time.Parse("2006-01-02T15:04:05Z", expires.text)
	if err != nil || len(expires.text) != len("2006-01-02T15:04:05Z") {
		return header{}, errors.New(`"expires" is not of the form YYYY-MM-DDTHH:MM:SSZ`)
	}
	return header{e.raw, sha256.Sum256(e.message), version, t}, nil
}

// isSpecVersion reports whether s is 1.minor or 1.minor.patch.
func isSpecVersion(s string) bool {
	parts := strings.Split(s, ".")
	if len(parts) < 2 || len(parts) > 3 || parts[0] != "1" {
		return false
	}
	for _, p := range parts {
		if _, err := strconv.ParseUint(p, 10, 31); err != nil {
			return false
		}
	}
	return true
}

func versionOf(n node) (int64, error) {
	v, err := n.member("version", kindInteger)
	if err != nil {
		return 0, err
	}
	if v.integer < 1 {
		return 0, errors.New(`"version" must be 1 or more`)
	}
	return v.integer, nil
}

type rootMetadata struct {
	header
	environment string
	roles       map[string]role // the four, and any others
}

func parseRoot(e envelope) (*rootMetadata, error) {
	h, err := e.header(roleRoot)
	if err != nil {
		return nil, err
	}
	consistent, err := e.signed.member("consistent_snapshot", kindBool)
	if err != nil {
		return nil, err
	}
	if consistent.integer == 0 {
		return nil, errors.New(`"consistent_snapshot" must be true`)
	}
	environment, err := e.signed.member(environmentField, kindString)
	if err != nil {
		return nil, err
	}
	if environment.text == "" {
		return nil, fmt.Errorf("%q must not be empty", environmentField)
	}
	list, err := e.signed.member("keys", kindObject)
	if err != nil {
		return nil, err
	}
	keys := make(map[string]publicKey)
	for i, keyid := range list.keys {
		if keys[keyid], err = parseKey(keyid, list.list[i]); err != nil {
			return nil, err
		}
	}
	roles, err := e.signed.member("roles", kindObject)
	if err != nil {
		return nil, err
	}
	r := &rootMetadata{h, environment.text, make(map[string]role)}
	for i, name := range roles.keys {
		if r.roles[name], err = parseRole(roles.list[i], keys); err != nil {
			return nil, fmt.Errorf("role %q: %w", name, err)
		}
	}
	for _, name := range []string{roleRoot, roleTimestamp, roleSnapshot, roleTargets} {
		if _, ok := r.roles[name]; !ok {
			return nil, fmt.Errorf("no role %q", name)
		}
	}
	return r, nil
}

func parseRole(n node, keys map[string]publicKey) (role, error) {
	threshold, err := n.member("threshold", kindInteger)
	if err != nil {
		return role{}, err
	}
	if threshold.integer < 1 {
		return role{}, errors.New(`"threshold" must be 1 or more`)
	}
	keyids, err := n.member("keyids", kindArray)
	if err != nil {
		return role{}, err
	}
	if len(keyids.list) == 0 {
		return role{}, errors.New("no keys")
	}
	r := role{make(map[string]publicKey), threshold.integer}
	for _, keyid := range keyids.list {
		key, ok := keys[keyid.text]
		if !ok || keyid.kind != kindString {
			return role{}, errors.New("a keyid without a key")
		}
		if _, ok := r.keys[keyid.text]; ok {
			return role{}, errors.New("a keyid is listed twice")
		}
		r.keys[keyid.text] = key
	}
	return r, nil
}

// A listing is what one file says about another.
type listing struct {
	version int64 // of metadata; 0 for targets
	length  int64 // 0: not said
	// Lower-case hexadecimal, empty if not said. Targets have sha256.
	sha256, sha512 string
	// unknown says that there is a hash that cannot be checked.
	unknown bool
}

// check checks that data is what is listed.
func (l listing) check(data []byte) error {
	if l.length > 0 && int64(len(data)) != l.length {
		return fmt.Errorf("%d bytes instead of %d", len(data), l.length)
	}
	if l.sha256 != "" {
		if sum := sha256.Sum256(data); hex.EncodeToString(sum[:]) != l.sha256 {
			return errors.New("the SHA-256 differs")
		}
	}
	if l.sha512 != "" {
		if sum := sha512.Sum512(data); hex.EncodeToString(sum[:]) != l.sha512 {
			return errors.New("the SHA-512 differs")
		}
	}
	if l.unknown {
		return errors.New("a hash other than SHA-256 and SHA-512 is listed")
	}
	return nil
}

// parseHashes parses an object of hashes into l.
func (l *listing) parseHashes(hashes node) error {
	if len(hashes.list) == 0 {
		return errors.New(`"hashes" must not be empty`)
	}
	for i, name := range hashes.keys {
		text := hashes.list[i].text
		b, err := hex.DecodeString(text)
		if hashes.list[i].kind != kindString || err != nil || len(b) == 0 || hex.EncodeToString(b) != text {
			return errors.New("a hash is not lower-case hexadecimal")
		}
		switch name {
		case "sha256":
			l.sha256 = text
		case "sha512":
			l.sha512 = text
		default:
			l.unknown = true
		}
	}
	return nil
}

// parseMeta parses the member "meta" of timestamp and snapshot metadata.
func parseMeta(signed node) (map[string]listing, error) {
	meta, err := signed.member("meta", kindObject)
	if err != nil {
		return nil, err
	}
	files := make(map[string]listing)
	for i, name := range meta.keys {
		if files[name], err = parseListing(meta.list[i]); err != nil {
			return nil, fmt.Errorf("meta: %w", err)
		}
	}
	return files, nil
}

func parseListing(n node) (listing, error) {
	version, err := versionOf(n)
	if err != nil {
		return listing{}, err
	}
	length, ok, err := n.optional("length", kindInteger)
	if err != nil {
		return listing{}, err
	}
	if ok && length.integer < 1 {
		return listing{}, errors.New(`"length" must be 1 or more`)
	}
	l := listing{version: version, length: length.integer}
	hashes, ok, err := n.optional("hashes", kindObject)
	if err == nil && ok {
		err = l.parseHashes(hashes)
	}
	return l, err
}

type timestampMetadata struct {
	header
	snapshot listing
}

func parseTimestamp(e envelope) (*timestampMetadata, error) {
	h, err := e.header(roleTimestamp)
	if err != nil {
		return nil, err
	}
	meta, err := parseMeta(e.signed)
	if err != nil {
		return nil, err
	}
	snapshot, ok := meta["snapshot.json"]
	if !ok {
		return nil, errors.New("snapshot.json is not listed")
	}
	return &timestampMetadata{h, snapshot}, nil
}

type snapshotMetadata struct {
	header
	meta map[string]listing // has targets.json
}

func parseSnapshot(e envelope) (*snapshotMetadata, error) {
	h, err := e.header(roleSnapshot)
	if err != nil {
		return nil, err
	}
	meta, err := parseMeta(e.signed)
	if err != nil {
		return nil, err
	}
	if _, ok := meta["targets.json"]; !ok {
		return nil, errors.New("targets.json is not listed")
	}
	return &snapshotMetadata{h, meta}, nil
}

type targetsMetadata struct {
	header
	payloads map[string]listing // by namespace
	lists    map[string]listing // by SHA-256
}

func parseTargets(e envelope) (*targetsMetadata, error) {
	h, err := e.header(roleTargets)
	if err != nil {
		return nil, err
	}
	if _, ok, err := e.signed.optional("delegations", kindObject); ok || err != nil {
		return nil, errors.New("delegations are not supported")
	}
	list, err := e.signed.member("targets", kindObject)
	if err != nil {
		return nil, err
	}
	t := &targetsMetadata{h, make(map[string]listing), make(map[string]listing)}
	for i, path := range list.keys {
		l, err := parseTarget(list.list[i])
		if err != nil {
			return nil, fmt.Errorf("target %q: %w", path, err)
		}
		if hash, ok := ListOf(path); ok {
			if l.sha256 != hash {
				return nil, fmt.Errorf("target %q: it has another SHA-256", path)
			}
			t.lists[hash] = l
		}
		namespace, ok := strings.CutSuffix(path, "/"+PayloadName)
		if !ok {
			continue
		}
		if !ValidNamespace(namespace) {
			return nil, fmt.Errorf("target %q: not a namespace", path)
		}
		if l.sha256 == "" {
			return nil, fmt.Errorf("target %q: no SHA-256", path)
		}
		if l.length < 1 {
			return nil, fmt.Errorf("target %q: empty", path)
		}
		t.payloads[namespace] = l
	}
	return t, nil
}

func parseTarget(n node) (listing, error) {
	length, err := n.member("length", kindInteger)
	if err != nil {
		return listing{}, err
	}
	if length.integer < 0 {
		return listing{}, errors.New(`"length" must not be negative`)
	}
	hashes, err := n.member("hashes", kindObject)
	if err != nil {
		return listing{}, err
	}
	if _, _, err := n.optional("custom", kindObject); err != nil {
		return listing{}, err
	}
	l := listing{length: length.integer}
	return l, l.parseHashes(hashes)
}
