package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/serin-flags/serin/bundle"
	"github.com/serin-flags/serin/evaluator"
	"github.com/spf13/cobra"
)

func verifyCommand() *cobra.Command {
	var f sourceFlags
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "verify URL --root FILE",
		Short: "Verify a published environment",
		Long: `Verify downloads a published environment, verifies it from the pinned root as
clients do, and compiles its flags. It prints versions, expiries and hashes.`,
		Args: oneWord("URL"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if !published(args[0]) {
				return usagef("%s is not a URL: verify takes the URL of a published environment", args[0])
			}
			release, err := f.pull(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if err := checkPayloads(release.Payloads()); err != nil {
				return fmt.Errorf("verifying %s: %w", shown(args[0]), err)
			}
			if asJSON {
				return writeJSON(cmd.OutOrStdout(), newReleaseJSON(release))
			}
			return writeRelease(cmd.OutOrStdout(), release)
		},
	}
	f.registerRoot(cmd)
	registerEnv(cmd, &f.env, "the environment that the root must be for")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// checkPayloads refuses what is signed, for keys can sign anything, but clients
// can't serve.
func checkPayloads(payloads []bundle.VerifiedPayload) error {
	modules := make([]*evaluator.Module, len(payloads))
	for i, p := range payloads {
		payload, err := bundle.CompilePayload(p.Data, p.Lists...)
		if err != nil {
			return fmt.Errorf("%s is signed, but clients refuse it: %w", p.Namespace, err)
		}
		modules[i] = payload.Module
	}
	if _, err := evaluator.Link(modules...); err != nil {
		return fmt.Errorf("the payloads are signed, but clients refuse them: %w", err)
	}
	return nil
}

func writeRelease(w io.Writer, r *bundle.Release) error {
	v := r.Versions()
	fmt.Fprintf(w, "environment %s, revision %d\n\n", r.Environment(), r.Revision())
	for _, role := range []struct {
		name string
		bundle.RoleVersion
	}{{"root", v.Root}, {"timestamp", v.Timestamp}, {"snapshot", v.Snapshot}, {"targets", v.Targets}} {
		fmt.Fprintf(w, "%-10s version %-6d expires %s\n", role.name, role.Version, when(role.Expires))
	}
	fmt.Fprintln(w)
	for _, p := range r.Payloads() {
		fmt.Fprintf(w, "%-20s %8d bytes  sha256 %s\n", p.Namespace, len(p.Data), p.SHA256)
	}
	lists := r.Lists()
	for _, hash := range slices.Sorted(maps.Keys(lists)) {
		fmt.Fprintf(w, "%-20s %8d bytes  sha256 %s\n", "(list of IDs)", len(lists[hash].Data), hash)
	}
	_, err := fmt.Fprintf(w, "\nverified: valid until %s\n", when(r.Expires()))
	return err
}

// when returns a time as people are shown it.
func when(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }

// roleJSON and the three below are what --json prints.
type roleJSON struct {
	Version int64     `json:"version"`
	Expires time.Time `json:"expires"`
}

type payloadJSON struct {
	Namespace string `json:"namespace"`
	SHA256    string `json:"sha256"`
	Bytes     int    `json:"bytes"`
}

type listJSON struct {
	SHA256 string `json:"sha256"`
	Bytes  int    `json:"bytes"`
}

type releaseJSON struct {
	Environment string              `json:"environment"`
	Revision    int64               `json:"revision"`
	Expires     time.Time           `json:"expires"`
	Roles       map[string]roleJSON `json:"roles"`
	Payloads    []payloadJSON       `json:"payloads"`
	Lists       []listJSON          `json:"lists"`
}

func newReleaseJSON(r *bundle.Release) releaseJSON {
	v := r.Versions()
	j := releaseJSON{
		Environment: r.Environment(),
		Revision:    r.Revision(),
		Expires:     r.Expires(),
		Roles: map[string]roleJSON{
			"root": roleJSON(v.Root), "timestamp": roleJSON(v.Timestamp),
			"snapshot": roleJSON(v.Snapshot), "targets": roleJSON(v.Targets),
		},
		Payloads: []payloadJSON{}, Lists: []listJSON{},
	}
	for _, p := range r.Payloads() {
		j.Payloads = append(j.Payloads, payloadJSON{p.Namespace, p.SHA256, len(p.Data)})
	}
	lists := r.Lists()
	for _, hash := range slices.Sorted(maps.Keys(lists)) {
		j.Lists = append(j.Lists, listJSON{hash, len(lists[hash].Data)})
	}
	return j
}
