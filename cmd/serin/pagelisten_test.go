package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/serin-flags/serin/ci"
	"github.com/serin-flags/serin/ci/page"
	"github.com/serin-flags/serin/evaluator"
)

// TestFollowPage holds that the page reads what is published when it is woken, tries again some time
// after it couldn't, and not otherwise.
func TestFollowPage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		var events []string
		note := func(what string) { events = append(events, fmt.Sprintf("%s at %v", what, time.Since(start))) }
		answers := []struct {
			model *page.Model
			err   error
		}{
			{nil, nil},                      // no flags yet
			{nil, errors.New("no network")}, // still none
			{new(page.Model), nil},          // there they are
			{nil, errors.New("no network")}, // after a change
			{new(page.Model), nil},          // woken before it tries again
			{new(page.Model), nil},
		}
		load := func() (*page.Model, error) {
			note("load")
			a := answers[0]
			answers = answers[1:]
			return a.model, a.err
		}
		ctx, cancel := context.WithCancel(t.Context())
		wake := make(chan struct{}, 1)
		done := make(chan struct{})
		go func() {
			defer close(done)
			followPage(ctx, wake, slog.New(slog.NewTextHandler(io.Discard, nil)), load,
				func(*page.Model) { note("show") })
		}()
		wake <- struct{}{}
		time.Sleep(10 * time.Minute) // of the test's clock
		wake <- struct{}{}
		time.Sleep(pageRetry - time.Second)
		wake <- struct{}{}
		time.Sleep(10 * time.Minute)
		cancel()
		<-done
		want := []string{"load at 0s", "load at 30s", "load at 1m0s", "show at 1m0s", "load at 10m0s", "load at 10m29s",
			"show at 10m29s"}
		if !slices.Equal(events, want) {
			t.Errorf("what happened is\n%q, want\n%q", events, want)
		}
	})
}

// TestKeepWarm holds that a server prepares for the flags that it begins with, and for those of a
// later revision, also if only the attributes differ there.
func TestKeepWarm(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "shop", "cart.yaml"),
		"type: boolean\ndefault: off\nrules: [{name: phones, when: {device: mobile}, serve: on}]\n")
	l, err := newLocal("")
	if err != nil {
		t.Fatal(err)
	}
	defer l.close()
	publish := func(device string) {
		t.Helper()
		writeFile(t, filepath.Join(dir, "context.yaml"),
			"attributes:\n  user: {type: string, unit: true}\n  device: {type: string"+device+"}\n")
		estate, err := ci.Load(dir)
		if err != nil {
			t.Fatal(err)
		}
		payloads, err := estate.Compile("")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := l.publish(t.Context(), payloads); err != nil {
			t.Fatal(err)
		}
	}
	publish("")
	client, err := l.open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	warmed := make(chan map[string]string, 10)
	defer keepWarm(client, func(p *evaluator.Program) {
		from := make(map[string]string)
		for a := range p.Attributes() {
			from[a.Name] = a.From
		}
		warmed <- from
	})()
	if from := <-warmed; from["device"] != "" {
		t.Errorf("at first, the device comes from %q", from["device"])
	}
	publish(", from: [{user_agent: device}]")
	if err := client.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	if from := <-warmed; from["device"] == "" {
		t.Error("the server doesn't prepare for the later revision")
	}
}
