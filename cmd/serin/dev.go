package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/fsnotify/fsnotify"
	"github.com/serin-flags/serin/bundle"
	"github.com/serin-flags/serin/ci"
	"github.com/serin-flags/serin/ci/page"
	"github.com/serin-flags/serin/lambda"
	"github.com/serin-flags/serin/sdk"
	"github.com/spf13/cobra"
)

// settle is how long files must be quiet before they are read: editors write
// one in several steps.
const settle = 50 * time.Millisecond

func devCommand() *cobra.Command {
	var env, listen string
	var f pageFlags
	cmd := &cobra.Command{
		Use:   "dev [DIR]",
		Short: "Serve a folder while you edit it",
		Long: `Dev compiles the flag files of DIR (by default "flags"), signs them with a
temporary key and serves them over HTTP (OFREP). It prints its URL, which shows the
flags in a browser, and a request to try. The pages in the browser follow the files,
say why a user gets a value, and can write small edits.

Whenever you save a file, it does so again and prints what changed. If the files
have errors, it prints them and keeps serving the last good version. It prints
warnings and tests that fail, each once, and still serves the flags they test. With
a flags.lock, it serves what 'serin lock' would make of edited shares, and prints
who changes. Schemas in DIR/.schema, which 'serin schema' writes, are renewed.`,
		Args:        oneWordAtMost("DIR"),
		Annotations: map[string]string{serves: "yes"},
		RunE: func(cmd *cobra.Command, args []string) error {
			reads, err := f.reads()
			if err != nil {
				return err
			}
			l, err := newLocal(env)
			if err != nil {
				return err
			}
			defer l.close()
			d := &dev{dir: estateArg(args), env: env, local: l, page: page.NewHandler(devPage(f, estateArg(args))),
				reads: reads, out: cmd.ErrOrStderr()}
			return d.serve(cmd, listen)
		},
	}
	registerEnv(cmd, &env, "the environment to compile for (default: none, without overrides)")
	f.register(cmd)
	cmd.Flags().StringVar(&listen, "listen", defaultListen, "the address to listen on; port 0 selects a free port")
	return cmd
}

// devPage returns what the page of a folder that is being edited can do.
func devPage(f pageFlags, dir string) page.Options {
	o := f.options(dir)
	o.Live, o.Compare, o.Old, o.Propose = true, pageComparer(dir), "git:HEAD", pageProposer(dir)
	return o
}

// A dev serves a folder that is being edited.
type dev struct {
	dir, env string // dir as the user named it
	folder   string // dir as a full path, without symbolic links
	// names are the links that lead to the folder, and its own name.
	names   map[string]bool
	local   *local
	client  *sdk.Client    // nil until the first load
	content map[string]any // flags and segments by their names
	page    *page.Handler
	keys    []string            // of all flags
	reads   map[string][]string // places where code reads flags, for the page
	news    news
	out     io.Writer
}

// serve takes the folder live, and follows it until the command is interrupted.
func (d *dev) serve(cmd *cobra.Command, listen string) error {
	// Watching begins before the first load, so that no change is
	// missed. If there is no folder, load has better words for it.
	watcher, err := d.watch()
	if watcher != nil {
		defer watcher.Close()
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("watching %s: %w", d.dir, err)
	}
	if err := interruptible(cmd.Context(), func() error { return d.load(cmd.Context()) }); err != nil {
		return err
	}
	if d.client, err = d.local.open(cmd.Context()); err != nil {
		return err
	}
	defer d.client.Close()
	ctx, cancel := context.WithCancel(cmd.Context())
	var following sync.WaitGroup
	following.Go(func() { d.follow(ctx, watcher) })
	defer following.Wait()
	defer cancel()
	s := service{listen: listen, handler: lambda.New(d.client, lambda.Config{Events: true}), page: d.page,
		ready: d.invite}
	return s.run(cmd)
}

// load takes the folder's present content live. If it can't, what was live
// stays.
func (d *dev) load(ctx context.Context) error {
	start := time.Now()
	estate, update, err := ci.LoadLocked(d.dir)
	if err != nil {
		return hintEstate(d.dir, err)
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
	content := contentOf(payloads)
	for _, line := range changes(d.content, content) {
		fmt.Fprintln(d.out, line)
	}
	d.content = content
	now := time.Now()
	fmt.Fprintf(d.out, "revision %d: %s, in %v at %s\n",
		published.Revision, count(len(estate.Keys()), "flag"), now.Sub(start).Round(time.Millisecond),
		now.Format(time.TimeOnly))
	d.keys = estate.Keys()
	model, err := folderModel(d.dir, estate, d.reads)
	d.page.Update(model, err)
	d.inform(estate, update)
	return nil
}

// inform prints what an edit has changed beside the flags, and what has become wrong. What
// was printed before isn't repeated as long as it is true.
func (d *dev) inform(estate *ci.Estate, update *ci.LockUpdate) {
	d.news.begin()
	if update != nil {
		d.news.print(d.out, lockText(update))
	}
	switch renewed, err := renewSchemas(estate, d.dir); {
	case err != nil:
		d.news.print(d.out, fmt.Sprintf("error: %v\n", err))
	case renewed:
		fmt.Fprintf(d.out, "renewed %s\n", filepath.Join(d.dir, schemaFolder))
	}
	tests := estate.Test(ci.TestOptions{})
	for _, p := range slices.Concat(estate.Lint(ci.LintOptions{Now: time.Now()}), tests.Problems()) {
		var text strings.Builder
		_ = ci.Problems{p}.Write(&text) // to a strings.Builder, it doesn't fail
		d.news.print(d.out, text.String())
	}
	// Tests inform here; they refuse at publish.
	if err := judge(io.Discard, d.out, tests); err != nil {
		fmt.Fprintf(d.out, "error: %v\n", err)
	}
}

// lockText says who changes because of edited shares, and how to keep that.
func lockText(u *ci.LockUpdate) string {
	var text strings.Builder
	fmt.Fprintf(&text, "note: served as if 'serin lock' had updated %s, which you run to keep this:\n", u.File)
	for _, c := range u.Changes {
		_ = writeLockChange(&text, c) // to a strings.Builder, it doesn't fail
	}
	return text.String()
}

// news is what has been printed.
type news struct{ before, now map[string]bool }

// begin forgets what is no longer true.
func (n *news) begin() { n.before, n.now = n.now, make(map[string]bool) }

// print prints a text that wasn't true before.
func (n *news) print(w io.Writer, text string) {
	if !n.before[text] && !n.now[text] {
		fmt.Fprint(w, text)
	}
	n.now[text] = true
}

// invite prints a request to try.
func (d *dev) invite(url string) {
	key := d.keys[0] // an estate has at least one flag
	fmt.Fprintf(d.out, "try: curl -d '%s' %s%s%s\n", sampleBody, url, ofrepPath, key)
}

// contentOf returns all flags and segments by what people are shown as their
// names.
func contentOf(payloads []bundle.Payload) map[string]any {
	content := make(map[string]any)
	for _, p := range payloads {
		for _, f := range p.Ruleset.Flags {
			content[f.Key] = f
		}
		for _, s := range p.Ruleset.Segments {
			content["segment "+s.Name] = s
		}
	}
	return content
}

// changes lists what differs, a line each; nothing for the first load.
func changes(before, after map[string]any) []string {
	var lines []string
	for name := range before {
		if _, ok := after[name]; !ok {
			lines = append(lines, "- "+name)
		}
	}
	for name, now := range after {
		old, ok := before[name]
		switch {
		case !ok && before != nil:
			lines = append(lines, "+ "+name)
		case ok && !reflect.DeepEqual(old, now):
			lines = append(lines, "~ "+name)
		}
	}
	slices.SortFunc(lines, func(a, b string) int { return strings.Compare(a[2:], b[2:]) })
	return lines
}

// watch watches the folder and what leads to it. The watcher is the caller's to close,
// also if there is an error.
func (d *dev) watch() (*fsnotify.Watcher, error) {
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, err
	}
	return watcher, d.arm(watcher)
}

// arm makes the watcher watch the folder and all below it, and the folders where it
// shows if another folder takes its place, as when branches are switched or a symbolic
// link on the way is set to another folder.
func (d *dev) arm(watcher *fsnotify.Watcher) (err error) {
	if d.folder, d.names, err = trail(d.dir); err != nil {
		return err
	}
	wanted := make(map[string]bool)
	for name := range d.names {
		wanted[filepath.Dir(name)] = true
		if err := watcher.Add(filepath.Dir(name)); err != nil {
			return err
		}
	}
	err = watchTree(watcher, d.folder)
	for _, watched := range watcher.WatchList() {
		if !wanted[watched] && !within(watched, d.folder) {
			_ = watcher.Remove(watched) // it is gone already, then
		}
	}
	return err
}

// maxLinks is how many symbolic links are followed on one path, as in the kernel.
const maxLinks = 40

// trail returns the full path of a folder, without symbolic links, and the names by
// which it is found: those of the links on the way, and its own.
func trail(dir string) (folder string, names map[string]bool, err error) {
	if folder, err = filepath.Abs(dir); err != nil {
		return "", nil, err
	}
	names = make(map[string]bool)
	for range maxLinks {
		link, below := firstLink(folder)
		if link == "" {
			names[folder] = true
			return folder, names, nil
		}
		names[link] = true
		target, err := os.Readlink(link)
		if err != nil {
			return "", nil, err
		}
		if !filepath.IsAbs(target) {
			target = filepath.Join(filepath.Dir(link), target)
		}
		folder = filepath.Join(target, below)
	}
	return "", nil, fmt.Errorf("more than %d symbolic links lead to %s", maxLinks, dir)
}

// firstLink returns the first part of a full path that is a symbolic link, and the rest
// below it. The link is "" if there is none.
func firstLink(full string) (link, below string) {
	for at := full; at != filepath.Dir(at); at = filepath.Dir(at) {
		if info, err := os.Lstat(at); err == nil && info.Mode()&fs.ModeSymlink != 0 {
			link = at // there may be another one above it
		}
	}
	if link == "" {
		return "", ""
	}
	return link, full[len(link):]
}

// within reports whether the path name is folder or below it.
func within(name, folder string) bool {
	const separator = string(filepath.Separator)
	return name == folder || strings.HasPrefix(name, strings.TrimSuffix(folder, separator)+separator)
}

// follow loads again whenever a file changes, until ctx is done.
func (d *dev) follow(ctx context.Context, watcher *fsnotify.Watcher) {
	timer := time.NewTimer(settle)
	timer.Stop()
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case event := <-watcher.Events:
			if !d.names[event.Name] && !within(event.Name, d.folder) ||
				within(event.Name, filepath.Join(d.folder, schemaFolder)) {
				continue // beside the folder, or written by load
			}
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
			timer.Reset(settle) // what was missed shows in the files
		case <-timer.C:
			// The folder may be another one. If it is gone, load has better words.
			if err := d.arm(watcher); err != nil && !errors.Is(err, fs.ErrNotExist) {
				fmt.Fprintf(d.out, "error: watching %s: %v\n", d.dir, err)
			}
			if err := d.load(ctx); err != nil && ctx.Err() == nil {
				d.page.Update(nil, err)
				report(d.out, err)
				fmt.Fprintln(d.out, "still serving the last good version")
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
