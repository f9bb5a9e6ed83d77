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
	"maps"
	"math"
	"slices"
	"strings"
)

// A comparison is one call of [Compare].
type comparison struct {
	report   Report
	max      int // of entries
	seed     maphash.Seed
	below    uint64                   // hashes of IDs from here on aren't compared
	requests map[uint64]*request      // by the hash of the ID
	names    map[[2]string]*[2]string // of the requests, so that each is in memory once
	sampled  []uint64                 // the hashes of the IDs in report.Sample
}

// A request is what is kept of the lines with an ID.
type request struct {
	name         *[2]string // the route and the variant
	body         uint64     // of the old line, as by comparison.body
	bytes        int64      // of the old line
	oldMS, newMS float32
	status       int32 // of the old line
	outcome      outcome
}

// An outcome is in which logs a request is, and how the answers compare.
type outcome int8

const (
	onlyOld outcome = iota
	onlyNew
	same
	otherStatus
	otherBody
)

func newComparison(max int) *comparison {
	return &comparison{max: max, seed: maphash.MakeSeed(), below: math.MaxUint64, requests: make(map[uint64]*request),
		names: make(map[[2]string]*[2]string)}
}

// read calls add with the lines of a log that can be read, and with the hashes of their IDs.
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
				if id := maphash.String(c.seed, l.ID); id < c.below {
					add(&l, id)
				}
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
	if c.requests[id] == nil {
		c.add(id, l, request{body: c.body(l), bytes: l.Bytes, oldMS: float32(l.MS), status: int32(l.Status),
			outcome: onlyOld})
	}
}

// addNew compares a line of the new log with its counterpart.
func (c *comparison) addNew(l *line, id uint64) {
	r := c.requests[id]
	switch {
	case r == nil:
		c.add(id, l, request{outcome: onlyNew})
		return
	case r.outcome != onlyOld: // a line before had this ID
		return
	}
	r.newMS = float32(l.MS)
	body := c.body(l)
	switch {
	case int(r.status) != l.Status:
		r.outcome = otherStatus
	case r.body != body && r.body != 0 && body != 0:
		r.outcome = otherBody
	default:
		r.outcome = same
		return
	}
	if len(c.sampled) < maxSample {
		c.sampled = append(c.sampled, id)
		c.report.Sample = append(c.report.Sample,
			Difference{l.ID, l.Time, l.Method, l.Route, int(r.status), l.Status, r.bytes, l.Bytes})
	}
}

// body returns what the bodies of two lines are compared by: a hash of the SHA-256, or 0 if the
// line has none.
func (c *comparison) body(l *line) uint64 {
	if l.SHA256 == "" {
		return 0
	}
	return max(1, maphash.String(c.seed, l.SHA256))
}

// add keeps a request. If there are too many, half of all IDs aren't compared any more.
func (c *comparison) add(id uint64, l *line, r request) {
	name := [2]string{cut(l.Route), cut(l.Variant)}
	if c.names[name] == nil {
		c.names[name] = &name
	}
	r.name = c.names[name]
	if c.requests[id] = &r; len(c.requests) <= c.max {
		return
	}
	for len(c.requests) > c.max {
		c.below /= 2
		maps.DeleteFunc(c.requests, func(id uint64, _ *request) bool { return id >= c.below })
	}
	clear(c.names)
	for _, r := range c.requests {
		c.names[*r.name] = r.name
	}
	sample := c.report.Sample
	c.report.Sample = nil
	for i, id := range c.sampled {
		if id < c.below {
			c.report.Sample = append(c.report.Sample, sample[i])
		}
	}
	c.sampled = slices.DeleteFunc(c.sampled, func(id uint64) bool { return id >= c.below })
}

// cut cuts a text, so that the rest isn't kept in memory.
func cut(s string) string {
	if len(s) > maxName {
		return strings.Clone(s[:maxName])
	}
	return s
}

// finish returns the report.
func (c *comparison) finish() (*Report, error) {
	groups := c.groups()
	slices.SortFunc(groups, func(a, b *group) int {
		return cmp.Or(cmp.Compare(a.Route, b.Route), cmp.Compare(a.Variant, b.Variant))
	})
	pairs := int64(0)
	for _, g := range groups {
		g.OldMS, g.NewMS = percentiles(g.oldTimes), percentiles(g.newTimes)
		c.report.Groups = append(c.report.Groups, g.Group)
		pairs += g.Pairs
	}
	if pairs == 0 {
		return nil, ErrNothing
	}
	c.report.Sampled = float64(c.below) / math.MaxUint64
	return &c.report, nil
}

// A group is a [Group] with the times of its pairs.
type group struct {
	Group
	oldTimes, newTimes []float32
}

// groups returns the groups of the requests.
func (c *comparison) groups() []*group {
	sizes := make(map[*[2]string]int)
	for _, r := range c.requests {
		sizes[r.name]++
	}
	names := slices.SortedFunc(maps.Keys(sizes), func(a, b *[2]string) int {
		return cmp.Or(cmp.Compare(sizes[b], sizes[a]), slices.Compare(a[:], b[:]))
	})
	var groups []*group
	by := make(map[*[2]string]*group)
	for i, name := range names {
		switch {
		case i < maxGroups:
			groups = append(groups, &group{Group: Group{Route: name[0], Variant: name[1]}})
		case i == maxGroups:
			groups = append(groups, &group{Group: Group{Route: "(others)"}})
		}
		by[name] = groups[len(groups)-1]
	}
	for _, r := range c.requests {
		by[r.name].count(r)
	}
	return groups
}

func (g *group) count(r *request) {
	switch r.outcome {
	case onlyOld:
		g.OnlyOld++
		return
	case onlyNew:
		g.OnlyNew++
		return
	case same:
		g.Same++
	case otherStatus:
		g.Status++
	case otherBody:
		g.Body++
	}
	g.Pairs++
	g.oldTimes, g.newTimes = append(g.oldTimes, r.oldMS), append(g.newTimes, r.newMS)
}

// percentiles sorts times, and returns their percentiles: of n times the one of rank
// ⌈n·p⌉ (the nearest-rank method).
func percentiles(times []float32) (p Percentiles) {
	if len(times) == 0 {
		return p
	}
	slices.Sort(times)
	at := func(q float64) float64 { return float64(times[int(math.Ceil(q*float64(len(times))))-1]) }
	return Percentiles{at(0.5), at(0.95), at(0.99)}
}
