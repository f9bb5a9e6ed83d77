package comment

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
)

// ErrNotLabelled is wrapped by the error of [Labelled] if the job doesn't run because an issue
// got the label.
var ErrNotLabelled = errors.New("this job doesn't run because an issue got the label")

// ErrOutsider is wrapped by the error of [Labelled] if whoever set the label may not write to
// the repository.
var ErrOutsider = errors.New("whoever set the label may not write to the repository")

// An Issue is one that got a label, as it was at that moment.
type Issue struct {
	Number int64
	Body   string
	Sender string // who set the label
}

// Labelled returns the issue that got a label on GitHub, for which the job runs. It reads the
// variables that [FromEnvironment] reads on GitHub, and GITHUB_EVENT_NAME.
//
// The body is that of the event: what the issue says when the job runs doesn't count, because
// its author could have edited it since. Labelled asks GitHub whether the sender of the event
// may write to the repository, because anybody can open an issue with a label if a template
// names it. The token needs the permission to read metadata, which all have.
func Labelled(ctx context.Context, getenv func(string) string, label string) (Issue, error) {
	if getenv("GITHUB_ACTIONS") == "" || getenv("GITHUB_EVENT_NAME") != "issues" {
		return Issue{}, fmt.Errorf("%w: it needs the event \"issues\" of GitHub Actions", ErrNotLabelled)
	}
	event, err := readLabelled(getenv("GITHUB_EVENT_PATH"))
	if err != nil {
		return Issue{}, err
	}
	switch {
	case event.Action != "labeled" || event.Label.Name != label:
		return Issue{}, fmt.Errorf("%w %q", ErrNotLabelled, label)
	case event.Issue.Number <= 0 || event.Sender.Login == "":
		return Issue{}, errors.New("the event has no issue or no sender")
	}
	r, repository, err := github(getenv)
	if err != nil {
		return Issue{}, err
	}
	var answer struct {
		Permission string `json:"permission"`
	}
	url := r.api.JoinPath(repository...).JoinPath("collaborators").JoinPath(event.Sender.Login, "permission")
	if err := r.send(ctx, http.MethodGet, url, "", &answer); err != nil {
		return Issue{}, fmt.Errorf("asking for the permission of whoever set the label: %w", err)
	}
	if answer.Permission != "admin" && answer.Permission != "write" {
		return Issue{}, fmt.Errorf("%w: the permission of %q is %q", ErrOutsider, event.Sender.Login, answer.Permission)
	}
	return Issue{event.Issue.Number, event.Issue.Body, event.Sender.Login}, nil
}

// A labelled is the part of GitHub's event that counts.
type labelled struct {
	Action string
	Label  struct{ Name string }
	Issue  struct {
		Number int64
		Body   string
	}
	Sender struct{ Login string }
}

func readLabelled(path string) (event labelled, err error) {
	f, err := os.Open(path)
	if err != nil {
		return event, fmt.Errorf("reading the event: %w", err)
	}
	defer f.Close()
	if err := json.NewDecoder(io.LimitReader(f, maxEvent)).Decode(&event); err != nil {
		return event, fmt.Errorf("reading the event: %w", err)
	}
	return event, nil
}
