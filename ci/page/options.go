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
	// https://github.com/example/flags, for issues and new files that propose edits; "" for none.
	// After "#", it may name the branch that new files are for, which is main otherwise.
	Repository string
	// Live says that the viewer is editing the files: pages reload when they change, and patches
	// and comparisons show IDs.
	Live bool
	// Admit returns which flags the sender of a request may see; nil: all. If it doesn't
	// admit the request, it has answered it, and ok is false.
	Admit func(w http.ResponseWriter, r *http.Request) (sees Sees, ok bool)
	// Compare compares two revisions of a folder, named as for "serin diff", or two that are
	// published, by their numbers. The report says which they are. An error that is a
	// [*release.RevisionError] is shown to everyone, and others only to those who see all flags.
	Compare func(ctx context.Context, old, new string) (diff.Report, error)
	// Old is the revision of the folder that Compare compares with, unless the viewer says
	// otherwise; "" if there is no folder. A new revision that is "" is the files as they are.
	Old string
	// Numbers says that Compare compares published revisions. Of these, a new one that is "" is the
	// newest, and an old one that is "" is the one before the new one.
	Numbers bool
	// History reads the history of what is published. If the flag has a key, entries say what
	// they did to it.
	History func(ctx context.Context, flag release.FlagName) (release.History, error)
	// Propose says what edits would do, in the words of "serin apply", one on each line. With
	// write, it writes the files.
	Propose func(ctx context.Context, edits []string, write bool) (Proposal, error)
}

// Sees reports whether somebody may see a flag, by its key and namespace. public says that
// anybody may read the flags of this namespace, as serin.yaml has it.
type Sees func(key, namespace string, public bool) bool

// A Proposal is what edits do.
type Proposal struct {
	Patch  string // for "git apply"; "" if everything is already as the edits say
	Report diff.Report
	Notes  []string
	Wrote  []string // the files that were written
	// New is the file that the edits make, if they make one and change no other; nil: they do
	// something else.
	New *NewFile
}

// A NewFile is a file that edits make.
type NewFile struct {
	Path    string // in the repository, with slashes
	Content string
}
