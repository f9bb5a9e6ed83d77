package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/serin-flags/serin/ci/release"
	"github.com/serin-flags/serin/internal/display"
	"github.com/serin-flags/serin/sdk/s3source"
	"github.com/spf13/cobra"
)

// defaultLog is how many revisions log prints unless told otherwise.
const defaultLog = 20

func logCommand() *cobra.Command {
	var f sourceFlags
	var limit int
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "log URL --root FILE",
		Short: "Print who published what and when",
		Long: `Log prints the revisions of a published environment, newest first: who published
them and when, from which commit and in which run, and the namespaces that were
added (+), changed (~) and removed (-). The newest revision is verified from the
pinned root, and every other by its hash in the one after it. Revisions that can't
be verified are marked.`,
		Example: `  serin log s3://flags/production --root keys/production/root.json -n 5`,
		Args:    oneWord("URL"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if limit < 0 {
				return usagef("-n must not be negative, not %d; 0 prints all revisions", limit)
			}
			history, err := f.history(cmd.Context(), args[0], limit, release.FlagName{})
			if err != nil {
				return err
			}
			if time.Now().After(history.Expires) {
				fmt.Fprintf(cmd.ErrOrStderr(), "the published metadata expired at %s; this machine's clock says %s\n",
					when(history.Expires), when(time.Now()))
			}
			if asJSON {
				return writeJSON(cmd.OutOrStdout(), newLogJSON(history))
			}
			return writeLog(cmd.OutOrStdout(), history)
		},
	}
	f.registerRoot(cmd)
	registerEnv(cmd, &f.env, "the environment that the root must be for")
	cmd.Flags().IntVarP(&limit, "number", "n", defaultLog, "how many revisions to print; 0: all")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// history reads the history of a published environment. If the flag has a key, entries say what
// they did to it.
func (f *sourceFlags) history(ctx context.Context, url string, limit int,
	flag release.FlagName) (release.History, error) {
	var none release.History
	if !published(url) {
		return none, usagef("%s is not a URL: log takes the URL of a published environment", url)
	}
	root, verifier, err := f.verifier()
	if err != nil {
		return none, err
	}
	source, err := s3source.FromURL(ctx, url)
	if err != nil {
		return none, err
	}
	history, err := release.Log(ctx, release.LogOptions{Source: source, Root: root, Limit: limit, Flag: flag})
	if err != nil {
		return none, hintPull(fmt.Errorf("reading %s: %w", shown(url), err), verifier.Environment())
	}
	return history, nil
}

func writeLog(w io.Writer, h release.History) error {
	var b strings.Builder
	for _, e := range h.Entries {
		switch e.Standing {
		case release.StandingPublished:
			writeEntry(&b, e)
		case release.StandingLost:
			fmt.Fprintf(&b, "? %d  %s\n\n", e.Revision, lostWords)
		default:
			fmt.Fprintf(&b, "? %d  %s\n", e.Revision, strayWords[e.Standing])
			writeParts(&b, e.Provenance)
			b.WriteString("\n")
		}
	}
	if h.More {
		fmt.Fprintf(&b, "(there are earlier revisions: -n 0 prints all)\n")
	}
	_, err := io.WriteString(w, strings.TrimSuffix(b.String(), "\n")+"\n")
	return err
}

// strayWords say what an object can be whose number isn't part of the history.
var strayWords = map[release.Standing]string{
	release.StandingLeftBehind: "left behind by a publisher that lost a race or failed, " +
		"or hidden by an old timestamp.json",
	release.StandingNewer: "newer than what is published: a publisher is at work or failed, " +
		"or somebody restored an old timestamp.json",
	release.StandingUnlinked: "signed by trusted keys, but from before this history begins or breaks off",
	release.StandingUntrusted: "not signed by trusted keys: planted or damaged, " +
		"or left behind before a key was replaced",
}

const lostWords = "was published, but its object is missing or was changed: earlier revisions can't be verified"

func writeEntry(b *strings.Builder, e release.Entry) {
	p := e.Provenance
	fmt.Fprintf(b, "revision %d", e.Revision)
	switch {
	case p.RollbackOf > 0:
		fmt.Fprintf(b, ", which rolls back to %d", p.RollbackOf)
	case p.RenewalOf > 0:
		fmt.Fprintf(b, ", which renews %d", p.RenewalOf)
	}
	b.WriteString("\n")
	writeParts(b, p)
	if !e.Signed {
		b.WriteString("  signed   only by a key that is no longer trusted\n")
	}
	for _, change := range []struct {
		sign       string
		namespaces []string
	}{{"+", e.Added}, {"~", e.Changed}, {"-", e.Removed}} {
		for _, namespace := range change.namespaces {
			fmt.Fprintf(b, "  %s %s\n", change.sign, display.Line(namespace))
		}
	}
	b.WriteString("\n")
}

// writeParts writes what is known of the origin of a revision.
func writeParts(b *strings.Builder, p release.Provenance) {
	commit := p.Commit
	if p.Dirty {
		commit += " and uncommitted changes"
	}
	date := ""
	if !p.Time.IsZero() {
		date = when(p.Time)
	}
	for _, part := range []struct{ name, value string }{
		{"time", date}, {"author", p.Author}, {"commit", commit}, {"run", p.RunURL}, {"reason", p.Reason}, {"content", p.Content},
	} {
		if part.value != "" {
			fmt.Fprintf(b, "  %-8s %s\n", part.name, display.Line(part.value))
		}
	}
}

// logJSON is what log --json prints.
type logJSON struct {
	Environment string      `json:"environment"`
	Revisions   []entryJSON `json:"revisions"`
	More        bool        `json:"more"`
}

type entryJSON struct {
	Revision int64  `json:"revision"`
	Standing string `json:"standing"`
	*publishedJSON
	*originJSON
}

// publishedJSON is what is known of a revision that was published.
type publishedJSON struct {
	Signed     bool     `json:"signed"`
	RollbackOf int64    `json:"rollback_of,omitempty"`
	RenewalOf  int64    `json:"renewal_of,omitempty"`
	Added      []string `json:"added"`
	Changed    []string `json:"changed"`
	Removed    []string `json:"removed"`
}

// originJSON says where a revision comes from that was published or is signed.
type originJSON struct {
	Time       *time.Time `json:"time,omitempty"`
	Author     string     `json:"author,omitempty"`
	Commit     string     `json:"commit,omitempty"`
	CommitTime *time.Time `json:"commit_time,omitempty"`
	Dirty      bool       `json:"dirty,omitempty"`
	RunURL     string     `json:"run_url,omitempty"`
	Reason     string     `json:"reason,omitempty"`
	Content    string     `json:"content"`
}

func newLogJSON(h release.History) logJSON {
	j := logJSON{Environment: h.Environment, Revisions: []entryJSON{}, More: h.More}
	for _, e := range h.Entries {
		entry, p := entryJSON{Revision: e.Revision, Standing: e.Standing.String()}, e.Provenance
		if e.Standing == release.StandingPublished {
			entry.publishedJSON = &publishedJSON{
				e.Signed, p.RollbackOf, p.RenewalOf, list(e.Added), list(e.Changed), list(e.Removed),
			}
		}
		if e.Standing == release.StandingPublished || e.Signed {
			entry.originJSON = &originJSON{
				timeOrNil(p.Time), p.Author, p.Commit, timeOrNil(p.CommitTime), p.Dirty, p.RunURL, p.Reason, p.Content,
			}
		}
		j.Revisions = append(j.Revisions, entry)
	}
	return j
}

// timeOrNil returns a time as JSON shows it, or nil for the zero time.
func timeOrNil(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// list returns names as JSON shows them: never as null.
func list(names []string) []string { return append([]string{}, names...) }
