package otel

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/serin-flags/serin/evaluator"
	"github.com/serin-flags/serin/sdk"
)

// TestReasons checks that every reason has its name in the semantic conventions,
// which is that of OpenFeature in lower case.
func TestReasons(t *testing.T) {
	for r := evaluator.ReasonStatic; r <= evaluator.ReasonError; r++ {
		if got := reasonOf(r).Value.AsString(); got != strings.ToLower(r.String()) {
			t.Errorf("%v is recorded as %q", r, got)
		}
	}
	if got := reasonOf(0).Value.AsString(); got != "unknown" {
		t.Errorf("no reason is recorded as %q", got)
	}
}

// TestErrorTypes checks that errors that wrap others are known, and that there is a
// name for those which nobody has thought of.
func TestErrorTypes(t *testing.T) {
	for want, err := range map[string]error{
		"provider_not_ready": sdk.ErrNotReady,
		"flag_not_found":     sdk.ErrFlagNotFound,
		"type_mismatch":      fmt.Errorf("%w: more", sdk.ErrTypeMismatch),
		"general":            errors.New("new"),
	} {
		if got := errorType(err); got != want {
			t.Errorf("%v is recorded as %q, want %q", err, got, want)
		}
	}
}
