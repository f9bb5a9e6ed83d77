package main

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
	"path/filepath"
	"time"

	"github.com/serin-flags/serin/ci"
	"github.com/serin-flags/serin/ci/guard"
	"github.com/serin-flags/serin/ci/plans"
)

// record writes what has moved into the flag folder: all newer published lines into
// releases.lock, and the evidence of each decision into a file of its own.
func (g *guardRun) record(moved []*guard.Decision) error {
	if g.dir == "" {
		return nil
	}
	for _, d := range moved {
		data, err := d.Evidence()
		if err != nil {
			return err
		}
		name := filepath.Join(g.dir, filepath.FromSlash(plans.RecordName(d.Plan.Flag, d.Time)))
		if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
			return fmt.Errorf("writing the evidence: %w", err)
		}
		if err := replaceFile(name, data); err != nil {
			return fmt.Errorf("writing the evidence: %w", err)
		}
	}
	return writeReleases(g.dir, g.lines(moved))
}

// lines returns the published lines, after some have moved.
func (g *guardRun) lines(moved []*guard.Decision) ci.ReleaseLines {
	lines := g.state.Lines
	for _, d := range moved {
		line, _ := d.Line(g.by)
		lines, _ = lines.Merge(ci.ReleaseLines{line.Key(): line})
	}
	return lines
}

// writeReleases writes the lines that are newer than those of a folder into its releases.lock.
func writeReleases(dir string, lines ci.ReleaseLines) error {
	name := filepath.Join(dir, ci.ReleasesFile)
	data, err := os.ReadFile(name)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	mine, err := ci.ParseReleases(data)
	if err != nil {
		return fmt.Errorf("reading %s: %w", name, err)
	}
	merged, newer := mine.Merge(lines)
	if len(newer) == 0 {
		return nil
	}
	if err := unchanged(name, data); err != nil {
		return err
	}
	if err := replaceFile(name, merged.Format()); err != nil {
		return fmt.Errorf("writing %s: %w", name, err)
	}
	return nil
}

// A decisionJSON is a decision as --json and the webhook have it.
type decisionJSON struct {
	Flag        string          `json:"flag"`
	Environment string          `json:"environment"`
	Action      guard.Action    `json:"action"`
	From        string          `json:"from"`
	To          string          `json:"to"`
	Reason      string          `json:"reason"`
	Until       time.Time       `json:"until,omitzero"`
	Time        time.Time       `json:"time"`
	Approval    string          `json:"approval,omitempty"` // the branch whose merging approves the next step
	Evidence    json.RawMessage `json:"evidence"`
}

func newDecisionJSON(d *guard.Decision, approval string) (decisionJSON, error) {
	evidence, err := d.Evidence()
	return decisionJSON{
		d.Plan.Flag, d.Plan.Environment, d.Action, d.From.String(), d.To.String(), d.Reason, d.Until.UTC(),
		d.Time.UTC(), approval, evidence,
	}, err
}

// writeDecision prints a decision as JSON, on a line of its own.
func writeDecision(w io.Writer, d *guard.Decision, approval string) error {
	document, err := newDecisionJSON(d, approval)
	if err != nil {
		return err
	}
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	return e.Encode(document)
}

// checkWebhook returns an error if a URL can't be that of a webhook.
func checkWebhook(text string) error {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return usagef("--webhook is an https or http URL")
	}
	return nil
}

const (
	// webhookTimeout is how long a webhook may take to answer.
	webhookTimeout = 10 * time.Second
	// webhookTotal is how long all messages of a look may take, so that a webhook that hangs
	// delays the next look by no more than that.
	webhookTotal = 30 * time.Second
)

// post sends what has moved to the webhook, in one request for each plan. A message that fails
// doesn't stop those about other plans.
func (g *guardRun) post(ctx context.Context, moved []*guard.Decision) error {
	if g.webhook == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, webhookTotal)
	defer cancel()
	client := &http.Client{Timeout: webhookTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	var errs []error
	for _, d := range moved {
		if err := g.postOne(ctx, client, d); err != nil {
			errs = append(errs, fmt.Errorf("posting to the webhook about %s: %w", d.Plan.Flag, err))
		}
		if ctx.Err() != nil {
			break
		}
	}
	return errors.Join(errs...)
}

// postOne sends a decision to the webhook. The member text is what chat systems show. The URL is
// often a secret, so no error has it.
func (g *guardRun) postOne(ctx context.Context, client *http.Client, d *guard.Decision) error {
	decision, err := newDecisionJSON(d, "")
	if err != nil {
		return err
	}
	body, err := json.Marshal(struct {
		Text string `json:"text"`
		decisionJSON
	}{d.Text(), decision})
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, g.webhook, bytes.NewReader(body))
	if err != nil {
		return errors.New("its URL is invalid")
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := client.Do(request)
	if err != nil {
		var failed *url.Error
		if errors.As(err, &failed) {
			err = failed.Err
		}
		return err
	}
	response.Body.Close()
	if response.StatusCode >= 300 {
		return fmt.Errorf("it answered %s", response.Status)
	}
	return nil
}
