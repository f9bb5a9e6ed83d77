package sdk

import (
	"iter"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/serin-flags/serin/bundle"
	"github.com/serin-flags/serin/evaluator"
)

// A Snapshot is one complete revision of the flags, as a [Client] serves it. It is
// immutable and safe for concurrent use. A client has a nil Snapshot before its first
// revision; its methods work and find no flags.
//
// Take answers that must be consistent, such as all flags for one request, from one
// Snapshot.
type Snapshot struct {
	environment string
	revision    int64
	program     *evaluator.Program
	payloads    []*compiledPayload        // by namespace
	flags       []*evaluator.CompiledFlag // by key, and nil
	// number identifies the Snapshot in this process between two polls; it isn't 0.
	// A [Flag] stores it, because a pointer would keep the Snapshot's memory alive.
	number atomic.Uint32
	clock  bool // some flag depends on the time or on the age of the flags

	record   *record // of the client
	asked    bits    // flags that a handle has evaluated, by index in flags
	mistyped bits    // flags that a handle of another type has evaluated

	inspected bits // flags whose contexts were inspected since the last poll; one more for the rest
	found     findings
}

// numbers counts the Snapshots of this process.
var numbers atomic.Uint32

// newSnapshot decodes and compiles a release. The release is verified, but a signed
// ruleset may still be invalid. Payloads that before has too aren't compiled again;
// before may be nil. guard is called concurrently.
func newSnapshot(r *bundle.Release, before *Snapshot, record *record, guard guard) (*Snapshot, error) {
	payloads := r.Payloads()
	modules, err := before.modules(payloads, guard)
	if err != nil {
		return nil, err
	}
	program, err := evaluator.Link(modules...)
	if err != nil {
		return nil, refuse("flags", err)
	}
	flags := slices.AppendSeq(make([]*evaluator.CompiledFlag, 0, program.Len()+1), program.Flags())
	s := &Snapshot{
		environment: r.Environment(),
		revision:    r.Revision(),
		program:     program,
		payloads:    make([]*compiledPayload, len(payloads)),
		flags:       append(flags, nil),
		record:      record,
		asked:       newBits(program.Len()),
		mistyped:    newBits(program.Len()),
		inspected:   newBits(program.Len() + 1),
	}
	s.number.Store(numbers.Add(1))
	s.clock = slices.ContainsFunc(s.flags[:program.Len()],
		func(f *evaluator.CompiledFlag) bool { return f.UsesTime() || f.UsesAge() })
	for i, p := range payloads {
		if s.payloads[i] = before.payload(p.SHA256); s.payloads[i] == nil {
			s.payloads[i] = &compiledPayload{sha256: p.SHA256, namespace: p.Namespace, public: p.Public(),
				module: modules[i], data: p.Data}
		}
	}
	return s, nil
}

// same reports whether two releases have the same content. Comparing revisions isn't
// enough: after a key compromise a new root may restart the numbers.
func same(a, b *bundle.Release) bool {
	return a.Revision() == b.Revision() &&
		slices.EqualFunc(a.Payloads(), b.Payloads(), func(p, q bundle.VerifiedPayload) bool {
			return p.SHA256 == q.SHA256
		})
}

// refuse returns the error for a release that is verified but can't be served.
func refuse(object string, err error) error {
	return &bundle.Error{Class: bundle.Malformed, Object: object, Err: err}
}

// Environment returns the environment of the flags, "" if s is nil.
func (s *Snapshot) Environment() string {
	if s == nil {
		return ""
	}
	return s.environment
}

// Revision returns the number of the revision, 0 if s is nil. It grows whenever the
// content of any flag changes. Only a new root, such as after a key compromise, may
// restart the numbers.
func (s *Snapshot) Revision() int64 {
	if s == nil {
		return 0
	}
	return s.revision
}

// Program returns the compiled flags, nil if s is nil.
func (s *Snapshot) Program() *evaluator.Program {
	if s == nil {
		return nil
	}
	return s.program
}

// Namespace returns the namespace of the flag named key, and whether anybody may read the
// flags in it, as serin.yaml says ("public"). If there is no such flag, the name is empty.
func (s *Snapshot) Namespace(key string) (name string, public bool) {
	if flag := s.Program().Flag(key); flag != nil {
		for _, p := range s.payloads {
			if p.module == flag.Module() {
				return p.namespace, p.public
			}
		}
	}
	return "", false
}

// find returns the index in s.flags of the flag named key. If there is none, that is
// the index of the nil at the end.
func (s *Snapshot) find(key string) (index uint32) {
	n := s.program.Len()
	i, ok := slices.BinarySearchFunc(s.flags[:n], key, func(f *evaluator.CompiledFlag, key string) int {
		return strings.Compare(f.Key(), key)
	})
	if !ok {
		i = n
	}
	return uint32(i)
}

// Evaluate evaluates the flag named key. It is for programs that learn the names of
// flags at run time; a [Flag] is faster and typed. If there is no such flag, the
// result has [evaluator.ReasonError].
func (s *Snapshot) Evaluate(key string, ctx Context) evaluator.Result {
	flag := s.Program().Flag(key)
	if s != nil {
		s.sample(&ctx)
		if flag == nil {
			s.lacksNamed(key)
		}
	}
	if flag != nil && flag.Varies() {
		s.fillIn(flag, &ctx)
	}
	return flag.Evaluate(&ctx)
}

// Explain evaluates the flag named key and records everything that led to the answer:
// each rule and condition, and the values they saw. It is for people who investigate
// a case, and is much slower than [Snapshot.Evaluate]. A flag that splits by chance
// is drawn again. If there is no such flag, the trace has [evaluator.ReasonError].
func (s *Snapshot) Explain(key string, ctx Context) evaluator.Trace {
	flag := s.Program().Flag(key)
	if flag != nil && flag.Varies() {
		s.fillIn(flag, &ctx)
	}
	return flag.Explain(&ctx)
}

// All evaluates all flags for ctx, and yields them sorted by key. For many flags this
// is several times faster than evaluating one by one.
func (s *Snapshot) All(ctx Context) iter.Seq2[string, evaluator.Result] {
	return func(yield func(string, evaluator.Result) bool) {
		if s == nil {
			return
		}
		ctx, now := ctx, time.Now()
		s.sample(&ctx)
		if ctx.Now == 0 {
			ctx.Now = now.Unix()
		}
		if ctx.Age == 0 {
			ctx.Age = s.record.age(now)
		}
		for flag, result := range s.Program().All(&ctx) {
			if flag.UsesChance() { // draw for each flag separately
				own := ctx
				s.fillIn(flag, &own)
				result = flag.Evaluate(&own)
			}
			if !yield(flag.Key(), result) {
				return
			}
		}
	}
}

// fillIn sets the inputs that the flag uses and the caller doesn't provide: the time,
// the age and a random number. They enter evaluation nowhere else, except in All.
func (s *Snapshot) fillIn(flag *evaluator.CompiledFlag, ctx *Context) {
	if flag.UsesChance() {
		ctx.Chance = rand.Uint32()
	}
	if flag.UsesTime() && ctx.Now == 0 {
		ctx.Now = time.Now().Unix()
	}
	if flag.UsesAge() && ctx.Age == 0 {
		ctx.Age = s.record.age(time.Now())
	}
}
