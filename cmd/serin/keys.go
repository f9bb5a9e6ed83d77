package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/serin-flags/serin/ci/release"
	"github.com/spf13/cobra"
)

func keysCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "keys",
		Short: "Create, replace and show signing keys",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			return usagef("keys takes a verb: init, rotate, sign or show")
		},
	}
	cmd.AddCommand(keysInitCommand(), keysRotateCommand(), keysSignCommand(), keysShowCommand())
	return cmd
}

// protection are the flags for the passphrases of keys that are made.
type protection struct {
	keyring
	roots, online, weak bool
}

func (p *protection) register(cmd *cobra.Command) {
	p.keyring.register(cmd)
	cmd.Flags().BoolVar(&p.roots, "encrypt", false, "encrypt new root keys with a passphrase")
	cmd.Flags().BoolVar(&p.online, "encrypt-online", false, "encrypt new online keys with a passphrase, too")
	cmd.Flags().BoolVar(&p.weak, "weak", false,
		fmt.Sprintf("accept a passphrase shorter than %d characters", minPassphrase))
}

// passphrases returns the two passphrases, or nil where there is none.
func (p *protection) passphrases(cmd *cobra.Command) (roots, online []byte, err error) {
	if p.roots {
		if roots, err = p.choose(cmd, "root keys", p.weak); err != nil {
			return nil, nil, err
		}
	}
	if p.online {
		if online, err = p.choose(cmd, "online keys", p.weak); err != nil {
			return nil, nil, err
		}
	}
	return roots, online, nil
}

func keysInitCommand() *cobra.Command {
	var o release.InitOptions
	var p protection
	cmd := &cobra.Command{
		Use:   "init DIR --env E",
		Short: "Create the keys of an environment",
		Long: `Init creates the root key and the online key of an environment, and root.json,
which clients pin. It never overwrites a file. A .gitignore next to the keys keeps
the private ones out of git; what is missing from an existing one is added to it.

A key is a file, or awskms:/// and the ARN or the alias of a P-256 key in AWS KMS.
Larger teams have several root keys, a given number of which must sign
(--root-keys, --root-key, --threshold), and a separate key for targets (--targets
new).`,
		Example: `  serin keys init keys/production --env production --encrypt
  serin keys init keys/production --env production --root-keys 3 --threshold 2 \
    --online awskms:///alias/flags`,
		Args: oneWord("DIR"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if o.Environment == "" {
				return usagef("no environment: name it with --env or SERIN_ENV")
			}
			if o.NewRootKeys < 0 || o.NewRootKeys > 100 || o.Threshold < 0 {
				return usagef("--root-keys must be 1 to 100, and --threshold at most the number of root keys")
			}
			o.Dir = args[0]
			anyKey := func(base string) bool { return strings.HasSuffix(base, ".key") }
			err := refuseTrackedNames(cmd.Context(), cmd.ErrOrStderr(), o.Dir, anyKey)
			if err != nil {
				return err
			}
			if o.RootPassphrase, o.OnlinePassphrase, err = p.passphrases(cmd); err != nil {
				return err
			}
			files, err := p.opener(cmd).Init(cmd.Context(), o)
			if errors.Is(err, fs.ErrExist) {
				err = &hintedError{err, "keys are created once; use a separate folder for each environment"}
			}
			if err != nil {
				return err
			}
			return writeKeyFiles(cmd, o.Dir, files)
		},
	}
	registerEnv(cmd, &o.Environment, "the environment")
	cmd.Flags().IntVar(&o.NewRootKeys, "root-keys", 0,
		"how many root keys to create (default: 1, unless --root-key names some)")
	cmd.Flags().StringArrayVar(&o.RootKeys, "root-key", nil,
		"an existing root key: a file with a private or public key, or awskms:///…; may repeat")
	cmd.Flags().IntVar(&o.Threshold, "threshold", 0, "how many root keys must sign (default: 1)")
	cmd.Flags().StringVar(&o.Online, "online", "", "an existing online key, instead of a new one")
	cmd.Flags().StringVar(&o.Targets, "targets", "", "a separate key for targets: new, or an existing one")
	p.register(cmd)
	return cmd
}

// writeKeyFiles makes git ignore the private keys among files that were made in the
// folder dir, names the files, and says what they are for.
func writeKeyFiles(cmd *cobra.Command, dir string, files []release.KeyFile) error {
	ignoring, err := ignoreKeys(dir, files)
	for _, f := range slices.Concat(files, ignoring) {
		if _, err := fmt.Fprintln(cmd.OutOrStdout(), f.Path); err != nil {
			return err
		}
		fmt.Fprintf(cmd.ErrOrStderr(), "  %s\n", f.Purpose)
	}
	return err
}

func keysRotateCommand() *cobra.Command {
	var o release.RotateOptions
	var p protection
	cmd := &cobra.Command{
		Use:   "rotate DIR",
		Short: "Create the next root: other keys, or a later expiry",
		Long: `Rotate creates DIR/N.root.json, the root that follows the newest one in DIR, and
signs it with the root keys in DIR, or with those that --key names. Without other
flags, only the expiry changes: a year from now.

The new root takes effect once enough root keys of the previous version, and
enough of its own, have signed it; 'serin keys sign' adds signatures. 'serin
publish' with that folder then uploads it, and clients follow without being
redeployed.`,
		Example: `  serin keys rotate keys/production --online new
  serin keys rotate keys/production --remove-root 5c1f09ab --add-root alice.pub --threshold 2`,
		Args: oneWord("DIR"),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.Dir = args[0]
			if o.Threshold < 0 {
				return usagef("--threshold must be the number of root keys that must sign")
			}
			err := refuseTrackedNames(cmd.Context(), cmd.ErrOrStderr(), o.Dir, createdBy(o))
			if err != nil {
				return err
			}
			if o.RootPassphrase, o.OnlinePassphrase, err = p.passphrases(cmd); err != nil {
				return err
			}
			made, err := p.opener(cmd).Rotate(cmd.Context(), o)
			if err != nil {
				return err
			}
			if err := writeKeyFiles(cmd, o.Dir, made.Made); err != nil {
				return err
			}
			return writeCeremony(cmd, made)
		},
	}
	cmd.Flags().StringVar(&o.Online, "online", "", "replace the online key: new, or an existing one")
	cmd.Flags().StringVar(&o.Targets, "targets", "", "replace the key for targets: new, or an existing one")
	cmd.Flags().StringArrayVar(&o.AddRoots, "add-root", nil, "add a root key: new, or an existing one; may repeat")
	cmd.Flags().StringArrayVar(&o.RemoveRoots, "remove-root", nil,
		"remove the root key whose ID starts with this prefix; may repeat")
	cmd.Flags().IntVar(&o.Threshold, "threshold", 0, "how many root keys must sign from now on (default: as before)")
	cmd.Flags().StringArrayVar(&o.SignWith, "key", nil, "a root key to sign with; may repeat (default: all in DIR)")
	p.register(cmd)
	return cmd
}

// createdBy returns whether a rotation may create a private key in the file of a name.
func createdBy(o release.RotateOptions) func(base string) bool {
	return func(base string) bool {
		switch base {
		case "online.key", "online.old.key":
			return o.Online == "new"
		case "targets.key", "targets.old.key":
			return o.Targets == "new"
		}
		return false // root keys have names of their own, by their IDs
	}
}

func keysSignCommand() *cobra.Command {
	var keys []string
	var ring keyring
	cmd := &cobra.Command{
		Use:   "sign FILE --key KEY",
		Short: "Add a root key's signature to a root",
		Long: `Sign adds signatures to the root in FILE: root.json, or N.root.json next to the
previous roots. It first prints what the root says, which is what you sign.`,
		Example: `  serin keys sign keys/production/2.root.json --key alice.key`,
		Args:    oneWord("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(keys) == 0 {
				return usagef("no --key: name your root key, a file or awskms:///…")
			}
			info, err := release.RootOf(args[0])
			if err != nil {
				return err
			}
			writeRoot(cmd.ErrOrStderr(), info, time.Now())
			made, err := ring.opener(cmd).Sign(cmd.Context(), args[0], keys)
			if err != nil {
				return err
			}
			return writeCeremony(cmd, made)
		},
	}
	cmd.Flags().StringArrayVar(&keys, "key", nil, "a root key to sign with; may repeat")
	ring.register(cmd)
	return cmd
}

// writeCeremony says what a root has and what it lacks.
func writeCeremony(cmd *cobra.Command, c release.Ceremony) error {
	w := cmd.ErrOrStderr()
	for _, q := range c.Quorums {
		fmt.Fprintf(w, "  %d of %d signatures by the root keys of version %d\n", q.Have, q.Need, q.Version)
	}
	if c.Complete() {
		fmt.Fprintln(w, "  complete: 'serin publish' with this folder uploads it")
	} else {
		fmt.Fprintln(w, "  incomplete: others have to sign it with 'serin keys sign'")
	}
	_, err := fmt.Fprintln(cmd.OutOrStdout(), c.Path)
	return err
}

func keysShowCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "show DIR",
		Short: "Show who may sign what, and until when",
		Long: `Show prints the contents of the roots in a folder of keys: the one that clients
pin, and those that follow it. DIR can also be the file of a single root.`,
		Args: oneWord("DIR"),
		RunE: func(cmd *cobra.Command, args []string) error {
			infos, err := rootInfos(args[0])
			if err != nil {
				return err
			}
			if asJSON {
				return writeJSON(cmd.OutOrStdout(), newRootsJSON(infos))
			}
			var b strings.Builder
			for _, info := range infos {
				writeRoot(&b, info, time.Now())
			}
			_, err = io.WriteString(cmd.OutOrStdout(), b.String())
			return err
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func rootInfos(name string) ([]release.RootInfo, error) {
	if stat, err := os.Stat(name); err == nil && !stat.IsDir() {
		info, err := release.RootOf(name)
		return []release.RootInfo{info}, err
	}
	return release.Roots(name)
}

// nearExpiry is how long before it expires a root is worth a word.
const nearExpiry = 60 * 24 * time.Hour

func writeRoot(w io.Writer, r release.RootInfo, now time.Time) {
	fmt.Fprintf(w, "%s: version %d of the root of environment %s\n", filepath.ToSlash(r.Path), r.Version, r.Environment)
	left := r.Expires.Sub(now)
	words := "in " + count(int(left.Hours()/24), "day")
	switch {
	case left <= 0:
		words = "EXPIRED: run 'serin keys rotate'"
	case left < nearExpiry:
		words += ": run 'serin keys rotate'"
	}
	fmt.Fprintf(w, "  expires   %s (%s)\n", when(r.Expires), words)
	for _, role := range r.Roles {
		fmt.Fprintf(w, "  %-9s %d of %s", role.Name, role.Threshold, count(len(role.Keys), "key"))
		for _, key := range role.Keys {
			fmt.Fprintf(w, "  %.12s (%s)", key.ID, strings.TrimSuffix(key.Algorithm, "-sha2-nistp256"))
		}
		fmt.Fprintln(w)
	}
	for _, q := range r.Quorums {
		missing := ""
		if !q.Complete() {
			missing = ", NOT ENOUGH"
		}
		fmt.Fprintf(w, "  signed    by %d of the root keys of version %d, which requires %d%s\n", q.Have, q.Version,
			q.Need, missing)
	}
}

// rootsJSON and the three below are what keys show --json prints.
type rootsJSON struct {
	Roots []rootJSON `json:"roots"`
}

type rootJSON struct {
	File        string                 `json:"file"`
	Environment string                 `json:"environment"`
	Version     int64                  `json:"version"`
	Expires     time.Time              `json:"expires"`
	Roles       map[string]signersJSON `json:"roles"`
	Signatures  []quorumJSON           `json:"signatures"`
	Complete    bool                   `json:"complete"`
}

type signersJSON struct {
	Threshold int      `json:"threshold"`
	Keys      []string `json:"keys"`
}

type quorumJSON struct {
	Version int64 `json:"version"`
	Have    int   `json:"have"`
	Need    int   `json:"need"`
}

func newRootsJSON(infos []release.RootInfo) rootsJSON {
	j := rootsJSON{Roots: []rootJSON{}}
	for _, info := range infos {
		r := rootJSON{
			File: info.Path, Environment: info.Environment, Version: info.Version, Expires: info.Expires,
			Roles: make(map[string]signersJSON), Signatures: []quorumJSON{}, Complete: true,
		}
		for _, role := range info.Roles {
			signers := signersJSON{role.Threshold, []string{}}
			for _, key := range role.Keys {
				signers.Keys = append(signers.Keys, key.ID)
			}
			r.Roles[role.Name] = signers
		}
		for _, q := range info.Quorums {
			r.Signatures = append(r.Signatures, quorumJSON(q))
			r.Complete = r.Complete && q.Complete()
		}
		j.Roots = append(j.Roots, r)
	}
	return j
}
