package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/serin-flags/serin/bundle"
	"github.com/serin-flags/serin/ci"
	"github.com/serin-flags/serin/evaluator"
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
	root string
	env  string
}

func (f *sourceFlags) register(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.root, "root", os.Getenv("SERIN_ROOT"), "the pinned root.json that a published source is verified against [SERIN_ROOT]")
	registerEnv(cmd, &f.env, "the environment that a folder is compiled for; none: without overrides")
}

// registerEnv registers the flag for an environment.
func registerEnv(cmd *cobra.Command, env *string, usage string) {
	cmd.Flags().StringVar(env, "env", os.Getenv("SERIN_ENV"), usage+" [SERIN_ENV]")
}

// registerFrom registers the flag for a source that isn't an argument.
func registerFrom(cmd *cobra.Command, from *string) {
	cmd.Flags().StringVar(from, "from", os.Getenv("SERIN_FROM"), "a folder of flag files, or the URL of a published environment [SERIN_FROM]")
}

// content is what a source holds.
type content struct {
	environment string
	revision    int64 // 0: a folder
	payloads    []bundle.Payload
	program     *evaluator.Program
}

// open reads a source: it compiles a folder, or pulls and verifies what is
// published.
func (f *sourceFlags) open(ctx context.Context, src string) (content, error) {
	if src == "" {
		return content{}, usagef("no source: name it with --from or SERIN_FROM")
	}
	c := content{environment: f.env}
	if published(src) {
		release, err := f.pull(ctx, src)
		if err != nil {
			return content{}, err
		}
		c.environment, c.revision = release.Environment(), release.Revision()
		for _, p := range release.Payloads() {
			payload, err := bundle.DecodePayload(p.Data)
			if err != nil {
				return content{}, fmt.Errorf("reading %s of %s: %w", p.Namespace, src, err)
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
	}
	var err error
	c.program, err = compile(c.payloads)
	return c, err
}

func compile(payloads []bundle.Payload) (*evaluator.Program, error) {
	sets := make([]evaluator.Ruleset, len(payloads))
	for i, p := range payloads {
		sets[i] = p.Ruleset
	}
	return evaluator.Compile(sets...)
}

// pull downloads and verifies a published environment.
func (f *sourceFlags) pull(ctx context.Context, url string) (*bundle.Release, error) {
	root, err := readRoot(f.root)
	if err != nil {
		return nil, err
	}
	verifier, err := bundle.NewVerifier(bundle.VerifierConfig{Root: root})
	if err != nil {
		return nil, fmt.Errorf("reading root %s: %w", f.root, err)
	}
	if err := f.checkEnvironment(verifier.Environment()); err != nil {
		return nil, err
	}
	source, err := s3source.FromURL(ctx, url)
	if err != nil {
		return nil, err
	}
	release, err := verifier.Update(ctx, source, nil, time.Now())
	if err != nil {
		err = fmt.Errorf("pulling %s: %w", url, err)
		if class, _ := bundle.ClassOf(err); class == bundle.NotFound {
			err = &hintedError{err, "the URL of an environment ends in its name, such as s3://bucket/prefix/production"}
		}
		return nil, err
	}
	return release, nil
}

// checkEnvironment compares the environment that the root names with the one
// asked for, if any.
func (f *sourceFlags) checkEnvironment(named string) error {
	if f.env != "" && f.env != named {
		return fmt.Errorf("the root %s is that of environment %q, not %q", f.root, named, f.env)
	}
	return nil
}

// readRoot reads a pinned root.
func readRoot(name string) ([]byte, error) {
	if name == "" {
		return nil, usagef("no root: a published source is verified against the root.json that --root or SERIN_ROOT names")
	}
	return os.ReadFile(name)
}

// loadEstate loads a folder of flag files.
func loadEstate(dir string) (*ci.Estate, error) {
	if published(dir) {
		return nil, usagef("%s is published; this takes a folder of flag files", dir)
	}
	estate, err := ci.Load(dir)
	if errors.Is(err, fs.ErrNotExist) {
		err = &hintedError{err, "name the folder of your flag files, the one with context.yaml"}
	}
	return estate, err
}

// estateArg returns the folder that a command's arguments name.
func estateArg(args []string) string {
	if len(args) > 0 {
		return args[0]
	}
	return defaultEstate
}
