package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/serin-flags/serin/bundle"
	"github.com/serin-flags/serin/ci/filestore"
	"github.com/serin-flags/serin/ci/release"
	"github.com/serin-flags/serin/sdk"
)

// A local is a repository of one environment in a throw-away folder, with keys
// of its own: what serve and dev need to take a folder of flag files along the
// way that published flags take.
type local struct {
	dir  string
	env  string
	keys release.Keys
}

// newLocal makes a local repository. Without a name the environment is called
// "local".
func newLocal(env string) (*local, error) {
	if env == "" {
		env = "local"
	}
	dir, err := os.MkdirTemp("", "serin-")
	if err != nil {
		return nil, err
	}
	l := &local{dir: dir, env: env}
	if _, err = release.InitKeys(l.path("keys"), env); err == nil {
		l.keys, err = release.LoadKeys(l.path("keys"))
	}
	if err != nil {
		l.close()
		return nil, fmt.Errorf("making a local repository: %w", err)
	}
	return l, nil
}

func (l *local) path(name string) string { return filepath.Join(l.dir, name) }

// close removes the repository.
func (l *local) close() {
	// A folder that can't be removed is the operating system's to clean up: it
	// is a temporary one.
	_ = os.RemoveAll(l.dir)
}

// publish signs and publishes what a folder was compiled to.
func (l *local) publish(ctx context.Context, payloads []bundle.Payload) (release.Report, error) {
	named := make([]bundle.Payload, len(payloads))
	for i, p := range payloads {
		p.Environment = l.env
		named[i] = p
	}
	return release.Publish(ctx, release.Options{
		Store:       filestore.New(l.path("repository")),
		Keys:        l.keys,
		Environment: l.env,
		Payloads:    named,
	})
}

// open returns a client of the repository, which follows it.
func (l *local) open(ctx context.Context) (*sdk.Client, error) {
	source, err := sdk.File(l.path("repository"))
	if err != nil {
		return nil, err
	}
	return sdk.Open(ctx, sdk.Config{Source: source, Root: l.keys.Root})
}
