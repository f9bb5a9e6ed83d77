package main

import (
	"errors"
	"strings"
	"testing"
	"time"
)

// TestOutage holds that an error that lasts is printed when it changes, and not at each look, and
// that a note says when it is over.
func TestOutage(t *testing.T) {
	var b strings.Builder
	var o outage
	now := time.Date(2026, 12, 1, 9, 0, 0, 0, time.UTC)
	refused, gone := errors.New("connection refused"), errors.New("no such host")
	for i, err := range []error{nil, refused, refused, refused, gone, gone, nil, nil, refused, nil} {
		o.note(&b, err, now.Add(time.Duration(i)*15*time.Second))
	}
	want := `error: connection refused
error: no such host
note: the guard looks again, after 5 looks in 1m15s failed
error: connection refused
`
	if b.String() != want {
		t.Errorf("printed\n%swant\n%s", b.String(), want)
	}
}
