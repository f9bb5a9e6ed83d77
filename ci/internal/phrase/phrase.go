// Package phrase reads what files of several kinds say in the same words: keys and lists, text and
// numbers, names and types, shares and hashes, times, lengths of time and zones, and which lints a
// file silences.
//
// It knows nothing of attributes, flags and rules: package lang makes sentences of phrases. Start
// at [Reader].
package phrase

import (
	"fmt"
	"time"

	"github.com/serin-flags/serin/ci/internal/source"
)

// A Reader reads the nodes of a file and records what is wrong with them. It is a
// value: Within returns one whose messages say more about the place.
type Reader struct {
	File  *source.File
	Place string         // prefix of messages, such as `rule "staff": `
	Local *time.Location // the estate's time zone, in which times without an offset are
	Zones *Zones         // those named so far
	again string         // see Again
}

// Within returns a reader whose messages start with the formatted text.
func (r Reader) Within(format string, args ...any) Reader {
	r.Place += fmt.Sprintf(format, args...) + ": "
	return r
}

// Again returns a reader of nodes that have been read before. It records only
// problems that weren't found then, and the formatted text comes first.
func (r Reader) Again(format string, args ...any) Reader {
	r.again = fmt.Sprintf(format, args...) + ": "
	return r
}
