// Package comment puts a report on the pull request, or on GitLab the merge
// request, that a CI job runs for: one comment that each run replaces, so that
// the last word on a change stands in one place.
//
// Start at [FromEnvironment]. It knows GitHub and GitLab by the variables that
// they set for jobs, and asks no others. Nothing that it returns or reports
// holds the token.
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
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

const (
	// marker begins each comment of ours, by which the next run finds it.
	// Neither service shows it to readers.
	marker = "<!-- serin: flags -->\n"

	// maxPages bounds the search for the comment, pageSize comments each.
	maxPages = 30
	pageSize = 100

	maxAnswer = 16 << 20 // bytes of one answer
	maxEvent  = 8 << 20  // bytes of the event of GitHub
	timeout   = 30 * time.Second
)

// The most characters that a comment may have, by service.
const (
	maxGitHub = 65_536
	maxGitLab = 1_000_000
)

// ErrNoRequest is what [FromEnvironment] returns, wrapped, if the job runs for no
// pull request: on a branch, say, or on a schedule.
var ErrNoRequest = errors.New("this job runs for no pull request")

// ErrForbidden is what [Request.Put] returns, wrapped, if the token may not write
// comments, as that of a pull request from a fork may not.
var ErrForbidden = errors.New("the token may not write comments")

// A Request is a pull request or merge request. It is safe for concurrent use.
type Request struct {
	comments *url.URL // where its comments are listed and added
	one      *url.URL // where one of them is, but for its number
	method   string   // that replaces one
	header   http.Header
	most     int // characters of a comment
	client   *http.Client
}

// FromEnvironment returns the request that a job runs for, by the variables that
// getenv returns, as [os.Getenv] does.
//
// On GitHub Actions these are GITHUB_TOKEN, which must be allowed to write to pull
// requests, GITHUB_API_URL, GITHUB_REPOSITORY and GITHUB_EVENT_PATH. On GitLab they
// are CI_API_V4_URL, CI_PROJECT_ID, CI_MERGE_REQUEST_IID, and SERIN_GITLAB_TOKEN,
// which is to be set to a token with scope "api": that of the job can't write
// comments.
func FromEnvironment(getenv func(string) string) (*Request, error) {
	switch {
	case getenv("GITHUB_ACTIONS") != "":
		return github(getenv)
	case getenv("GITLAB_CI") != "":
		return gitlab(getenv)
	}
	return nil, fmt.Errorf("%w: neither GITHUB_ACTIONS nor GITLAB_CI is set", ErrNoRequest)
}

func github(getenv func(string) string) (*Request, error) {
	number, err := githubNumber(getenv("GITHUB_EVENT_PATH"))
	if err != nil {
		return nil, err
	}
	r := &Request{method: http.MethodPatch, most: maxGitHub, header: http.Header{
		"Accept":               {"application/vnd.github+json"},
		"X-Github-Api-Version": {"2022-11-28"},
	}}
	token := getenv("GITHUB_TOKEN")
	if token == "" {
		return nil, errors.New("GITHUB_TOKEN isn't set: give the step the job's token")
	}
	r.header.Set("Authorization", "Bearer "+token)
	owner, name, ok := strings.Cut(getenv("GITHUB_REPOSITORY"), "/")
	if !ok || owner == "" || name == "" || strings.Contains(name, "/") {
		return nil, errors.New("GITHUB_REPOSITORY isn't OWNER/NAME")
	}
	return r, r.at(getenv("GITHUB_API_URL"), "GITHUB_API_URL",
		[]string{"repos", owner, name, "issues", strconv.FormatInt(number, 10), "comments"},
		[]string{"repos", owner, name, "issues", "comments"})
}

// githubNumber returns the number of the pull request that an event is about.
func githubNumber(path string) (int64, error) {
	if path == "" {
		return 0, errors.New("GITHUB_EVENT_PATH isn't set")
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

func gitlab(getenv func(string) string) (*Request, error) {
	project, iid := getenv("CI_PROJECT_ID"), getenv("CI_MERGE_REQUEST_IID")
	if iid == "" {
		return nil, ErrNoRequest
	}
	for _, n := range []string{project, iid} {
		if _, err := strconv.ParseUint(n, 10, 64); err != nil {
			return nil, errors.New("CI_PROJECT_ID or CI_MERGE_REQUEST_IID is no number")
		}
	}
	token := getenv("SERIN_GITLAB_TOKEN")
	if token == "" {
		return nil, errors.New("SERIN_GITLAB_TOKEN isn't set: make a project access token with scope \"api\", and a masked variable of it")
	}
	r := &Request{method: http.MethodPut, most: maxGitLab, header: http.Header{"Private-Token": {token}}}
	notes := []string{"projects", project, "merge_requests", iid, "notes"}
	return r, r.at(getenv("CI_API_V4_URL"), "CI_API_V4_URL", notes, notes)
}

// at sets where comments are, below the API's URL, which variable holds.
func (r *Request) at(api, variable string, comments, one []string) error {
	base, err := url.Parse(api)
	if err != nil || base.Scheme != "https" && base.Scheme != "http" || base.Host == "" {
		return fmt.Errorf("%s isn't the URL of an API", variable)
	}
	r.comments, r.one = base.JoinPath(comments...), base.JoinPath(one...)
	r.client = &http.Client{
		Timeout: timeout,
		// The token is for this API and nobody else.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return nil
}

// Put makes body, which is Markdown, the comment: it replaces the one that an
// earlier Put made, or adds one. A body that is too long for the service is cut
// at a line, and says so.
func (r *Request) Put(ctx context.Context, body string) error {
	body = marker + fit(body, r.most-utf8.RuneCountInString(marker))
	id, err := r.find(ctx)
	if err != nil {
		return fmt.Errorf("looking for the comment: %w", err)
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

// find returns the number of our comment, 0 if there is none among the first
// maxPages·pageSize.
func (r *Request) find(ctx context.Context) (int64, error) {
	for page := 1; page <= maxPages; page++ {
		var list []struct {
			ID   int64  `json:"id"`
			Body string `json:"body"`
		}
		u := *r.comments
		u.RawQuery = url.Values{"per_page": {strconv.Itoa(pageSize)}, "page": {strconv.Itoa(page)}}.Encode()
		if err := r.send(ctx, http.MethodGet, &u, "", &list); err != nil {
			return 0, err
		}
		for _, c := range list {
			// GitHub ends lines with CR LF once a person has edited them.
			if strings.HasPrefix(c.Body, strings.TrimSpace(marker)) {
				return c.ID, nil
			}
		}
		if len(list) < pageSize {
			return 0, nil
		}
	}
	return 0, nil
}

// send makes one request, with body unless it is empty, and decodes the answer
// into result unless it is nil.
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
		return fmt.Errorf("%s answered %s", to.Host, resp.Status)
	case err != nil:
		return fmt.Errorf("reading the answer of %s: %w", to.Host, err)
	case len(answer) > maxAnswer:
		return fmt.Errorf("the answer of %s is longer than %d MiB", to.Host, maxAnswer>>20)
	case result == nil:
		return nil
	}
	if err := json.Unmarshal(answer, result); err != nil {
		return fmt.Errorf("reading the answer of %s: %w", to.Host, err)
	}
	return nil
}

// fit cuts text to at most so many characters.
func fit(text string, most int) string {
	const cut = "\n\n… cut here: the comment would be too long.\n"
	if utf8.RuneCountInString(text) <= most {
		return text
	}
	room := most - utf8.RuneCountInString(cut)
	end := 0
	for i := range text {
		if room == 0 {
			end = i
			break
		}
		room--
	}
	if line := strings.LastIndexByte(text[:end], '\n'); line > 0 {
		end = line
	}
	return text[:end] + cut
}
