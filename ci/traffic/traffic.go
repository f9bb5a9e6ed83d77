// Package traffic compares two logs of the same requests, as package sdk/trafficlog writes
// them: that of an old version of a server, and that of a new one that got a copy of the
// traffic.
package traffic

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"math"
	"slices"
	"time"
)

const (
	// DefaultMax is how many requests of each log are compared unless told otherwise.
	DefaultMax = 1_000_000
	// maxLine is the length in bytes of the longest line.
	maxLine = 64 << 10
	// maxGroups is how many routes and variants are told apart. The others are one group.
	maxGroups = 1000
	// maxSample is how many differences are kept.
	maxSample = 20
)

// Options configure [Compare].
type Options struct {
	// Max is how many requests of each log are kept in memory, about 100 bytes each. If there
	// are more, a random part is compared, the same of both logs. 0: [DefaultMax].
	Max int
}

// A Report says how two logs agree.
type Report struct {
	Old    int64 `json:"old"`    // lines of each log
	New    int64 `json:"new"`    //
	Unread int64 `json:"unread"` // lines that aren't of package trafficlog, in both
	// Sampled is the part of the requests that was compared, from 0 to 1.
	Sampled float64      `json:"sampled"`
	Groups  []Group      `json:"groups"` // sorted by route and variant
	Sample  []Difference `json:"sample"`
}

// A Group is the requests of a route that got the same variant.
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

	oldTimes, newTimes []float32
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

// An entry is what is kept of a line of the old log.
type entry struct {
	body   uint64 // a hash of the SHA-256; 0: there was none
	bytes  int64
	ms     float32
	status int32
	group  int32
}

// ErrNothing says that no request is in both logs.
var ErrNothing = errors.New("no request is in both logs: do both servers get the same X-Request-Id?")

// Compare compares the log of the old version with that of the new one. Lines that can't be
// read are counted; if all of a log are, that is an error. Requests that occur twice in a log
// count once.
func Compare(old, new io.Reader, opts Options) (*Report, error) {
	c := &comparison{max: opts.Max, seed: maphash.MakeSeed(), below: math.MaxUint64, entries: make(map[uint64]entry), index: make(map[[2]string]int32)}
	if c.max <= 0 {
		c.max = DefaultMax
	}
	if err := c.read(old, "old", &c.report.Old, c.addOld); err != nil {
		return nil, err
	}
	if err := c.read(new, "new", &c.report.New, c.addNew); err != nil {
		return nil, err
	}
	return c.finish()
}

// A comparison is one call of [Compare].
type comparison struct {
	report  Report
	max     int
	seed    maphash.Seed
	below   uint64 // hashes of IDs from here on aren't compared
	entries map[uint64]entry
	met     int // pairs so far
	index   map[[2]string]int32
	groups  []Group
	seen    map[uint64]bool // IDs of the new log
}

// read calls add with the lines of a log that can be read.
func (c *comparison) read(from io.Reader, name string, count *int64, add func(*line, uint64)) error {
	r := bufio.NewReaderSize(from, maxLine)
	read := int64(0)
	for number := 1; ; number++ {
		text, err := r.ReadSlice('\n')
		if errors.Is(err, bufio.ErrBufferFull) {
			return fmt.Errorf("the %s log, line %d: it is longer than %d bytes", name, number, maxLine)
		}
		if text = bytes.TrimSpace(text); len(text) > 0 {
			*count++
			var l line
			if json.Unmarshal(text, &l) != nil || l.ID == "" || l.Status == 0 {
				c.report.Unread++
			} else {
				read++
				add(&l, maphash.String(c.seed, l.ID))
			}
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return fmt.Errorf("reading the %s log: %w", name, err)
		}
	}
	if read == 0 {
		return fmt.Errorf("the %s log has no line with an id and a status, such as package trafficlog writes", name)
	}
	return nil
}

// addOld keeps a line of the old log.
func (c *comparison) addOld(l *line, id uint64) {
	if id >= c.below {
		return
	}
	c.entries[id] = entry{c.body(l), l.Bytes, float32(l.MS), int32(l.Status), c.group(l)}
	for len(c.entries) > c.max {
		c.below /= 2
		for id := range c.entries {
			if id >= c.below {
				delete(c.entries, id)
			}
		}
	}
}

// body returns what the bodies of two lines are compared by.
func (c *comparison) body(l *line) uint64 {
	if l.SHA256 == "" {
		return 0
	}
	return max(1, maphash.String(c.seed, l.SHA256))
}

// group returns the index of a line's group.
func (c *comparison) group(l *line) int32 {
	key := [2]string{l.Route, l.Variant}
	if _, known := c.index[key]; !known && len(c.groups) >= maxGroups {
		key = [2]string{"(others)", ""}
	}
	i, ok := c.index[key]
	if !ok {
		i = int32(len(c.groups))
		c.index[key] = i
		c.groups = append(c.groups, Group{Route: key[0], Variant: key[1]})
	}
	return i
}

// addNew compares a line of the new log with its counterpart, which is removed.
func (c *comparison) addNew(l *line, id uint64) {
	if id >= c.below {
		return
	}
	if c.seen == nil {
		c.seen = make(map[uint64]bool)
	}
	if c.seen[id] {
		return
	}
	if len(c.seen) < c.max {
		c.seen[id] = true
	}
	old, ok := c.entries[id]
	if !ok {
		c.groups[c.group(l)].OnlyNew++
		return
	}
	delete(c.entries, id)
	c.met++
	g := &c.groups[old.group] // the old version's route and variant
	g.Pairs++
	g.oldTimes, g.newTimes = append(g.oldTimes, old.ms), append(g.newTimes, float32(l.MS))
	body := c.body(l)
	switch {
	case int(old.status) != l.Status:
		g.Status++
	case old.body != body && old.body != 0 && body != 0:
		g.Body++
	default:
		g.Same++
		return
	}
	if len(c.report.Sample) < maxSample {
		c.report.Sample = append(c.report.Sample, Difference{l.ID, l.Time, l.Method, l.Route, int(old.status), l.Status, old.bytes, l.Bytes})
	}
}

// finish counts what has no counterpart, and returns the report.
func (c *comparison) finish() (*Report, error) {
	if c.met == 0 {
		return nil, ErrNothing
	}
	for _, e := range c.entries {
		c.groups[e.group].OnlyOld++
	}
	for i := range c.groups {
		g := &c.groups[i]
		g.OldMS, g.NewMS = percentiles(g.oldTimes), percentiles(g.newTimes)
	}
	slices.SortFunc(c.groups, func(a, b Group) int {
		return cmp.Or(cmp.Compare(a.Route, b.Route), cmp.Compare(a.Variant, b.Variant))
	})
	c.report.Groups = c.groups
	c.report.Sampled = float64(c.below) / math.MaxUint64
	return &c.report, nil
}

// percentiles sorts times, and returns their percentiles: of n times the one of rank
// ⌈n·p⌉ (the nearest-rank method).
func percentiles(times []float32) (p Percentiles) {
	if len(times) == 0 {
		return p
	}
	slices.Sort(times)
	at := func(q float64) float64 { return float64(times[max(0, int(math.Ceil(q*float64(len(times))))-1)]) }
	return Percentiles{at(0.5), at(0.95), at(0.99)}
}
