package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/serin-flags/serin/bundle"
	"github.com/serin-flags/serin/ci"
	"github.com/serin-flags/serin/ci/plans"
	"github.com/serin-flags/serin/ci/release"
	"github.com/serin-flags/serin/evaluator"
	"github.com/serin-flags/serin/internal/regular"
	"github.com/serin-flags/serin/sdk/s3source"
	"github.com/spf13/cobra"
)

// defaultEstate is the folder that commands take if none is named.
const defaultEstate = "flags"

// published reports whether a source is the URL of a published repository,
// rather than a folder of flag files.
func published(src string) bool { return strings.Contains(src, "://") }

// sourceFlags are the flags of commands that read a source.
type sourceFlags struct {
	root       string
	env        string
	namespaces []string // that are pulled; nil: all
}

func (f *sourceFlags) register(cmd *cobra.Command) {
	f.registerRoot(cmd)
	registerEnv(cmd, &f.env,
		"the environment to compile a folder for (default: none, without overrides), or that a published source must be")
}

func (f *sourceFlags) registerRoot(cmd *cobra.Command) {
	variableFlag(cmd, &f.root, "root", "the pinned root.json that a published source is verified against")
}

// registerEnv registers the flag for an environment.
func registerEnv(cmd *cobra.Command, env *string, usage string) {
	variableFlag(cmd, env, "env", usage)
}

// registerFrom registers the flag for a source, which is the folder flags by default.
func registerFrom(cmd *cobra.Command, from *string) {
	variableFlag(cmd, from, "from", `a folder of flag files, or the URL of a published environment (default "flags")`)
}

// sourceOr returns the source that is named or, if none is, the default one. That is
// none if --root says that flags are published somewhere.
func sourceOr(cmd *cobra.Command, named string) (string, error) {
	switch {
	case named != "":
		return named, nil
	case cmd.Flags().Changed("root"):
		return "", usagef("no source: --root is for a published one; name its URL")
	case !exists(defaultEstate):
		return "", usagef("no source: there is no folder %s here; name one, or a URL, with --from or SERIN_FROM",
			defaultEstate)
	}
	return defaultEstate, nil
}

// variableFlag registers a flag that an environment variable stands for. Its
// value isn't the flag's default, which the help would show.
func variableFlag(cmd *cobra.Command, value *string, name, usage string) {
	variable := "SERIN_" + strings.ToUpper(name)
	cmd.Flags().StringVar(value, name, "", usage+" ["+variable+"]")
	before := cmd.PreRunE
	cmd.PreRunE = func(cmd *cobra.Command, args []string) error {
		if !cmd.Flags().Changed(name) {
			*value = os.Getenv(variable)
		}
		if before == nil {
			return nil
		}
		return before(cmd, args)
	}
}

// shown returns a source as messages may show it: without a password.
func shown(src string) string {
	u, err := url.Parse(src)
	if err != nil || u.User == nil {
		return src
	}
	return u.Redacted()
}

// content is what a source holds.
type content struct {
	environment string
	revision    int64 // 0: a folder
	payloads    []bundle.Payload
	program     *evaluator.Program
	declared    []ci.Declaration // of a folder; nil: published flags only have what rules use
}

// open reads a source: it compiles a folder, or pulls and verifies what is
// published.
func (f *sourceFlags) open(ctx context.Context, src string) (content, error) {
	c := content{environment: f.env}
	if published(src) {
		release, err := f.pull(ctx, src)
		if err != nil {
			return content{}, err
		}
		c.environment, c.revision = release.Environment(), release.Revision()
		for _, p := range release.Payloads() {
			payload, err := bundle.DecodePayload(p.Data, p.Lists...)
			if err != nil {
				return content{}, fmt.Errorf("reading %s of %s: %w", p.Namespace, shown(src), err)
			}
			c.payloads = append(c.payloads, payload)
		}
	} else {
		estate, err := loadEstate(src)
		if err != nil {
			return content{}, err
		}
		if c.payloads, err = estate.Compile(f.env); err != nil {
			return content{}, err
		}
		c.declared = estate.Attributes()
	}
	var err error
	c.program, err = ci.Program(c.payloads)
	return c, err
}

// attributes returns the names of the attributes that rules use.
func (c content) attributes() iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, p := range c.payloads {
			for _, a := range p.Ruleset.Attributes {
				if !yield(a.Name) {
					return
				}
			}
		}
	}
}

// pull downloads and verifies a published environment.
func (f *sourceFlags) pull(ctx context.Context, url string) (*bundle.Release, error) {
	source, err := s3source.FromURL(ctx, url)
	if err != nil {
		return nil, err
	}
	_, verifier, err := f.verifier()
	if err != nil {
		return nil, err
	}
	release, err := verifier.Update(ctx, source, nil, time.Now())
	if err != nil {
		return nil, hintPull(fmt.Errorf("pulling %s: %w", shown(url), err), verifier.Environment())
	}
	return release, nil
}

// An inspected environment is what is published, with how far releases have got.
type inspected struct {
	environment string
	found       release.Published
	state       plans.State
}

// inspect reads and verifies what is published, with the files that clients don't read.
func (f *sourceFlags) inspect(ctx context.Context, url string) (p inspected, err error) {
	root, verifier, err := f.verifier()
	if err != nil {
		return p, err
	}
	p.environment = verifier.Environment()
	source, err := s3source.FromURL(ctx, url)
	if err != nil {
		return p, err
	}
	if p.found, err = release.Inspect(ctx, source, root); err != nil {
		return p, hintPull(err, p.environment)
	}
	p.state, err = plans.Read(p.found.Files)
	return p, err
}

// verifier returns the pinned root and what verifies by it.
func (f *sourceFlags) verifier() (root []byte, verifier *bundle.Verifier, err error) {
	if root, err = readRoot(f.root); err != nil {
		return nil, nil, err
	}
	if verifier, err = bundle.NewVerifier(bundle.VerifierConfig{Root: root, Namespaces: f.namespaces}); err != nil {
		return nil, nil, fmt.Errorf("reading root %s: %w", f.root, err)
	}
	return root, verifier, f.checkEnvironment(verifier.Environment())
}

// hintPull adds the way out to the error of a pull.
func hintPull(err error, environment string) error {
	var refused *bundle.Error
	if d := detailed(nil); !errors.As(err, &refused) || errors.As(err, &d) {
		return err // the latter says what to do
	}
	switch {
	case refused.Class == bundle.NotFound && refused.Object == "timestamp.json":
		return &hintedError{err, "the URL must end with the environment's name, such as s3://bucket/prefix/" +
			environment}
	case refused.Class == bundle.Signature && refused.Object == "timestamp.json":
		return &hintedError{err,
			fmt.Sprintf("the root is for environment %q; check that this is its URL, and that the root belongs to its keys", environment)}
	case refused.Class == bundle.Signature:
		return &hintedError{err, "the object isn't the one that was signed: purge the caches in between, " +
			"or restore it from the bucket's versions"}
	case refused.Class == bundle.Expired:
		return &hintedError{err, "'serin publish --renew' renews it: run that on a schedule"}
	case refused.Class == bundle.Network:
		return &hintedError{err, "check the URL, and that the server answers to this machine"}
	}
	return err
}

// checkEnvironment compares the environment that the root names with the one
// asked for, if any.
func (f *sourceFlags) checkEnvironment(named string) error {
	if f.env != "" && f.env != named {
		return fmt.Errorf("the root %s is for environment %q, not %q: name another with --root or SERIN_ROOT", f.root,
			named, f.env)
	}
	return nil
}

// readRoot reads a pinned root.
func readRoot(name string) ([]byte, error) {
	if name == "" {
		return nil, usagef("no root: a published source is verified against the root.json that --root or SERIN_ROOT names")
	}
	file, err := regular.Open(name)
	if err != nil {
		return nil, fmt.Errorf("reading the root: %w", err)
	}
	defer file.Close()
	root, err := io.ReadAll(io.LimitReader(file, bundle.MaxRoot+1))
	if err != nil {
		return nil, fmt.Errorf("reading the root: %w", err)
	}
	if len(root) > bundle.MaxRoot {
		return nil, fmt.Errorf("reading the root: %s is larger than %d KiB", name, bundle.MaxRoot>>10)
	}
	if bytes.HasPrefix(root, []byte("-----BEGIN")) {
		return nil, usagef("%s is a key; the root is the file root.json that 'serin keys init' created next to it",
			name)
	}
	return root, nil
}

// loadEstate loads a folder of flag files.
func loadEstate(dir string) (*ci.Estate, error) {
	if published(dir) {
		return nil, usagef("%s is a URL: name a folder of flag files", dir)
	}
	estate, err := ci.Load(dir)
	if err != nil {
		return nil, hintEstate(dir, err)
	}
	return estate, nil
}

// hintEstate adds to the error of loading a folder what it looks like, if it isn't
// an estate.
func hintEstate(dir string, err error) error {
	parent := filepath.Dir(filepath.Clean(dir))
	switch {
	case exists(filepath.Join(dir, "context.yaml")):
		return err
	case exists(filepath.Join(dir, "timestamp.json")):
		return usagef("%s contains a published environment: use its URL, file:// and the full path", dir)
	case exists(filepath.Join(dir, defaultEstate, "context.yaml")):
		return usagef("%s isn't a flag folder, but %s is; name that", dir, filepath.Join(dir, defaultEstate))
	case exists(filepath.Join(parent, "context.yaml")):
		return usagef("%s is part of a flag folder; name the folder itself: %s", dir, parent)
	}
	var problems ci.Problems
	if !errors.As(err, &problems) {
		err = &hintedError{err, "name the folder with your flag files, the one that contains context.yaml"}
	}
	return err
}

func exists(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}

// estateArg returns the folder that a command's arguments name.
func estateArg(args []string) string {
	if len(args) > 0 {
		return args[0]
	}
	return defaultEstate
}
