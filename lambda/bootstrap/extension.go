package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// An extension is the function's place in the Lambda Extensions API. Lambda freezes the
// environment after a request only when its extensions, too, say that they are done, while
// the caller has the answer already. So the function looks for newer flags and writes
// metrics without delaying anybody. Lambda also sends SIGTERM only where there is an
// extension.
type extension struct {
	client *http.Client
	url    string
	id     string
}

// A registration is the outcome of register.
type registration struct {
	extension *extension
	err       error
}

// registering calls register while the function loads its flags.
func registering(ctx context.Context, address string) <-chan registration {
	done := make(chan registration, 1)
	go func() {
		e, err := register(ctx, address)
		done <- registration{e, err}
	}()
	return done
}

// register registers an extension with the API at address. It has to be called before the
// function asks for its first event.
func register(ctx context.Context, address string) (*extension, error) {
	e := &extension{
		client: &http.Client{Transport: &http.Transport{}}, // without a proxy and, for next, a limit
		url:    "http://" + address + "/2020-01-01/extension/",
	}
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, e.url+"register",
		strings.NewReader(`{"events":["INVOKE"]}`))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Lambda-Extension-Name", "serin")
	header, err := e.do(r)
	if err != nil {
		return nil, fmt.Errorf("registering an extension: %w", err)
	}
	e.id = header.Get("Lambda-Extension-Identifier")
	return e, nil
}

// next says that the extension is done, and returns when the function gets an event.
func (e *extension) next(ctx context.Context) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, e.url+"event/next", nil)
	if err != nil {
		return err
	}
	r.Header.Set("Lambda-Extension-Identifier", e.id)
	_, err = e.do(r)
	return err
}

func (e *extension) do(r *http.Request) (http.Header, error) {
	resp, err := e.client.Do(r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 1<<20)) // so that the connection is used again
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the Extensions API answered %s", resp.Status)
	}
	return resp.Header, nil
}

// run calls done after each request. answered receives an element when the function has an
// answer. It returns only with an error, after which Lambda no longer waits for it.
func (e *extension) run(ctx context.Context, answered <-chan struct{}, done func()) error {
	for {
		if err := e.next(ctx); err != nil {
			return err
		}
		select {
		case <-answered:
			done()
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
