package comment

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"time"
)

// ErrNoOrigin is wrapped by the error of [OfCommit] if no pull request brought the commit.
var ErrNoOrigin = errors.New("no pull request brought the commit")

var commitHash = regexp.MustCompile(`^[0-9a-f]{40}([0-9a-f]{24})?$`)

// OfCommit asks GitHub or GitLab for the pull request or merge request that brought a commit,
// which is its full hash, for a comment about a topic: a few words of letters, digits and
// spaces, which readers don't see. Of several requests, the first one that was merged counts.
//
// It reads the variables of [FromEnvironment] but those for one request. The token needs the
// same permissions, and on GitHub the one to read contents.
func OfCommit(ctx context.Context, getenv func(string) string, commit, topic string) (*Request, error) {
	if !commitHash.MatchString(commit) {
		return nil, errors.New("the commit isn't a full hash")
	}
	var (
		r    *Request
		path []string
		err  error
	)
	on, list := (*Request).onGitHub, []string{"commits", commit, "pulls"}
	switch {
	case getenv("GITHUB_ACTIONS") != "":
		r, path, err = github(getenv)
	case getenv("GITLAB_CI") != "":
		r, path, err = gitlab(getenv)
		on, list = (*Request).onGitLab, []string{"repository", "commits", commit, "merge_requests"}
	default:
		err = fmt.Errorf("%w: neither GITHUB_ACTIONS nor GITLAB_CI is set", ErrNoRequest)
	}
	if err != nil {
		return nil, err
	}
	r.marker = "<!-- serin: " + topic + " -->\n"
	var found []origin
	requests := r.api.JoinPath(append(path[:len(path):len(path)], list...)...)
	if err := r.send(ctx, http.MethodGet, requests, "", &found); err != nil {
		return nil, fmt.Errorf("looking for the pull request of commit %.12s: %w", commit, err)
	}
	number := first(found)
	if number == 0 {
		return nil, fmt.Errorf("%w %.12s", ErrNoOrigin, commit)
	}
	return on(r, path, number), nil
}

// An origin is a request that contains a commit, as either service has it.
type origin struct {
	Number   int64      `json:"number"` // on GitHub
	IID      int64      `json:"iid"`    // on GitLab
	MergedAt *time.Time `json:"merged_at"`
}

// first returns the number of the first request that was merged or, if none was, of the first
// one; 0 if there is none.
func first(found []origin) (number int64) {
	for _, o := range found {
		n := max(o.Number, o.IID)
		if o.MergedAt != nil && n > 0 {
			return n
		}
		if number == 0 {
			number = n
		}
	}
	return number
}
