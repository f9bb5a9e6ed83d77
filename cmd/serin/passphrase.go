package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"

	"github.com/serin-flags/serin/ci/awskms"
	"github.com/serin-flags/serin/ci/release"
	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// passphraseVariable stands for a passphrase; unlike a flag it shows in no list of
// processes.
const passphraseVariable = "SERIN_PASSPHRASE"

// maxPassphrase is the longest line of a file that is taken for a passphrase, in
// bytes.
const maxPassphrase = 4096

// minPassphrase is the length of the shortest passphrase for new keys, in characters.
// Whoever gets hold of an encrypted key can try passphrases without limit.
const minPassphrase = 12

// keyring opens keys for a command, and asks for passphrases.
type keyring struct{ file string }

func (k *keyring) register(cmd *cobra.Command) {
	cmd.Flags().StringVar(&k.file, "passphrase-file", "",
		"a file whose first line is the passphrase of private keys (default: "+passphraseVariable+", or else ask on "+
			"the terminal)")
}

// opener returns what opens keys in files and in AWS KMS.
func (k *keyring) opener(cmd *cobra.Command) release.Opener {
	known := make(map[string][]byte) // a key may be opened twice
	return release.Opener{
		Passphrase: func(path string) ([]byte, error) {
			if passphrase, ok := known[path]; ok {
				return passphrase, nil
			}
			passphrase, err := k.ask(cmd, "passphrase of "+path)
			known[path] = passphrase
			return passphrase, err
		},
		Remote: func(ctx context.Context, uri string) (release.Signer, error) {
			if !strings.HasPrefix(uri, awskms.Scheme) {
				scheme, _, _ := strings.Cut(uri, "://")
				return nil, fmt.Errorf("a key must be a file or %s…, not %s://…", awskms.Scheme, scheme)
			}
			key, err := awskms.Open(ctx, uri)
			if err != nil {
				return nil, err // not a nil key in an interface
			}
			return key, nil
		},
		Warn: func(message string) { fmt.Fprintf(cmd.ErrOrStderr(), "warning: %s\n", message) },
	}
}

// choose returns a passphrase to protect new keys with. It refuses short ones unless
// weak ones are allowed.
func (k *keyring) choose(cmd *cobra.Command, what string, weak bool) ([]byte, error) {
	passphrase, err := k.ask(cmd, "passphrase for "+what)
	if err != nil {
		return nil, err
	}
	if utf8.RuneCount(passphrase) < minPassphrase && !weak {
		return nil, &hintedError{
			fmt.Errorf("the passphrase is shorter than %d characters; no keys were created", minPassphrase),
			"take five random words, or use --weak",
		}
	}
	if k.given() {
		return passphrase, nil
	}
	again, err := k.ask(cmd, "the same again")
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(passphrase, again) {
		return nil, errors.New("the passphrases differ; no keys were created")
	}
	return passphrase, nil
}

// given reports whether a passphrase needn't be asked for.
func (k *keyring) given() bool { return k.file != "" || os.Getenv(passphraseVariable) != "" }

func (k *keyring) ask(cmd *cobra.Command, what string) ([]byte, error) {
	passphrase, err := k.read(cmd, what)
	switch {
	case err != nil || len(passphrase) > 0:
	case k.file != "":
		err = fmt.Errorf("the passphrase is empty: write it to the first line of %s", k.file)
	default:
		err = errors.New("the passphrase is empty: type it again")
	}
	return passphrase, err
}

func (k *keyring) read(cmd *cobra.Command, what string) ([]byte, error) {
	if k.file != "" {
		return readPassphrase(k.file)
	}
	if given := os.Getenv(passphraseVariable); given != "" {
		return []byte(given), nil
	}
	terminal, ok := cmd.InOrStdin().(*os.File)
	if !ok || !term.IsTerminal(int(terminal.Fd())) {
		return nil, &hintedError{errors.New(
			"it is encrypted with a passphrase, and there is no terminal to ask for it"),
			"set " + passphraseVariable + " or name a file with --passphrase-file"}
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "%s: ", what)
	defer fmt.Fprintln(cmd.ErrOrStderr())
	return promptSecret(cmd.Context(), int(terminal.Fd()))
}

// readPassphrase returns the first line of a file.
func readPassphrase(name string) ([]byte, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, &hintedError{fmt.Errorf("reading the passphrase: %w",
			err), "--passphrase-file names a file whose first line is the passphrase"}
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, maxPassphrase))
	if err != nil {
		return nil, fmt.Errorf("reading the passphrase: %w", err)
	}
	line, _, ok := bytes.Cut(data, []byte("\n"))
	if !ok && len(data) == maxPassphrase {
		return nil, fmt.Errorf("reading the passphrase: the first line of %s is longer than %d bytes", name,
			maxPassphrase)
	}
	return bytes.TrimSuffix(line, []byte("\r")), nil
}

// promptSecret reads a line from a terminal without showing it. If the command is
// interrupted the terminal shows again what is typed.
func promptSecret(ctx context.Context, terminal int) ([]byte, error) {
	before, err := term.GetState(terminal)
	if err != nil {
		return nil, fmt.Errorf("asking for a passphrase: %w", err)
	}
	type line struct {
		data []byte
		err  error
	}
	read := make(chan line, 1)
	// It outlives an interrupted command, which ends the process.
	go func() {
		data, err := term.ReadPassword(terminal)
		read <- line{data, err}
	}()
	select {
	case l := <-read:
		if l.err != nil {
			return nil, fmt.Errorf("asking for a passphrase: %w", l.err)
		}
		return l.data, nil
	case <-ctx.Done():
		return nil, errors.Join(ctx.Err(), term.Restore(terminal, before))
	}
}
