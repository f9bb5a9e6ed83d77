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

// provenanceField is the custom field of targets metadata that holds the provenance.
// TUF lets implementations add fields, which are signed, and clients ignore those
// they don't know.
const provenanceField = "x-serin-provenance"

// The maximum lengths of the fields of [Provenance], in bytes.
const (
	maxCommit = 100
	maxAuthor = 200
	maxRunURL = 1000
	maxReason = 1000
)

// Provenance says who made a revision, when, and from what. It is signed with the
// revision, and as trustworthy as the publisher that signed it. All fields but Time
// and Content are optional.
type Provenance struct {
	// Commit is the git commit of the flag files, without white space; at most
	// 100 bytes.
	Commit string
	// CommitTime is the committer's time of Commit, in whole seconds. It orders
	// commits where their history isn't known. It is zero if it isn't known, as for
	// revisions made by earlier versions.
	CommitTime time.Time
	// Dirty reports whether the flag files had changes that aren't in Commit.
	Dirty bool
	// Author is who changed the flags, at most 200 bytes. It is public, so a
	// name is enough.
	Author string
	// RunURL is the http or https URL of the pipeline's run, at most 1,000
	// bytes.
	RunURL string
	// Reason is why, in words, at most 1,000 bytes.
	Reason string

	// Publish fills in the fields below.

	// Time is when the revision was made, by the publisher's clock, in whole
	// seconds.
	Time time.Time
	// Content is the hash of the content: equal content has the same hash in
	// every revision. It is the SHA-256, in hexadecimal, of lines as sha256sum
	// prints them, one per namespace, sorted by namespace: the payload's
	// SHA-256, two spaces, the target path, a newline.
	Content string
	// RollbackOf is the revision whose content was published again, or 0.
	RollbackOf int64
	// RenewalOf is the revision that this one only renews, or 0.
	RenewalOf int64
}

// check returns an error if p can't be signed.
func (p Provenance) check() error {
	for _, text := range []struct {
		name, value string
		limit       int
	}{{"commit", p.Commit, maxCommit}, {"author", p.Author, maxAuthor}, {"run's URL", p.RunURL, maxRunURL},
		{"reason", p.Reason, maxReason}} {
		switch {
		case len(text.value) > text.limit:
			return fmt.Errorf("the %s is longer than %d bytes", text.name, text.limit)
		case !utf8.ValidString(text.value), strings.ContainsFunc(text.value, unprintable):
			return fmt.Errorf("the %s contains characters that can't be printed", text.name)
		}
	}
	if strings.ContainsFunc(p.Commit, unicode.IsSpace) {
		return errors.New("the commit contains white space")
	}
	if !writable(p.CommitTime) {
		return errors.New("the time of the commit isn't in the years 1 to 9999")
	}
	if p.RunURL == "" {
		return nil
	}
	u, err := url.Parse(p.RunURL)
	if err != nil || u.Host == "" || u.User != nil || u.Scheme != "https" && u.Scheme != "http" {
		return errors.New("the run's URL is not an http or https URL without a password")
	}
	return nil
}

// Signable returns p without anything that [Publish] would refuse. Use it for values
// from untrusted places, such as the author of a commit.
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
	if !writable(p.CommitTime) {
		p.CommitTime = time.Time{}
	}
	if (Provenance{RunURL: p.RunURL}).check() != nil {
		p.RunURL = ""
	}
	return p
}

// unprintable reports whether r could manipulate a terminal or break a line.
func unprintable(r rune) bool { return !unicode.IsPrint(r) }

// A link names the targets metadata of the previous revision. Its hash chains the
// revisions, so that all are as trustworthy as the newest.
type link struct {
	Revision int64  `json:"revision"`
	SHA256   string `json:"sha256"`
}

// provenanceJSON is the custom field.
type provenanceJSON struct {
	Time       string `json:"time"`
	Content    string `json:"content"`
	Commit     string `json:"commit,omitempty"`
	CommitTime string `json:"commit_time,omitempty"`
	Dirty      bool   `json:"dirty,omitempty"`
	Author     string `json:"author,omitempty"`
	RunURL     string `json:"run_url,omitempty"`
	Reason     string `json:"reason,omitempty"`
	RollbackOf int64  `json:"rollback_of,omitempty"`
	RenewalOf  int64  `json:"renewal_of,omitempty"`
	Previous   *link  `json:"previous,omitempty"`
}

// put adds p to targets, with the link to the previous revision, which is nil for the
// first.
func (p Provenance) put(targets *metadata.TargetsType, previous *link) {
	targets.UnrecognizedFields = map[string]any{provenanceField: provenanceJSON{
		formatTime(p.Time), p.Content, p.Commit, formatTime(p.CommitTime), p.Dirty, p.Author, p.RunURL, p.Reason,
		p.RollbackOf, p.RenewalOf, previous,
	}}
}

// formatTime returns a time in UTC and whole seconds, or "" for the zero time.
func formatTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// provenanceOf reads what put has written. It ignores anything malformed, because
// clients don't depend on it.
func provenanceOf(targets *metadata.TargetsType) (Provenance, *link) {
	// The decoder made maps of the field; encode it to decode it again.
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
	p.Time, p.CommitTime = parseTime(j.Time), parseTime(j.CommitTime)
	return p, j.Previous
}

// writable reports whether RFC 3339 can express t in UTC.
func writable(t time.Time) bool {
	year := t.UTC().Year()
	return 1 <= year && year <= 9999
}

// parseTime returns the time in UTC that formatTime wrote. Anything malformed becomes
// the zero time.
func parseTime(text string) time.Time {
	t, err := time.Parse(time.RFC3339, text)
	if err != nil || !writable(t) {
		return time.Time{}
	}
	return t.UTC()
}

// linkTo returns the link to targets metadata that was published.
func linkTo(revision int64, raw []byte) *link {
	digest := sha256.Sum256(raw)
	return &link{revision, hex.EncodeToString(digest[:])}
}

// contentHash returns the [Provenance.Content] of payloads, whose hashes are given by
// namespace in hexadecimal.
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
