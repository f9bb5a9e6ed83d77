// Package keyfile reads and encrypts the files of keys: PEM with PKCS #8 or PKIX. It says what is
// wrong with a file and how to put it right, and never quotes one.
package keyfile

import (
	"bytes"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
)

// opensslKey is the command that turns most keys into PKCS #8.
const opensslKey = "'openssl pkcs8 -topk8 -nocrypt -in OLD -out NEW'"

// The types of PEM blocks that files of keys have.
const (
	Private   = "PRIVATE KEY"           // PKCS #8
	Encrypted = "ENCRYPTED PRIVATE KEY" // PKCS #8, by a passphrase
	Public    = "PUBLIC KEY"            // PKIX
)

var errNoKey = fmt.Errorf(
	"it isn't a key: name a file with one PEM block of type %q or %q (PKCS #8), or the URI of a key", Private, Encrypted)

// Decode returns the one PEM block of a key's file, which is of one of the types above. It doesn't
// look into the block.
func Decode(data []byte) (*pem.Block, error) {
	text := bytes.TrimSpace(data)
	switch block, rest := pem.Decode(text); {
	case len(text) == 0:
		return nil, errors.New("it is empty: is the CI secret that it is written from set in this job?")
	case bytes.HasPrefix(text, []byte("\xef\xbb\xbf")):
		return nil, errors.New("it starts with a byte order mark: save it as UTF-8 without one")
	case bytes.HasPrefix(text, []byte("\xff\xfe")), bytes.HasPrefix(text, []byte("\xfe\xff")):
		return nil, errors.New("it is UTF-16, as PowerShell's '>' writes: save it as ASCII")
	case block == nil:
		return nil, whyNoBlock(string(text))
	case bytes.Contains(rest, []byte("-----BEGIN")):
		return nil, errors.New("it holds more than one PEM block: keep the private key and remove the others")
	case len(bytes.TrimSpace(rest)) > 0:
		return nil, errors.New("there is more text after the key: remove it")
	case block.Type != Public && block.Type != Private && block.Type != Encrypted:
		return nil, wrongBlock(block)
	default:
		return block, nil
	}
}

// whyNoBlock says why a file that isn't empty has no PEM block.
func whyNoBlock(text string) error {
	begins, ends := strings.Contains(text, "-----BEGIN "), strings.Contains(text, "-----END ")
	switch {
	case strings.Contains(text, "-----BEGIN PGP "):
		return errors.New("it is a key of PGP: make a key with 'serin keys init'")
	case begins && strings.Contains(text, `\n`):
		return errors.New(`its line breaks are written as \n: write it with real ones, such as printf '%b' "$KEY" > FILE`)
	case begins && (text[0] == '"' || text[0] == '\''):
		return errors.New("it is in quotes: remove them")
	case begins && !ends:
		return errors.New("it is cut off, because the line -----END …----- is missing: copy the whole file")
	case begins && !strings.Contains(text, "\n"):
		return errors.New(`its line breaks are gone: quote the variable, as in printf '%s\n' "$KEY" > FILE`)
	case begins:
		return errors.New("what is between -----BEGIN and -----END isn't Base64: copy the whole file again")
	case ends:
		return errors.New("its first line, -----BEGIN PRIVATE KEY-----, is missing: copy the whole file")
	case isBase64(text):
		return errors.New("its lines -----BEGIN PRIVATE KEY----- and -----END PRIVATE KEY----- are missing, or it is " +
			"encoded in Base64 once more: decode it, or copy the whole file")
	}
	return errNoKey
}

// isBase64 reports whether text looks like a key in Base64.
func isBase64(text string) bool {
	const least = 40 // characters; an ed25519 key has 64
	text = strings.Join(strings.Fields(text), "")
	return len(text) >= least &&
		strings.Trim(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=") == ""
}

// wrongBlock says what a PEM block of another type is.
func wrongBlock(block *pem.Block) error {
	switch block.Type {
	case "CERTIFICATE", "TRUSTED CERTIFICATE", "CERTIFICATE REQUEST":
		return errors.New("it is a certificate: name the file of the private key")
	case "OPENSSH PRIVATE KEY":
		return errors.New("it is a key of OpenSSH: make a key with 'serin keys init', or one in PKCS #8 with " +
			"'openssl genpkey -algorithm ed25519'")
	case "EC PRIVATE KEY", "RSA PRIVATE KEY", "DSA PRIVATE KEY":
		return fmt.Errorf("it is in the older format %s: convert it to PKCS #8 with %s", block.Type, opensslKey)
	case "EC PARAMETERS":
		return fmt.Errorf("it holds parameters of a curve before the key: convert it to PKCS #8 with %s", opensslKey)
	}
	return errNoKey
}
