package access

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"
)

const (
	keyPrefix  = "serin_"  // shows scanners for secrets, and people, what it is
	hashPrefix = "sha256:" // in front of the SHA-256 of a key, in hexadecimal
)

// NewKey returns a new key, of 130 random bits, and its hash for the file.
func NewKey() (key, hash string) {
	key = keyPrefix + rand.Text()
	sum := digest(key)
	return key, hashPrefix + hex.EncodeToString(sum[:])
}

// digest returns the SHA-256 of a key, by which clients are looked up.
//
// How long a look-up takes may depend on the hashes that it is compared with, but tells
// nothing of a key: who doesn't have the key can't choose what its hash begins with, and
// nothing leads from a hash back to the key. Keys aren't salted and stretched, as passwords
// must be, because nobody can try 2^130 of them.
func digest(key string) [sha256.Size]byte { return sha256.Sum256([]byte(key)) }

// credential returns the key or token that a request presents, "" if it has none. If it
// has two that differ, ok is false: nobody can say which one is meant.
//
// Authorization of another scheme than Bearer isn't meant for the endpoint: IAM signs
// requests there.
func credential(header http.Header) (secret string, ok bool) {
	for _, value := range header["X-Api-Key"] {
		if secret, ok = one(secret, value); !ok {
			return "", false
		}
	}
	for _, value := range header["Authorization"] {
		scheme, token, _ := strings.Cut(strings.TrimSpace(value), " ")
		if !strings.EqualFold(scheme, "Bearer") {
			continue
		}
		if secret, ok = one(secret, token); !ok {
			return "", false
		}
	}
	return secret, true
}

// one returns the secret, if it and another one are the same or one is empty.
func one(secret, another string) (string, bool) {
	switch another = strings.TrimSpace(another); {
	case secret == "":
		return another, true
	case another == "" || another == secret:
		return secret, true
	}
	return "", false
}
