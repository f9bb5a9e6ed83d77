// Package traffic compares two logs of the same requests, as package sdk/trafficlog writes
// them: that of an old version of a server, and that of a new one that got a copy of the
// traffic.
package traffic

import (
	"errors"
	"io"
	"time"
)

const (
	// DefaultMax is how many requests of each log are compared unless told otherwise.
	DefaultMax = 1_000_000
	// maxLine is the length in bytes of the longest line.
	maxLine = 64 << 10
	// maxGroups is how many routes and variants are told apart: those with the most requests.
	// The others are one group.
	maxGroups = 1000
	// maxName is the length in bytes up to which routes and variants are kept.
	maxName = 200
	// maxSample is how many differences are kept.
	maxSample = 20
)

// Options configure [Compare].
type Options struct {
	// Max is how many requests are kept in memory: about 100 bytes each, and each route and
	// variant once. If the logs have more, a random part is compared, the same of both.
	// 0: [DefaultMax].
	Max int
}

// A Report says how two logs agree.
type Report struct {
	Old    int64 `json:"old"`    // lines of each log
	New    int64 `json:"new"`    //
	Unread int64 `json:"unread"` // lines that aren't of package trafficlog, in both
	// Sampled is the part of the requests that was compared, from 0 to 1.
	Sampled float64      `json:"sampled"`
	Groups  []Group      `json:"groups"` // at most 1,001, sorted by route and variant
	Sample  []Difference `json:"sample"`
}

// A Group is the requests of a route that got the same variant, by the old version's log if they
// are in it. Requests whose route and variant are rare are the group of the route "(others)".
type Group struct {
	Route   string `json:"route"`
	Variant string `json:"variant"`
	Pairs   int64  `json:"pairs"` // in both logs
	Same    int64  `json:"same"`  // status and body
	Status  int64  `json:"status"`
	Body    int64  `json:"body"`     // the same status, and other bodies
	OnlyOld int64  `json:"only_old"` // without a counterpart
	OnlyNew int64  `json:"only_new"`
	// OldMS and NewMS are percentiles of the times in milliseconds, of pairs.
	OldMS Percentiles `json:"old_ms"`
	NewMS Percentiles `json:"new_ms"`
}

// Percentiles are those of times in milliseconds.
type Percentiles struct {
	P50 float64 `json:"p50"`
	P95 float64 `json:"p95"`
	P99 float64 `json:"p99"`
}

// A Difference is a request that both versions answered differently.
type Difference struct {
	ID        string    `json:"id"`
	Time      time.Time `json:"time"`
	Method    string    `json:"method"`
	Route     string    `json:"route"`
	OldStatus int       `json:"old_status"`
	NewStatus int       `json:"new_status"`
	OldBytes  int64     `json:"old_bytes"`
	NewBytes  int64     `json:"new_bytes"`
}

// Differences returns how many pairs differ.
func (r *Report) Differences() (differ, pairs int64) {
	for _, g := range r.Groups {
		differ, pairs = differ+g.Status+g.Body, pairs+g.Pairs
	}
	return differ, pairs
}

// line is what is read of a line.
type line struct {
	Time    time.Time `json:"time"`
	ID      string    `json:"id"`
	Method  string    `json:"method"`
	Route   string    `json:"route"`
	Variant string    `json:"variant"`
	Status  int       `json:"status"`
	Bytes   int64     `json:"bytes"`
	SHA256  string    `json:"sha256"`
	MS      float64   `json:"ms"`
}

// ErrNothing says that no request is in both logs.
var ErrNothing = errors.New("no request is in both logs: do both servers get the same X-Request-Id?")

// Compare compares the log of the old version with that of the new one. Lines that can't be
// read are counted; if all of a log are, that is an error. Of lines with the same ID only the
// first one of each log counts.
func Compare(old, new io.Reader, opts Options) (*Report, error) {
	if opts.Max <= 0 {
		opts.Max = DefaultMax
	}
	c := newComparison(opts.Max)
	if err := c.read(old, "old", &c.report.Old, c.addOld); err != nil {
		return nil, err
	}
	if err := c.read(new, "new", &c.report.New, c.addNew); err != nil {
		return nil, err
	}
	return c.finish()
}
