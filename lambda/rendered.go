package lambda

import (
	"crypto/sha256"
	"encoding/hex"
	"sync"

	"github.com/serin-flags/serin/evaluator"
	"github.com/serin-flags/serin/sdk"
)

// maxRendered limits the bytes of answers that are kept for a revision. There are as many
// answers as flags have rules and variants, and few estates have a tenth of that.
const maxRendered = 8 << 20

// rendered are the answers of one revision that were asked for before, as JSON. An answer
// depends on nothing but the result of the evaluation, so most requests find theirs.
type rendered struct {
	snapshot   *sdk.Snapshot
	head, tail []byte // what is before and after the answers in the response for all flags

	mu    sync.RWMutex
	alone map[evaluator.Result][]byte // responses for one flag
	among map[evaluator.Result]part   // answers in the response for all flags
	size  int                         // bytes in both
}

// A part is an answer in the response for all flags.
type part struct {
	json []byte
	sum  [16]byte // of json
}

// render returns what was rendered of a snapshot.
func (h *Handler) render(snapshot *sdk.Snapshot) *rendered {
	known := h.rendered.Load()
	if known == nil || known.snapshot != snapshot {
		known = &rendered{snapshot: snapshot, alone: make(map[evaluator.Result][]byte),
			among: make(map[evaluator.Result]part)}
		known.head = append(known.head, '{')
		if h.offer != nil {
			known.head = append(append(append(known.head, `"eventStreams":`...), h.offer...), ',')
		}
		known.head = append(known.head, `"flags":[`...)
		known.tail = append(known.tail, `],"metadata":`...)
		known.tail = Answer{Environment: snapshot.Environment(),
			Revision: snapshot.Revision()}.appendMetadata(known.tail)
		known.tail = append(known.tail, '}')
		h.rendered.Store(known) // at worst another request does the same
	}
	return known
}

// one returns the response for a flag that exists. The caller must not modify it.
func (r *rendered) one(key string, result evaluator.Result) []byte {
	r.mu.RLock()
	body, ok := r.alone[result]
	r.mu.RUnlock()
	if ok {
		return body
	}
	body = Answer{Key: key, Result: result, Environment: r.snapshot.Environment(),
		Revision: r.snapshot.Revision()}.AppendJSON(nil)
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, ok := r.alone[result]; !ok && r.reserve(len(body)) { // another request may have rendered it meanwhile
		r.alone[result] = body
	}
	return body
}

// reserve counts n bytes if there is room for them, and reports that. r.mu must be locked.
func (r *rendered) reserve(n int) bool {
	if r.size+n > maxRendered {
		return false
	}
	r.size += n
	return true
}

// all appends the answers of all flags that the caller may see to parts.
func (r *rendered) all(q *question, parts []part) []part {
	parts, news := r.find(q, parts)
	if len(news) == 0 {
		return parts
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for result, p := range news {
		if _, ok := r.among[result]; !ok && r.reserve(len(p.json)) {
			r.among[result] = p
		}
	}
	return parts
}

// find is all, and returns those answers that weren't known.
func (r *rendered) find(q *question, parts []part) ([]part, map[evaluator.Result]part) {
	var news map[evaluator.Result]part
	r.mu.RLock()
	defer r.mu.RUnlock()
	for key, result := range q.snapshot.All(q.ctx) {
		if !q.sees(key) {
			continue
		}
		p, ok := r.among[result]
		if !ok {
			if news == nil {
				news = make(map[evaluator.Result]part)
			}
			p.json = Answer{Key: key, Result: result}.AppendJSON(nil)
			p.sum = hashOf(p.json)
			news[result] = p
		}
		parts = append(parts, p)
	}
	return parts, news
}

// A response is the room for a response for all flags, which later requests use again.
type response struct {
	parts []part
	body  []byte
}

// maxRoom is the size in bytes up to which a response's room is used again.
const maxRoom = 1 << 20

var responses = sync.Pool{New: func() any { return new(response) }}

// release lets later requests use the room. The response must have been written.
func (s *response) release() {
	if cap(s.body) <= maxRoom {
		clear(s.parts) // or they would keep their revision in memory
		responses.Put(s)
	}
}

// tag returns the strong entity tag of the response. It is a hash of the hashes of its
// parts, so it depends on every byte of the response, and is the same on every server.
func (s *response) tag(r *rendered) string {
	s.body = append(append(s.body[:0], r.head...), r.tail...)
	for i := range s.parts {
		s.body = append(s.body, s.parts[i].sum[:]...)
	}
	sum := hashOf(s.body)
	tag := append(make([]byte, 0, 2*len(sum)+2), '"')
	return string(append(hex.AppendEncode(tag, sum[:]), '"'))
}

// render returns the body of the response.
func (s *response) render(r *rendered) []byte {
	s.body = append(s.body[:0], r.head...)
	for i := range s.parts {
		if i > 0 {
			s.body = append(s.body, ',')
		}
		s.body = append(s.body, s.parts[i].json...)
	}
	s.body = append(s.body, r.tail...)
	return s.body
}

func hashOf(data []byte) [16]byte {
	sum := sha256.Sum256(data)
	return [16]byte(sum[:16])
}
