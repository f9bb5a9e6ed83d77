// Package comment writes a report to the pull request, or on GitLab the merge
// request, that a CI job runs for or that brought a commit. There is one comment for each
// topic, which each run replaces.
//
// Start at [FromEnvironment] or [OfCommit], which recognize GitHub and GitLab by the
// variables that they set for jobs. Nothing that this package returns contains the token.
package comment

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

const (
	// marker is the start of the comment on what a pull request changes, by which the
	// next run finds it. Neither service shows it to readers.
	marker = "<!-- serin: flags -->\n"

	// maxPages bounds the search for the comment. A page has pageSize comments.
	maxPages = 30
	pageSize = 100

	maxAnswer = 16 << 20 // bytes of a response
	maxEvent  = 8 << 20  // bytes of the file with GitHub's event
	timeout   = 30 * time.Second
)

// The maximum lengths of comments, in characters.
const (
	maxGitHub = 65_536
	maxGitLab = 1_000_000
)

// ErrNoRequest is wrapped by the error of [FromEnvironment] if the job doesn't run for
// a pull request, but for a branch or on a schedule, say.
var ErrNoRequest = errors.New("this job doesn't run for a pull request")

// ErrForbidden is wrapped by the error of [Request.Put] if the token may not write
// comments. That of a pull request from a fork may not.
var ErrForbidden = errors.New("the token may not write comments")

// A Request is a pull request or merge request. It is safe for concurrent use.
type Request struct {
	marker   string // the start of its comment
	api      *url.URL
	comments *url.URL // where its comments are listed and added
	one      *url.URL // where one of them is, without its number
	method   string   // HTTP method that replaces one
	header   http.Header
	most     int // maximum length of a comment, in characters
	client   *http.Client
}

// FromEnvironment returns the pull request or merge request that the job runs for. It
// reads environment variables with getenv, such as [os.Getenv].
//
// On GitHub Actions it reads GITHUB_TOKEN, which needs the permission to write to pull
// requests, GITHUB_API_URL, GITHUB_REPOSITORY and GITHUB_EVENT_PATH. On GitLab it reads
// CI_API_V4_URL, CI_PROJECT_ID, CI_MERGE_REQUEST_IID and SERIN_GITLAB_TOKEN. You have to
// set the last to a token with scope "api", because the job's own token can't write
// comments.
func FromEnvironment(getenv func(string) string) (*Request, error) {
	switch {
	case getenv("GITHUB_ACTIONS") != "":
		number, err := githubNumber(getenv("GITHUB_EVENT_PATH"))
		if err != nil {
			return nil, err
		}
		r, repository, err := github(getenv)
		if err != nil {
			return nil, err
		}
		return r.onGitHub(repository, number), nil
	case getenv("GITLAB_CI") != "":
		iid := getenv("CI_MERGE_REQUEST_IID")
		if iid == "" {
			return nil, ErrNoRequest
		}
		number, err := strconv.ParseInt(iid, 10, 64)
		if err != nil {
			return nil, errors.New("CI_MERGE_REQUEST_IID isn't a number")
		}
		r, project, err := gitlab(getenv)
		if err != nil {
			return nil, err
		}
		return r.onGitLab(project, number), nil
	}
	return nil, fmt.Errorf("%w: neither GITHUB_ACTIONS nor GITLAB_CI is set; run it in a job for pull requests",
		ErrNoRequest)
}

// github returns a request without a number, and the path of the repository.
func github(getenv func(string) string) (*Request, []string, error) {
	r := &Request{marker: marker, method: http.MethodPatch, most: maxGitHub, header: http.Header{
		"Accept":               {"application/vnd.github+json"},
		"X-Github-Api-Version": {"2022-11-28"},
	}}
	token := getenv("GITHUB_TOKEN")
	if token == "" {
		return nil, nil, errors.New("GITHUB_TOKEN isn't set: pass the job's token to the step")
	}
	r.header.Set("Authorization", "Bearer "+token)
	owner, name, ok := strings.Cut(getenv("GITHUB_REPOSITORY"), "/")
	if !ok || owner == "" || name == "" || strings.Contains(name, "/") {
		return nil, nil, errors.New("GITHUB_REPOSITORY isn't OWNER/NAME: don't override what the runner sets")
	}
	return r, []string{"repos", owner, name}, r.at(getenv("GITHUB_API_URL"), "GITHUB_API_URL")
}

// onGitHub has the request be the pull request with a number.
func (r *Request) onGitHub(repository []string, number int64) *Request {
	issues := r.api.JoinPath(append(slices.Clip(repository), "issues")...)
	r.comments, r.one = issues.JoinPath(strconv.FormatInt(number, 10), "comments"), issues.JoinPath("comments")
	return r
}

// githubNumber returns the number of the pull request in GitHub's event.
func githubNumber(path string) (int64, error) {
	if path == "" {
		return 0, errors.New("GITHUB_EVENT_PATH isn't set: don't override what the runner sets")
	}
	f, err := os.Open(path)
	if err != nil {
		return 0, fmt.Errorf("reading the event: %w", err)
	}
	defer f.Close()
	var event struct {
		PullRequest struct {
			Number int64 `json:"number"`
		} `json:"pull_request"`
	}
	if err := json.NewDecoder(io.LimitReader(f, maxEvent)).Decode(&event); err != nil {
		return 0, fmt.Errorf("reading the event: %w", err)
	}
	if event.PullRequest.Number <= 0 {
		return 0, ErrNoRequest
	}
	return event.PullRequest.Number, nil
}

// gitlab returns a request without a number, and the path of the project.
func gitlab(getenv func(string) string) (*Request, []string, error) {
	project := getenv("CI_PROJECT_ID")
	if _, err := strconv.ParseUint(project, 10, 64); err != nil {
		return nil, nil, errors.New("CI_PROJECT_ID isn't a number")
	}
	token := getenv("SERIN_GITLAB_TOKEN")
	if token == "" {
		return nil, nil, errors.New(
			"SERIN_GITLAB_TOKEN isn't set: create a project access token with scope \"api\" and " +
				"store it in this variable, masked")
	}
	r := &Request{marker: marker, method: http.MethodPut, most: maxGitLab,
		header: http.Header{"Private-Token": {token}}}
	return r, []string{"projects", project}, r.at(getenv("CI_API_V4_URL"), "CI_API_V4_URL")
}

// onGitLab has the request be the merge request with a number.
func (r *Request) onGitLab(project []string, number int64) *Request {
	notes := append(slices.Clip(project), "merge_requests", strconv.FormatInt(number, 10), "notes")
	r.comments = r.api.JoinPath(notes...)
	r.one = r.comments
	return r
}

// at sets the URL of the API, which variable holds.
func (r *Request) at(api, variable string) (err error) {
	r.api, err = url.Parse(api)
	if err != nil || r.api.Scheme != "https" && r.api.Scheme != "http" || r.api.Host == "" {
		return fmt.Errorf("%s isn't the URL of an API", variable)
	}
	r.client = &http.Client{
		Timeout: timeout,
		// Never send the token anywhere else.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return nil
}

// Put writes body, which is Markdown, as the comment: it replaces the comment of an
// earlier Put, unless that has the same body, or adds one. A body that is too long for the
// service is cut at the end of a line, and says so.
func (r *Request) Put(ctx context.Context, body string) error {
	body = r.marker + fit(body, r.most-utf8.RuneCountInString(r.marker))
	id, was, err := r.find(ctx)
	if err != nil {
		return fmt.Errorf("looking for the comment: %w", err)
	}
	if id != 0 && strings.TrimSpace(was) == strings.TrimSpace(body) { // services trim it
		return nil
	}
	if id == 0 {
		err = r.send(ctx, http.MethodPost, r.comments, body, nil)
	} else {
		err = r.send(ctx, r.method, r.one.JoinPath(strconv.FormatInt(id, 10)), body, nil)
	}
	if err != nil {
		return fmt.Errorf("writing the comment: %w", err)
	}
	return nil
}

// find returns the number of the comment and its body, or 0 if it isn't among the first
// maxPages*pageSize.
func (r *Request) find(ctx context.Context) (id int64, body string, err error) {
	for page := 1; page <= maxPages; page++ {
		var list []struct {
			ID   int64  `json:"id"`
			Body string `json:"body"`
		}
		u := *r.comments
		u.RawQuery = url.Values{"per_page": {strconv.Itoa(pageSize)}, "page": {strconv.Itoa(page)}}.Encode()
		if err := r.send(ctx, http.MethodGet, &u, "", &list); err != nil {
			return 0, "", err
		}
		for _, c := range list {
			// GitHub ends lines with CR LF once a person has edited them.
			if strings.HasPrefix(c.Body, strings.TrimSpace(r.marker)) {
				return c.ID, c.Body, nil
			}
		}
		if len(list) < pageSize {
			return 0, "", nil
		}
	}
	return 0, "", nil
}

// send makes one request, with body unless it is empty, and decodes the response into
// result unless that is nil.
func (r *Request) send(ctx context.Context, method string, to *url.URL, body string, result any) error {
	var payload io.Reader
	if body != "" {
		data, err := json.Marshal(map[string]string{"body": body})
		if err != nil {
			return err
		}
		payload = bytes.NewReader(data)
	}
	req, err := http.NewRequestWithContext(ctx, method, to.String(), payload)
	if err != nil {
		return err
	}
	req.Header = r.header.Clone()
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := r.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	switch {
	case resp.StatusCode == http.StatusForbidden || resp.StatusCode == http.StatusUnauthorized:
		return fmt.Errorf("%w: %s %s", ErrForbidden, to.Host, resp.Status)
	case resp.StatusCode < 200 || resp.StatusCode > 299:
		return fmt.Errorf("%s responded with %s", to.Host, resp.Status)
	case err != nil:
		return fmt.Errorf("reading the response of %s: %w", to.Host, err)
	case len(answer) > maxAnswer:
		return fmt.Errorf("the response of %s is longer than %d MiB", to.Host, maxAnswer>>20)
	case result == nil:
		return nil
	}
	if err := json.Unmarshal(answer, result); err != nil {
		return fmt.Errorf("reading the response of %s: %w", to.Host, err)
	}
	return nil
}

// fit cuts text to at most the given number of characters, at the end of a line. It ends
// the block of code and the folded details that the cut is in.
func fit(text string, most int) string {
	const cut = "\n… cut here: the comment would be too long.\n"
	if utf8.RuneCountInString(text) <= most {
		return text
	}
	room := most - utf8.RuneCountInString(cut) - maxClosing
	var kept strings.Builder
	var open closing
	for line := range strings.Lines(text) {
		if room -= utf8.RuneCountInString(line); room < 0 {
			break
		}
		kept.WriteString(line)
		open.read(strings.TrimRight(line, "\n"))
	}
	return kept.String() + open.String() + cut
}

// maxClosing limits the length of what ends a block of code and folded details.
const maxClosing = 100

// A closing is what is open in Markdown, and has to be closed at its end.
type closing struct {
	fence   string // of a block of code
	details int
}

func (c *closing) read(line string) {
	run := line[:len(line)-len(strings.TrimLeft(line, "`"))]
	switch {
	case c.fence == "" && len(run) >= 3 && len(run) <= maxClosing/2:
		c.fence = run
	case c.fence != "" && len(run) >= len(c.fence) && run == line:
		c.fence = ""
	case c.fence == "":
		c.details += strings.Count(line, "<details>") - strings.Count(line, "</details>")
	}
}

func (c *closing) String() string {
	text := ""
	if c.fence != "" {
		text = c.fence + "\n"
	}
	return text + strings.Repeat("\n</details>\n", min(c.details, 3))
}
