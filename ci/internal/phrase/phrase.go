// Package phrase reads what files of several kinds say in the same words: names and types, shares
// and hashes, times, lengths of time and zones, and which lints a file silences.
//
// It knows nothing of attributes, flags and rules: package lang makes sentences of phrases. Start
// at [Reader].
package phrase

import (
	"time"

	"github.com/serin-flags/serin/ci/internal/source"
)

// A Reader reads the nodes of one file and records what is wrong with them. It is a value, as
// [source.Reader] is.
type Reader struct {
	source.Reader
	Local *time.Location // the estate's time zone, in which times without an offset are
	Zones *Zones         // those named so far
}

// Within returns a reader whose messages start with the formatted text.
func (r Reader) Within(format string, args ...any) Reader {
	r.Reader = r.Reader.Within(format, args...)
	return r
}

// Again returns a reader as [source.Reader.Again] does.
func (r Reader) Again(format string, args ...any) Reader {
	r.Reader = r.Reader.Again(format, args...)
	return r
}
