package main

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"
	"github.com/serin-flags/serin/bundle"
	"github.com/serin-flags/serin/ci"
	"github.com/serin-flags/serin/evaluator"
	"github.com/serin-flags/serin/lambda"
	"github.com/serin-flags/serin/sdk"
	"github.com/spf13/cobra"
)

// settle is how long files must be quiet before they are read: editors write
// one in several steps.
const settle = 50 * time.Millisecond

func devCommand() *cobra.Command {
	var env, listen string
	cmd := &cobra.Command{
		Use:   "dev [DIR]",
		Short: "Serve a folder while you edit it",
		Long: `Dev compiles the flag files of DIR ("flags" if it isn't named), signs them with a
throw-away key and serves them over HTTP (OFREP). Whenever a file is saved it does
so again, and prints what changed, or what is wrong; then the last good state is
served on.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			l, err := newLocal(env)
			if err != nil {
				return err
			}
			defer l.close()
			d := &dev{dir: estateArg(args), env: env, local: l, out: cmd.ErrOrStderr()}
			if err := d.load(cmd.Context()); err != nil {
				return err
			}
			if d.client, err = l.open(cmd.Context()); err != nil {
				return err
			}
			defer d.client.Close()
			stop, err := d.watch(cmd.Context())
			if err != nil {
				return err
			}
			defer stop()
			return listenAndServe(cmd, listen, lambda.Handler(d.client))
		},
	}
	registerEnv(cmd, &env, "the environment to compile for; none: without overrides")
	cmd.Flags().StringVar(&listen, "listen", defaultListen, "the address to listen on; port 0: a free one")
	return cmd
}

// A dev serves a folder that is being edited.
type dev struct {
	dir, env string
	local    *local
	client   *sdk.Client // nil until the first load
	flags    map[string]evaluator.Flag
	out      io.Writer
}

// load takes the folder's present content live. If it can't, what was live
// stays.
func (d *dev) load(ctx context.Context) error {
	start := time.Now()
	estate, err := loadEstate(d.dir)
	if err != nil {
		return err
	}
	payloads, err := estate.Compile(d.env)
	if err != nil {
		return err
	}
	published, err := d.local.publish(ctx, payloads)
	if err != nil {
		return err
	}
	if d.client != nil {
		if err := d.client.Refresh(ctx); err != nil {
			return err
		}
	}
	flags := flagsOf(payloads)
	for _, line := range changes(d.flags, flags) {
		fmt.Fprintln(d.out, line)
	}
	d.flags = flags
	fmt.Fprintf(d.out, "revision %d: %s, %v\n", published.Revision, count(len(flags), "flag"), time.Since(start).Round(time.Millisecond))
	// Tests inform here; they refuse at publish.
	if err := judge(d.out, estate.Test(ci.TestOptions{})); err != nil {
		report(d.out, err)
	}
	return nil
}

func flagsOf(payloads []bundle.Payload) map[string]evaluator.Flag {
	flags := make(map[string]evaluator.Flag)
	for _, p := range payloads {
		for _, f := range p.Ruleset.Flags {
			flags[f.Key] = f
		}
	}
	return flags
}

// changes lists the flags that differ, a line each; nothing for the first load.
func changes(before, after map[string]evaluator.Flag) []string {
	var lines []string
	for key := range before {
		if _, ok := after[key]; !ok {
			lines = append(lines, "- "+key)
		}
	}
	for key, f := range after {
		old, ok := before[key]
		switch {
		case !ok && before != nil:
			lines = append(lines, "+ "+key)
		case ok && !reflect.DeepEqual(old, f):
			lines = append(lines, "~ "+key)
		}
	}
	slices.SortFunc(lines, func(a, b string) int { return strings.Compare(a[2:], b[2:]) })
	return lines
}

// watch loads again whenever a file changes, until stop is called.
func (d *dev) watch(ctx context.Context) (stop func(), err error) {
	watcher, err := fsnotify.NewWatcher()
	if err == nil {
		err = watchTree(watcher, d.dir)
	}
	if err != nil {
		return nil, fmt.Errorf("watching %s: %w", d.dir, err)
	}
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer watcher.Close()
		d.follow(ctx, watcher)
	}()
	return func() {
		cancel()
		<-done
	}, nil
}

func (d *dev) follow(ctx context.Context, watcher *fsnotify.Watcher) {
	timer := time.NewTimer(settle)
	timer.Stop()
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case event := <-watcher.Events:
			if event.Has(fsnotify.Create) {
				// A new folder has to be watched too. If it is gone again
				// there is nothing to watch.
				_ = watchTree(watcher, event.Name)
			}
			if !event.Has(fsnotify.Chmod) {
				timer.Reset(settle)
			}
		case err := <-watcher.Errors:
			fmt.Fprintf(d.out, "error: watching %s: %v\n", d.dir, err)
		case <-timer.C:
			if err := d.load(ctx); err != nil && ctx.Err() == nil {
				report(d.out, err)
				fmt.Fprintln(d.out, "the last good state is served on")
			}
		}
	}
}

// watchTree watches a folder and all below it; a file is passed over.
func watchTree(watcher *fsnotify.Watcher, dir string) error {
	return filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.IsDir() {
			return err
		}
		return watcher.Add(path)
	})
}
