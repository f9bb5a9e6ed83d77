package bundle

import (
	"crypto"
	"crypto/ed25519"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sigstore/sigstore/pkg/signature"
	"github.com/theupdateframework/go-tuf/v2/metadata"
	"github.com/theupdateframework/go-tuf/v2/metadata/config"
	"github.com/theupdateframework/go-tuf/v2/metadata/updater"
)

// farAway is when metadata expires that others' clients look at: they go by the
// real clock.
var farAway = time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)

// A goTUFRepo is a repository that go-tuf writes.
type goTUFRepo struct {
	t         *testing.T
	root      *metadata.Metadata[metadata.RootType]
	timestamp *metadata.Metadata[metadata.TimestampType]
	snapshot  *metadata.Metadata[metadata.SnapshotType]
	targets   *metadata.Metadata[metadata.TargetsType]
	objects   *repo // only the objects
}

func newGoTUFRepo(t *testing.T) *goTUFRepo {
	g := &goTUFRepo{
		t:         t,
		root:      metadata.Root(farAway),
		timestamp: metadata.Timestamp(farAway),
		snapshot:  metadata.Snapshot(farAway),
		targets:   metadata.Targets(farAway),
		objects:   &repo{objects: make(map[string][]byte)},
	}
	g.root.Signed.UnrecognizedFields = object{environmentField: "production"}
	return g
}

func (g *goTUFRepo) must(err error) {
	g.t.Helper()
	if err != nil {
		g.t.Fatal(err)
	}
}

// trust lists the public keys of private for a role.
func (g *goTUFRepo) trust(role string, private ...crypto.Signer) {
	g.t.Helper()
	for _, p := range private {
		key, err := metadata.KeyFromPublicKey(p.Public())
		g.must(err)
		g.must(g.root.Signed.AddKey(key, role))
	}
}

// write signs m and puts it into the repository.
func write[T metadata.Roles](g *goTUFRepo, name string, pretty bool, m *metadata.Metadata[T],
	private ...crypto.Signer) []byte {
	g.t.Helper()
	m.ClearSignatures()
	for _, p := range private {
		hash := crypto.SHA256
		if _, ok := p.(ed25519.PrivateKey); ok {
			hash = 0
		}
		signer, err := signature.LoadSigner(p, hash)
		g.must(err)
		_, err = m.Sign(signer)
		g.must(err)
	}
	data, err := m.ToBytes(pretty)
	g.must(err)
	g.objects.objects[name] = data
	return data
}

// release writes version n of everything but the root.
func (g *goTUFRepo) release(n int64, pretty bool, private ...crypto.Signer) {
	g.t.Helper()
	payload := payloadOf("production", "checkout", fmt.Sprint("v", n))
	file, err := metadata.TargetFile().FromBytes("checkout/"+PayloadName, payload, "sha256", "sha512")
	g.must(err)
	g.targets.Signed.Targets[file.Path] = file
	g.objects.objects["targets/checkout/"+hashOf(payload)+"."+PayloadName] = payload

	g.targets.Signed.Version = n
	data := write(g, fmt.Sprintf("%d.targets.json", n), pretty, g.targets, private...)
	g.snapshot.Signed.Version = n
	g.snapshot.Signed.Meta["targets.json"] = listedByGoTUF(g, n, data)
	data = write(g, fmt.Sprintf("%d.snapshot.json", n), pretty, g.snapshot, private...)
	g.timestamp.Signed.Version = n
	g.timestamp.Signed.Meta["snapshot.json"] = listedByGoTUF(g, n, data)
	write(g, "timestamp.json", pretty, g.timestamp, private...)
}

func listedByGoTUF(g *goTUFRepo, version int64, data []byte) *metadata.MetaFiles {
	file, err := metadata.TargetFile().FromBytes("metadata", data, "sha256")
	g.must(err)
	l := metadata.MetaFile(version)
	l.Length, l.Hashes = file.Length, file.Hashes
	return l
}

// TestReadsGoTUF lets go-tuf write a repository, publish, rotate its keys from
// one kind to the other, and publish again.
func TestReadsGoTUF(t *testing.T) {
	edKey, ecKey := edPrivate(50), p256Private()
	for _, pretty := range []bool{false, true} {
		for _, keys := range []struct {
			name        string
			first, then crypto.Signer
		}{{"ed25519 to ecdsa", edKey, ecKey}, {"ecdsa to ed25519", ecKey, edKey}} {
			t.Run(fmt.Sprintf("%s/pretty=%t", keys.name, pretty), func(t *testing.T) {
				g := newGoTUFRepo(t)
				for _, role := range metadata.TOP_LEVEL_ROLE_NAMES {
					g.trust(role, keys.first)
				}
				pinned := write(g, "1.root.json", pretty, g.root, keys.first)
				g.release(1, pretty, keys.first)

				v, err := NewVerifier(VerifierConfig{Root: pinned})
				g.must(err)
				rel, err := v.Update(t.Context(), g.objects, nil, testNow)
				g.must(err)
				if got := versions(rel); got != "1 1 1 1" {
					t.Errorf("versions %s", got)
				}
				if p, _ := rel.payload("checkout"); p.SHA256 != hashOf(payloadOf("production", "checkout", "v1")) {
					t.Errorf("payload %s", p.SHA256)
				}

				id := keyIDOfPublic(t, keys.first.Public())
				for _, role := range metadata.TOP_LEVEL_ROLE_NAMES {
					g.trust(role, keys.then)
					g.must(g.root.Signed.RevokeKey(id, role))
				}
				g.root.Signed.Version = 2
				write(g, "2.root.json", pretty, g.root, keys.first, keys.then)
				g.release(2, pretty, keys.then)
				rel, err = v.Update(t.Context(), g.objects, rel, testNow)
				g.must(err)
				if got := versions(rel); got != "2 2 2 2" {
					t.Errorf("versions %s", got)
				}
				restored(t, v, rel)
			})
		}
	}
}

func keyIDOfPublic(t *testing.T, public crypto.PublicKey) string {
	key, err := metadata.KeyFromPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	id, err := key.ID()
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// objectFetcher lets go-tuf's updater read a repo.
type objectFetcher struct{ r *repo }

func (f objectFetcher) DownloadFile(url string, limit int64, _ time.Duration) ([]byte, error) {
	name := strings.TrimPrefix(url, "https://repo.example/")
	data, ok := f.r.objects[name]
	if !ok {
		return nil, &metadata.ErrDownloadHTTP{StatusCode: 404, URL: url}
	}
	if int64(len(data)) > limit {
		return nil, &metadata.ErrDownloadLengthMismatch{Msg: url}
	}
	return data, nil
}

// TestReadByGoTUF lets go-tuf's updater read what the tests' builder writes, which
// is what the tests take for a valid repository.
func TestReadByGoTUF(t *testing.T) {
	r := newRepo()
	r.listHashes = true
	pinned := r.objects["1.root.json"]
	for _, role := range []string{roleRoot, roleTimestamp, roleSnapshot, roleTargets} {
		r.signed[role]["expires"] = farAway.Format(time.RFC3339)
	}
	r.setPayload("payments/risk", "v1")
	r.bump(roleRoot)
	r.release()
	dir := t.TempDir()
	for step, rotate := range []func(){
		func() {},
		func() { r.release() },
		func() {
			for _, role := range []string{roleTimestamp, roleSnapshot, roleTargets} {
				r.rotate(role, p256())
			}
			r.signers[roleRoot] = []testKey{ed(0), p256()}
			r.trust(roleRoot, 1, p256())
			r.bump(roleRoot)
			r.signers[roleRoot] = []testKey{p256()}
			r.bump(roleRoot)
			r.release()
		},
	} {
		rotate()
		cfg, err := config.New("https://repo.example", pinned)
		if err != nil {
			t.Fatal(err)
		}
		cfg.Fetcher = objectFetcher{r}
		cfg.LocalMetadataDir = dir
		cfg.LocalTargetsDir = dir
		u, err := updater.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		if err := u.Refresh(); err != nil {
			t.Fatalf("step %d: %v", step, err)
		}
		for _, namespace := range []string{"checkout", "payments/risk"} {
			info, err := u.GetTargetInfo(namespace + "/" + PayloadName)
			if err != nil {
				t.Fatalf("step %d: %v", step, err)
			}
			_, data, err := u.DownloadTarget(info, filepath.Join(dir, "payload"), "")
			if err != nil {
				t.Fatalf("step %d: %v", step, err)
			}
			if hashOf(data) != hashOf(r.payloads[namespace]) {
				t.Errorf("step %d: another payload of %s", step, namespace)
			}
		}
		v := r.verifier(t)
		if _, err := v.Update(t.Context(), r, nil, testNow); err != nil {
			t.Errorf("step %d: %v", step, err)
		}
	}
}
