package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/serin-flags/serin/bundle"
	"github.com/serin-flags/serin/ci"
	"github.com/serin-flags/serin/ci/filestore"
	"github.com/serin-flags/serin/ci/plans"
	"github.com/serin-flags/serin/ci/release"
	"github.com/serin-flags/serin/ci/s3store"
	"github.com/serin-flags/serin/internal/location"
)

// A publication is what publish and rollback have in common: where to, with which
// keys, and what to print.
type publication struct {
	env, to, keys  string
	dir            string // of the flag files; "" if there are none
	dryRun, asJSON bool
	provenance     provenanceFlags
	keyring        keyring
}

func (o *publication) register(cmd *cobra.Command) {
	registerEnv(cmd, &o.env, "the environment")
	cmd.Flags().StringVar(&o.to, "to", "", "where environments are published: s3://bucket/prefix or file:///path")
	cmd.Flags().StringVar(&o.keys, "keys", "", "the folder with the environment's online.key and root.json")
	o.keyring.register(cmd)
	cmd.Flags().BoolVar(&o.dryRun, "dry-run", false, "do everything but upload")
	cmd.Flags().BoolVar(&o.asJSON, "json", false, "print JSON")
}

// registerAfterEdit registers the flags of commands that edit and, with --publish, publish.
func (o *publication) registerAfterEdit(cmd *cobra.Command) {
	cmd.Flags().StringVar(&o.to, "to", "",
		"with --publish: where environments are published, s3://bucket/prefix or file:///path")
	cmd.Flags().StringVar(&o.keys, "keys", "",
		"with --publish: the folder with the environment's online.key and root.json")
	o.keyring.register(cmd)
	o.provenance.registerWho(cmd)
}

// unused returns an error if flags say how to publish, which has no effect without --publish.
func (o *publication) unused() error {
	if o.to != "" || o.keys != "" {
		return usagef("--to and --keys are for --publish")
	}
	return nil
}

// open opens the store and loads the keys.
func (o *publication) open(cmd *cobra.Command) (release.Options, error) {
	var none release.Options
	if missing := o.missing(); missing != "" {
		return none, usagef("%s", missing)
	}
	if lines := o.missingFiles(); len(lines) > 0 {
		return none, errors.New(strings.Join(lines, "\n"))
	}
	opts := release.Options{Environment: o.env, DryRun: o.dryRun}
	var err error
	if opts.Store, err = openStore(cmd.Context(), o.to, o.env); err != nil {
		return none, err
	}
	opts.Keys, err = o.keyring.opener(cmd).Keys(cmd.Context(), o.keys)
	return opts, hintKeys(err)
}

// noting returns a function that prints a note, once however often it is called with it: a
// publication that loses races builds its content several times.
func noting(w io.Writer) func(string) {
	known := make(map[string]bool)
	return func(note string) {
		if !known[note] {
			known[note] = true
			fmt.Fprintf(w, "note: %s\n", note)
		}
	}
}

// hintKeys adds the way out to an error of loading keys.
func hintKeys(err error) error {
	if errors.Is(err, release.ErrPassphrase) {
		return &hintedError{err, "check SERIN_PASSPHRASE or --passphrase-file, or restore the key from its backup"}
	}
	return err
}

// missing says what a publication needs and nobody has named, or "": all of it at once,
// with the files that aren't there.
func (o *publication) missing() string {
	var lines []string
	if o.env == "" {
		lines = append(lines, "no environment: name it with --env or SERIN_ENV")
	}
	if o.to == "" {
		lines = append(lines, "no --to: name where to publish, such as s3://bucket/prefix")
	}
	if o.keys == "" {
		lines = append(lines, "no --keys: name the folder that 'serin keys init' created")
	}
	if len(lines) == 0 {
		return ""
	}
	return strings.Join(append(lines, o.missingFiles()...), "\n")
}

// missingFiles says which of the named files aren't there, and where they are to be had.
func (o *publication) missingFiles() (lines []string) {
	if o.dir != "" && !exists(o.dir) {
		lines = append(lines, fmt.Sprintf("no folder %s: name the flag folder", o.dir))
	}
	if o.keys == "" {
		return lines
	}
	if name := filepath.Join(o.keys, "root.json"); !exists(name) {
		lines = append(lines, fmt.Sprintf("no %s: 'serin keys init DIR --env %s' creates the keys of an environment",
			name, cmp.Or(o.env, "E")))
	}
	if name := filepath.Join(o.keys, "online.key"); !exists(name) {
		lines = append(lines,
			fmt.Sprintf("no %s: it was created with root.json; restore it from your CI secrets", name))
	}
	return lines
}

// run publishes, and prints what came of it; done is the word for that.
func (o *publication) run(cmd *cobra.Command, opts release.Options, done, would string) error {
	screenOf(cmd.Context()).begin("uploading")
	report, err := release.Publish(cmd.Context(), opts)
	if err != nil {
		return hintPublish(err)
	}
	if o.dryRun {
		done = "would " + would
	}
	o.explain(cmd.ErrOrStderr(), done, report)
	if o.asJSON {
		return writeJSON(cmd.OutOrStdout(), newPublishJSON(report))
	}
	_, err = fmt.Fprintln(cmd.OutOrStdout(), report.Revision)
	return err
}

// publishOptions are the flags of publish.
type publishOptions struct {
	publication
	renew      bool
	forceOlder string // the reason, or "" if it isn't forced
	// lenient says that tests that fail don't stop the publication, because it can't
	// wait: it disables a flag.
	lenient bool
}

func publishCommand() *cobra.Command {
	var o publishOptions
	cmd := &cobra.Command{
		Use:   "publish [DIR] --env E --to URL --keys DIR",
		Short: "Check, test, compile, sign and upload",
		Long: `Publish checks and tests the flag files of DIR (by default "flags"), compiles them
for environment E, signs them with the keys in the folder that --keys names, and
uploads what has changed to URL/E/. Clients see either the complete old state or
the complete new one. It prints the revision.

It refuses to replace a commit with one of its ancestors, which happens if two
pipelines race: 'serin rollback' is the way back.

With --renew, it takes no DIR and signs the published metadata again. Run that on
a schedule, at least once a week.`,
		Example: `  serin publish flags --env production --to s3://flags --keys keys/production
  serin publish --renew --env production --to s3://flags --keys keys/production`,
		Args: oneWordAtMost("DIR"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if cmd.Flags().Changed("force-older") && (o.renew || strings.TrimSpace(o.forceOlder) == "") {
				return usagef("--force-older takes a reason, and doesn't go with --renew")
			}
			opts, err := o.options(cmd, args)
			if err != nil {
				return err
			}
			if o.renew {
				return o.run(cmd, opts, "renewed", "renew")
			}
			return o.run(cmd, opts, "published", "publish")
		},
	}
	o.register(cmd)
	o.provenance.register(cmd)
	cmd.Flags().BoolVar(&o.renew, "renew", false, "only sign the published metadata again")
	cmd.Flags().StringVar(&o.forceOlder, "force-older", "",
		"publish even if a later commit is published, and record this reason")
	return cmd
}

// options prepares a publication: it loads keys and flags and runs the tests.
func (o *publishOptions) options(cmd *cobra.Command, args []string) (release.Options, error) {
	var none release.Options
	if o.renew && len(args) > 0 {
		return none, usagef("--renew takes no folder")
	}
	if !o.renew {
		o.dir = estateArg(args)
	}
	opts, err := o.open(cmd)
	if err != nil {
		return none, err
	}
	if o.renew {
		warnOfTrackedKeys(cmd.Context(), cmd.ErrOrStderr(), o.keys)
		opts.Renew, opts.Provenance = true, o.provenance.ofPerson(cmd.Context())
		return opts, nil
	}
	dir := o.dir
	if err := refuseTrackedKeys(cmd.Context(), cmd.ErrOrStderr(), dir, o.keys); err != nil {
		return none, err
	}
	if err := reach(cmd.Context(), opts.Store); err != nil {
		return none, err
	}
	opts.Provenance = o.provenance.ofFolder(cmd.Context(), dir)
	if opts.Provenance.Reason = o.forceOlder; o.forceOlder == "" {
		opts.Supersedes = (&lineage{dir: dir, ours: opts.Provenance, notes: cmd.ErrOrStderr()}).supersedes
	}
	estate, err := loadEstate(dir)
	if err != nil {
		return none, err
	}
	_ = estate.Lint(ci.LintOptions{Now: time.Now()}).Write(cmd.ErrOrStderr()) // as in report: nobody to tell
	if err := estate.CheckEnvironment(o.env); err != nil {
		return none, err
	}
	opts.Content = plans.FromFiles(estate, o.env, noting(cmd.ErrOrStderr()))
	screenOf(cmd.Context()).begin("running the tests")
	// Once as they stand, and once in the environment that is published.
	report := estate.Test(ci.TestOptions{})
	there := estate.Test(ci.TestOptions{Environment: o.env})
	report.Results = append(report.Results, there.Results...)
	err = judge(cmd.ErrOrStderr(), cmd.ErrOrStderr(), eachCaseOnce(report))
	if err != nil && o.lenient {
		fmt.Fprintf(cmd.ErrOrStderr(), "warning: %v; that doesn't stop a flag from being disabled\n", err)
		err = nil
	}
	return opts, err
}

// openStore opens the folder of an environment below a URL.
func openStore(ctx context.Context, to, env string) (release.ListStore, error) {
	l, err := location.Parse(to, "s3", "file")
	if err != nil {
		return nil, usagef("--to: %v", err)
	}
	if path.Base(l.Path) == env {
		return nil, usagef("--to %s: name the place of all environments; publish adds %s", to, env)
	}
	if l.Scheme == "s3" {
		store, err := s3store.FromURL(ctx, l.URL.JoinPath(env).String())
		if err != nil {
			return nil, err // not a nil store in an interface
		}
		return store, nil
	}
	return filestore.New(filepath.Join(filepath.FromSlash(l.Path), env)), nil
}

// reach makes sure that a store can be read, so that a publication which can't succeed
// fails before the tests have run.
func reach(ctx context.Context, store release.Store) error {
	_, _, err := store.Get(ctx, "timestamp.json", 0)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, bundle.ErrTooLarge) {
		return nil
	}
	if d := detailed(nil); errors.As(err, &d) {
		return err
	}
	err = fmt.Errorf("reaching the store: %w", err)
	return &hintedError{err, "--to must name a bucket, or a folder that this user can read and write"}
}

func hintPublish(err error) error {
	if errors.Is(err, release.ErrConflict) {
		return &hintedError{err, "other publishers are active; publish again"}
	}
	return err
}

// explain says what a publication did.
func (o *publication) explain(w io.Writer, done string, r release.Report) {
	if time.Until(r.RootExpires) < nearExpiry {
		fmt.Fprintf(w, "warning: the root expires at %s: run 'serin keys rotate'\n", when(r.RootExpires))
	}
	if !r.TargetsExpire.IsZero() {
		fmt.Fprintf(w, "targets were not renewed, because their key isn't here: publish, or renew with that key, before %s\n", when(r.TargetsExpire))
	}
	if len(r.Objects) == 0 {
		fmt.Fprintf(w, "nothing to do: revision %d has this content\n", r.Revision)
		return
	}
	for _, change := range []struct {
		verb       string
		namespaces []string
	}{{"added", r.Added}, {"changed", r.Changed}, {"removed", r.Removed}} {
		for _, ns := range change.namespaces {
			fmt.Fprintf(w, "%-8s %s\n", change.verb, ns)
		}
	}
	if r.Files {
		fmt.Fprintf(w, "%-8s %s\n", "changed", ci.ReleasesFile)
	}
	for _, f := range r.Formats {
		fmt.Fprintln(w, formatChange(f))
	}
	fmt.Fprintf(w, "%s revision %d of %s/%s: %s, %s; renew before %s\n", done, r.Revision,
		strings.TrimSuffix(o.to, "/"), o.env,
		count(len(r.Objects), "object"), count(int(r.Bytes), "byte"), when(r.Expires))
}

// A publishJSON is a report as --json prints it.
type publishJSON struct {
	Revision int64    `json:"revision"`
	Previous int64    `json:"previous"`
	Added    []string `json:"added"`
	Changed  []string `json:"changed"`
	Removed  []string `json:"removed"`
	// Formats are of namespaces whose payloads change their format.
	Formats []formatJSON `json:"formats"`
	Objects []string     `json:"objects"`
	Bytes   int64        `json:"bytes"`
	Content string       `json:"content"`
	Expires time.Time    `json:"expires"`
}

func newPublishJSON(r release.Report) publishJSON {
	return publishJSON{
		r.Revision, r.Previous, list(r.Added), list(r.Changed), list(r.Removed), newFormatsJSON(r.Formats),
		list(r.Objects), r.Bytes, r.Content, r.Expires,
	}
}
