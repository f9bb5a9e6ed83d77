package s3source_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/serin-flags/serin/ci/release"
	"github.com/serin-flags/serin/internal/s3test"
	"github.com/serin-flags/serin/sdk"
	"github.com/serin-flags/serin/sdk/s3source"
)

// TestRotation replaces keys below running programs. They pin what they always did,
// and follow: the one that polls all the time, the one that was off, one that starts
// again, and one that starts from its cache.
func TestRotation(t *testing.T) {
	server := s3test.Start(t)
	server.CreateBucket(t, bucket)
	for name, steps := range map[string][]release.RotateOptions{
		"the online key": {{Online: "new"}},
		"a root key":     {{AddRoots: []string{"new"}, Threshold: 2}},
		"the expiry":     {{}},
		"targets apart":  {{Targets: "new"}},
		"the online key, five roots behind": {{Online: "new"}, {}, {AddRoots: []string{"new"}}, {Online: "new"},
			{Online: "new", Threshold: 2}},
	} {
		for _, forget := range []bool{false, true} {
			name := name + map[bool]string{true: ", old key gone"}[forget]
			t.Run(name, func(t *testing.T) { testRotation(t, server, name, steps, forget) })
		}
	}
}

func testRotation(t *testing.T, server s3test.Server, prefix string, steps []release.RotateOptions, forget bool) {
	keys := t.TempDir()
	if _, err := release.InitKeys(keys, "production"); err != nil {
		t.Fatal(err)
	}
	p := newPublisherOf(t, server, prefix, keys)
	pinned := p.keys.Root
	p.publish(t, 1)
	var w wire
	cfg := sdk.Config{Source: s3source.New(w.client(t, server, keysOf(server)), bucket, prefix), Root: pinned,
		Interval: -1}
	running, off := open(t, cfg), open(t, cfg)
	cached := cfg
	cached.CacheDir = t.TempDir()
	open(t, cached).Close()

	for i, step := range steps {
		step.Dir = keys
		made, err := release.Opener{}.Rotate(t.Context(), step)
		if err != nil || !made.Complete() {
			t.Fatalf("made %+v, error %v", made, err)
		}
		old := filepath.Join(keys, "online.old.key")
		if forget {
			os.Remove(old) // if there is one
		}
		p = newPublisherOf(t, server, prefix, keys)
		p.publish(t, int64(i+2))
		if err := running.Refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
		serves(t, running, int64(i+2))
		os.Remove(old) // it has served its turn
	}
	last := int64(len(steps) + 1)
	if err := off.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, client := range []*sdk.Client{running, off, open(t, cfg), open(t, cached)} {
		if err := client.Refresh(t.Context()); err != nil {
			t.Error(err)
		}
		serves(t, client, last)
		if st := client.Status(); st.State != sdk.Fresh {
			t.Errorf("status %+v", st)
		}
	}
}
