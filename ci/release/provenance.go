package release

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"path"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/serin-flags/serin/bundle"
)

// provenanceField is the custom field of targets metadata that says where a
// revision comes from. TUF lets implementations add fields, and clients pass over
// those they don't know; all are signed.
const provenanceField = "x-serin-provenance"

// The longest that a part of [Provenance] may be, in bytes.
const (
	maxCommit = 100
	maxAuthor = 200
	maxRunURL = 1000
	maxReason = 1000
)

// Provenance says where a revision comes from: by whom, when, and from what. It
// is signed with the revision, and is as true as the publisher who signed is
// honest. Everything but Time and Content may be missing.
type Provenance struct {
	// Commit names the state of the flag files, in git's spelling, without
	// white space; at most 100 bytes.
	Commit string
	// Dirty says that the flag files had changes that Commit doesn't hold.
	Dirty bool
	// Author is who changed the flags, at most 200 bytes. It is published:
	// a name is enough.
	Author string
	// RunURL is the http or https URL of the pipeline's run, at most 1,000
	// bytes.
	RunURL string
	// Reason is why, in words, at most 1,000 bytes.
	Reason string

	// What follows is filled in by Publish.

	// Time is when, by the publisher's clock, in whole seconds.
	Time time.Time
	// Content is the SHA-256, in hexadecimal, of what is published, whatever
	// the revision. It is that of lines such as sha256sum prints, one for each
	// namespace, sorted by namespace: the payload's SHA-256, two spaces, the
	// target path, a newline.
	Content string
	// RollbackOf is the revision whose content was published again, or 0.
	RollbackOf int64
	// RenewalOf is the revision that was only signed anew, or 0.
	RenewalOf int64
}

// check returns an error if p can't be signed.
func (p Provenance) check() error {
	for _, text := range []struct {
		name, value string
		limit       int
	}{{"commit", p.Commit, maxCommit}, {"author", p.Author, maxAuthor}, {"run's URL", p.RunURL, maxRunURL}, {"reason", p.Reason, maxReason}} {
		switch {
		case len(text.value) > text.limit:
			return fmt.Errorf("the %s is longer than %d bytes", text.name, text.limit)
		case !utf8.ValidString(text.value), strings.ContainsFunc(text.value, unprintable):
			return fmt.Errorf("the %s has characters that can't be printed", text.name)
		}
	}
	if strings.ContainsFunc(p.Commit, unicode.IsSpace) {
		return errors.New("the commit has white space")
	}
	if p.RunURL == "" {
		return nil
	}
	u, err := url.Parse(p.RunURL)
	if err != nil || u.Host == "" || u.User != nil || u.Scheme != "https" && u.Scheme != "http" {
		return errors.New("the run's URL is not one of a web page, https://… without a password")
	}
	return nil
}

// Signable returns p without what [Publish] would refuse: for what was found in
// places that promise nothing, such as the name of a commit's author.
func (p Provenance) Signable() Provenance {
	for _, text := range []struct {
		value *string
		limit int
	}{{&p.Commit, maxCommit}, {&p.Author, maxAuthor}, {&p.RunURL, maxRunURL}, {&p.Reason, maxReason}} {
		kept := strings.Map(func(r rune) rune {
			if unprintable(r) {
				return -1
			}
			return r
		}, strings.ToValidUTF8(*text.value, ""))
		if len(kept) > text.limit {
			kept = strings.ToValidUTF8(kept[:text.limit], "")
		}
		*text.value = kept
	}
	if (Provenance{Commit: p.Commit}).check() != nil {
		p.Commit = ""
	}
	if (Provenance{RunURL: p.RunURL}).check() != nil {
		p.RunURL = ""
	}
	return p
}

// unprintable reports whether r could do harm to a terminal, or to the layout of
// a line.
func unprintable(r rune) bool { return !unicode.IsPrint(r) }

// A link names the targets metadata of the revision that was published before.
// Its hash makes the revisions a chain, which is as trustworthy as its end.
type link struct {
	Revision int64  `json:"revision"`
	SHA256   string `json:"sha256"`
}

// provenanceJSON is the custom field.
type provenanceJSON struct {
	Time       string `json:"time"`
	Content    string `json:"content"`
	Commit     string `json:"commit,omitempty"`
	Dirty      bool   `json:"dirty,omitempty"`
	Author     string `json:"author,omitempty"`
	RunURL     string `json:"run_url,omitempty"`
	Reason     string `json:"reason,omitempty"`
	RollbackOf int64  `json:"rollback_of,omitempty"`
	RenewalOf  int64  `json:"renewal_of,omitempty"`
	Previous   *link  `json:"previous,omitempty"`
}

// put makes p a part of targets, as the revision that follows previous, which is
// nil if it is the first.
func (p Provenance) put(targets *metadata.TargetsType, previous *link) {
	targets.UnrecognizedFields = map[string]any{provenanceField: provenanceJSON{
		p.Time.UTC().Format(time.RFC3339), p.Content, p.Commit, p.Dirty, p.Author, p.RunURL, p.Reason,
		p.RollbackOf, p.RenewalOf, previous,
	}}
}

// provenanceOf reads what put has written. What isn't well formed is missing: it
// takes no part in what clients do.
func provenanceOf(targets *metadata.TargetsType) (Provenance, *link) {
	// The field was decoded into maps; this makes of it what it was.
	encoded, err := json.Marshal(targets.UnrecognizedFields[provenanceField])
	if err != nil {
		return Provenance{}, nil
	}
	var j provenanceJSON
	if err := json.Unmarshal(encoded, &j); err != nil {
		return Provenance{}, nil
	}
	p := Provenance{
		Commit: j.Commit, Dirty: j.Dirty, Author: j.Author, RunURL: j.RunURL, Reason: j.Reason,
		Content: j.Content, RollbackOf: j.RollbackOf, RenewalOf: j.RenewalOf,
	}
	if p.check() != nil {
		return Provenance{}, j.Previous
	}
	// A time that can't be read is the zero one.
	p.Time, _ = time.Parse(time.RFC3339, j.Time)
	return p, j.Previous
}

// linkTo returns the link to targets metadata that was published.
func linkTo(revision int64, raw []byte) *link {
	digest := sha256.Sum256(raw)
	return &link{revision, hex.EncodeToString(digest[:])}
}

// contentHash returns the hash of [Provenance.Content] of payloads, whose SHA-256
// in hexadecimal are given by namespace.
func contentHash(payloads map[string]string) string {
	h := sha256.New()
	for _, namespace := range sorted(payloads) {
		fmt.Fprintf(h, "%s  %s\n", payloads[namespace], path.Join(namespace, bundle.PayloadName))
	}
	return hex.EncodeToString(h.Sum(nil))
}

// payloadsOf returns the SHA-256 of the payloads that targets metadata lists, by
// namespace.
func payloadsOf(targets *metadata.TargetsType) map[string]string {
	payloads := make(map[string]string)
	for name, file := range targets.Targets {
		if namespace, ok := strings.CutSuffix(name, "/"+bundle.PayloadName); ok {
			payloads[namespace] = hex.EncodeToString(file.Hashes["sha256"])
		}
	}
	return payloads
}
