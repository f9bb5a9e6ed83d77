//go:build unix

package release_test

import (
	"bytes"
	"crypto/elliptic"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/theupdateframework/go-tuf/v2/metadata/config"
	"github.com/theupdateframework/go-tuf/v2/metadata/updater"

	"github.com/serin-flags/serin/bundle"
	"github.com/serin-flags/serin/ci/filestore"
	"github.com/serin-flags/serin/ci/release"
	"github.com/serin-flags/serin/internal/npmtest"
)

// A tufClient downloads targets from the repository at a URL, trusting what root
// vouches for and what it has seen on earlier calls with the same cache.
type tufClient func(t *testing.T, url string, root []byte, cache string, targets []string) (map[string][]byte, error)

// Clients of others read what is published, as it changes, and refuse it when it
// was tampered with.
func TestOtherClients(t *testing.T) {
	clients := map[string]tufClient{"go-tuf": goTUF, "tuf-js": tufJS}
	keys := map[string]func(t *testing.T) release.Keys{
		"ed25519": func(t *testing.T) release.Keys { return newKeys(t, production) },
		"ecdsa":   ecdsaKeys,
	}
	for client, download := range clients {
		for algorithm, keys := range keys {
			t.Run(client+" "+algorithm, func(t *testing.T) { testOtherClient(t, keys(t), download) })
		}
	}
}

// Clients of others follow roots, whose keys are replaced under them.
func TestOtherClientsFollowRotations(t *testing.T) {
	p256 := filepath.Join(t.TempDir(), "p256.key")
	if err := os.WriteFile(p256, encode(t, newECDSA(t, elliptic.P256())), 0o600); err != nil {
		t.Fatal(err)
	}
	for client, download := range map[string]tufClient{"go-tuf": goTUF, "tuf-js": tufJS} {
		t.Run(client, func(t *testing.T) {
			dir, cache := t.TempDir(), t.TempDir()
			store := filestore.New(dir)
			server := httptest.NewServer(http.FileServer(http.Dir(dir)))
			t.Cleanup(server.Close)
			f := newFolder(t, release.InitOptions{NewRootKeys: 2, Threshold: 2, Targets: "new"})
			pinned := f.keys(t).Root
			data, err := os.ReadFile(p256)
			if err == nil {
				err = os.WriteFile(f.path("root-p256.key"), data, 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
			for i, step := range []release.RotateOptions{
				{}, {Online: "new"}, {AddRoots: []string{p256}, Threshold: 3}, {Targets: "new"}, {Online: p256, Targets: p256},
			} {
				if i > 0 {
					f.rotate(t, step)
				}
				if step.Online == p256 { // the private keys are put in place by hand
					for _, name := range []string{"online.key", "targets.key"} {
						if err := os.WriteFile(f.path(name), data, 0o600); err != nil {
							t.Fatal(err)
						}
					}
				}
				c := content{"checkout": fmt.Sprint("v", i)}
				report := mustPublish(t, options(store, f.keys(t), c))
				want, _, err := bundle.EncodePayload(c.payloads(production)[0])
				if err != nil {
					t.Fatal(err)
				}
				const path = "checkout/" + bundle.PayloadName
				for name, cache := range map[string]string{"running": cache, "new": t.TempDir()} {
					got, err := download(t, server.URL, pinned, cache, []string{path})
					if err != nil || !bytes.Equal(got[path], want) {
						t.Errorf("%s client, after rotation %d, which put %v: error %v", name, i, report.Objects, err)
					}
				}
				for _, name := range []string{"online.old.key", "targets.old.key"} {
					os.Remove(f.path(name)) // if there is one
				}
			}
		})
	}
}

func testOtherClient(t *testing.T, keys release.Keys, download tufClient) {
	dir, cache := t.TempDir(), t.TempDir()
	store := filestore.New(dir)
	server := httptest.NewServer(http.FileServer(http.Dir(dir)))
	t.Cleanup(server.Close)

	for _, c := range []content{
		{"checkout": "a", "search/web": "b"},
		{"checkout": "a", "search/web": "c"},
		{"checkout": "a", "home": "d"},
	} {
		opts := withList(options(store, keys, c), "u")
		mustPublish(t, opts)
		mustPublish(t, renewal(store, keys, 0))
		want := make(map[string][]byte)
		for _, payload := range opts.Payloads {
			data, lists, err := bundle.EncodePayload(payload)
			if err != nil {
				t.Fatal(err)
			}
			want[payload.Namespace+"/"+bundle.PayloadName] = data
			want[bundle.ListPath(lists[0].SHA256)] = lists[0].Data
		}
		targets := slices.Sorted(maps.Keys(want))
		got, err := download(t, server.URL, keys.Root, cache, targets)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("targets (-published +downloaded):\n%s", diff)
		}
	}

	timestamp := mustGet(t, store, "timestamp.json")
	overwrite(t, store, "timestamp.json", flip(timestamp, len(timestamp)/2))
	if _, err := download(t, server.URL, keys.Root, cache, nil); err == nil {
		t.Error("a timestamp.json that was tampered with was accepted")
	}
	overwrite(t, store, "timestamp.json", timestamp)
	if _, err := download(t, server.URL, keys.Root, cache, []string{"search/web/" + bundle.PayloadName}); err == nil {
		t.Error("a namespace that was withdrawn was downloaded")
	}
}

// goTUF is the client of github.com/theupdateframework/go-tuf.
func goTUF(t *testing.T, url string, root []byte, cache string, targets []string) (map[string][]byte, error) {
	cfg, err := config.New(url, root)
	if err != nil {
		return nil, err
	}
	cfg.LocalMetadataDir = cache
	cfg.LocalTargetsDir = t.TempDir()
	client, err := updater.New(cfg)
	if err != nil {
		return nil, err
	}
	if err := client.Refresh(); err != nil {
		return nil, err
	}
	got := make(map[string][]byte)
	for _, path := range targets {
		target, err := client.GetTargetInfo(path)
		if err != nil {
			return nil, err
		}
		if _, got[path], err = client.DownloadTarget(target, "", ""); err != nil {
			return nil, err
		}
	}
	return got, nil
}

// tufJS is the npm package tuf-js.
func tufJS(t *testing.T, url string, root []byte, cache string, targets []string) (map[string][]byte, error) {
	project := filepath.Join("..", "..", "testdata", "js", "tuf")
	npmtest.Install(t, project)
	pinned := filepath.Join(t.TempDir(), "root.json")
	if err := os.WriteFile(pinned, root, 0o600); err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(t.Context(), "node", append([]string{"verify.mjs", url, pinned, cache}, targets...)...)
	cmd.Dir = project
	out, err := cmd.Output()
	if err != nil {
		var stderr []byte
		if exit, ok := err.(*exec.ExitError); ok {
			stderr = exit.Stderr
		}
		return nil, fmt.Errorf("tuf-js: %w: %s", err, stderr)
	}
	got := make(map[string][]byte)
	return got, json.Unmarshal(out, &got)
}
