package page

import (
	"context"
	"net/http"

	"github.com/serin-flags/serin/ci/diff"
	"github.com/serin-flags/serin/ci/release"
)

// Options say what a page can do beside showing a model. Functions that are nil are parts that
// it doesn't have. They must be safe for concurrent use.
type Options struct {
	// Folder is the flag folder as a user would type it, for the commands that the page
	// shows; "" if the flags aren't from a folder.
	Folder string
	// Repository is the URL of the repository on GitHub or GitLab, such as
	// https://github.com/example/flags, for issues that propose edits; "" for none.
	Repository string
	// Live says that the viewer is editing the files: pages reload when they change, and patches
	// and comparisons show IDs.
	Live bool
	// Admit returns which flags the sender of a request may see; nil: all. If it doesn't
	// admit the request, it has answered it, and ok is false.
	Admit func(w http.ResponseWriter, r *http.Request) (sees func(key string) bool, ok bool)
	// Compare compares two revisions, named as for "serin diff". Old is what it compares with
	// unless the viewer says otherwise.
	Compare func(ctx context.Context, old, new string) (diff.Report, error)
	Old     string
	// History reads the history of what is published. If the flag has a key, entries say what
	// they did to it.
	History func(ctx context.Context, flag release.FlagName) (release.History, error)
	// Propose says what edits would do, in the words of "serin apply", one on each line. With
	// write, it writes the files.
	Propose func(ctx context.Context, edits []string, write bool) (Proposal, error)
}

// A Proposal is what edits do.
type Proposal struct {
	Patch  string // for "git apply"; "" if everything is already as the edits say
	Report diff.Report
	Notes  []string
	Wrote  []string // the files that were written
}
