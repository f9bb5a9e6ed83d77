package page

import (
	"cmp"
	"fmt"
	"net/url"
	"strings"
)

// A proposeView is the form of an edit and what the edit would do.
type proposeView struct {
	Edits   string
	Error   string
	Patch   string
	Spelled bool // characters of the patch are spelled out
	Notes   []string
	Command string
	Issue   string // URL of a prefilled issue
	File    string // URL of a prefilled new file
	TooLong bool   // a link would be too long
	Changes changesView
	Wrote   []string
	Nothing bool
	Form    bool // edits can be tried
	Forms   []string
	// For static pages: where issues are made, and the names of their title and text.
	IssuePage, IssueTitle, IssueBody string
}

// maxEdits is how many edits a proposal may have, and maxEdit how long one may be.
const (
	maxEdits = 20
	maxEdit  = 1000
)

// editsOf returns the edits that a text has, one on each line.
func editsOf(text string) (list []string, err error) {
	n := 0
	for line := range strings.Lines(text) {
		n++
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		if len(line) > maxEdit {
			return nil, fmt.Errorf("line %d is longer than %d bytes, and no edit is", n, maxEdit)
		}
		list = append(list, line)
	}
	if len(list) > maxEdits {
		return nil, fmt.Errorf("there are %d edits; propose %d at a time at most", len(list), maxEdits)
	}
	return list, nil
}

// command returns the command that makes edits, for a POSIX shell.
func command(edits []string, folder string) string {
	words := []string{"serin apply"}
	for _, e := range edits {
		words = append(words, shellQuote(e))
	}
	if folder != "" && folder != "flags" {
		words = append(words, "--from", shellQuote(folder))
	}
	return strings.Join(words, " ")
}

func shellQuote(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }

// maxLink is how long a link may be in bytes. Servers refuse longer ones than 8 KiB, with headers.
const maxLink = 6 << 10

// A host is a repository on GitHub or GitLab.
type host struct {
	url    url.URL // without a query
	branch string
	gitLab bool
}

// hostOf returns what a URL of a repository says, and whether it is known how to link there.
func hostOf(repository string) (h host, ok bool) {
	u, err := url.Parse(repository)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" {
		return h, false
	}
	h = host{url.URL{Scheme: u.Scheme, Host: u.Host, Path: strings.TrimSuffix(u.Path, "/")},
		cmp.Or(u.Fragment, "main"), strings.Contains(u.Host, "gitlab")}
	return h, true
}

// link returns the URL of a page with what it is prefilled with, and whether it isn't too long.
func link(page string, values url.Values) (text string, ok bool) {
	text = page + "?" + strings.ReplaceAll(values.Encode(), "+", "%20")
	return text, len(text) <= maxLink
}

// issuePage returns the URL of the page for new issues, and the names of what it is prefilled with.
func (h host) issuePage() (page, title, body string) {
	if h.gitLab {
		h.url.Path += "/-/issues/new"
		return h.url.String(), "issue[title]", "issue[description]"
	}
	h.url.Path += "/issues/new"
	return h.url.String(), "title", "body"
}

// issue returns the URL of a new issue that proposes edits, and whether it isn't too long.
func (h host) issue(edits []string) (text string, ok bool) {
	title := "Flags: " + clip(strings.Join(edits, "; "))
	body := "```\n" + strings.Join(edits, "\n") + "\n```\n"
	page, titleName, bodyName := h.issuePage()
	return link(page, url.Values{titleName: {title}, bodyName: {body}})
}

// newFile returns the URL of a new file, and whether it isn't too long.
func (h host) newFile(f *NewFile) (text string, ok bool) {
	if h.gitLab {
		h.url.Path += "/-/new/" + h.branch
		return link(h.url.String(), url.Values{"file_name": {f.Path}, "content": {f.Content}})
	}
	h.url.Path += "/new/" + h.branch
	return link(h.url.String(), url.Values{"filename": {f.Path}, "value": {f.Content}})
}

// handOver adds the links to the repository.
func (w *proposeView) handOver(repository string, edits []string, file *NewFile) {
	h, ok := hostOf(repository)
	if !ok {
		return
	}
	fits, fileFits := true, true
	if w.Issue, fits = h.issue(edits); !fits {
		w.Issue = ""
	}
	if file != nil {
		if w.File, fileFits = h.newFile(file); !fileFits {
			w.File = ""
		}
	}
	w.TooLong = !fits || !fileFits
}
