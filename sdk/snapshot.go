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

// A Snapshot is one whole revision of the flags, as a [Client] serves it. It is
// immutable and safe for concurrent use. Its methods may be called on a nil
// Snapshot, which has no flags: that is what a client has before its first
// revision.
//
// Answers that must belong together, such as all flags for one request, are
// taken from one Snapshot.
type Snapshot struct {
	environment string
	revision    int64
	program     *evaluator.Program
	payloads    []*compiledPayload        // by namespace
	flags       []*evaluator.CompiledFlag // by key, and nil
	// number is another for every Snapshot of the process, and not 0. A
	// [Flag] remembers it where keeping the Snapshot itself would keep its
	// memory from being freed.
	number uint32

	record   *record // of the client
	asked    bits    // flags that a handle has asked for, by index in flags
	mistyped bits    // flags that a handle of another type has asked for
}

// numbers is how many Snapshots there were in this process.
var numbers atomic.Uint32

// newSnapshot decodes and compiles a release. The release is verified, but what
// is signed may still be no valid ruleset. What before, which may be nil, has of
// it is used again. guard is called by several goroutines at a time.
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
	s := &Snapshot{
		environment: r.Environment(),
		revision:    r.Revision(),
		program:     program,
		payloads:    make([]*compiledPayload, len(payloads)),
		flags:       append(slices.AppendSeq(make([]*evaluator.CompiledFlag, 0, program.Len()+1), program.Flags()), nil),
		number:      numbers.Add(1),
		record:      record,
		asked:       newBits(program.Len()),
		mistyped:    newBits(program.Len()),
	}
	for i, p := range payloads {
		if s.payloads[i] = before.payload(p.SHA256); s.payloads[i] == nil {
			s.payloads[i] = &compiledPayload{sha256: p.SHA256, module: modules[i], data: p.Data}
		}
	}
	return s, nil
}

// same reports whether two releases have the same content. The revision alone doesn't
// say so: after a compromise a new root may have the numbers start over.
func same(a, b *bundle.Release) bool {
	return a.Revision() == b.Revision() &&
		slices.EqualFunc(a.Payloads(), b.Payloads(), func(p, q bundle.VerifiedPayload) bool {
			return p.SHA256 == q.SHA256
		})
}

// refuse returns the error of a release that is verified but can't be served.
func refuse(object string, err error) error {
	return &bundle.Error{Class: bundle.Malformed, Object: object, Err: err}
}

// Environment returns the environment that the flags are for, "" if s is nil.
func (s *Snapshot) Environment() string {
	if s == nil {
		return ""
	}
	return s.environment
}

// Revision returns the number of the revision, which grows whenever the content
// of any flag changes. Only a new root, as is made after a compromise of keys, may
// have the numbers start over. 0 if s is nil.
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

// find returns where in s.flags the flag called key stands: at the end, where nil
// is, if there is none.
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

// Evaluate returns the answer of the flag called key, for programs that learn
// the names of flags while they run; a [Flag] is quicker and typed. If there is
// no such flag the result has [evaluator.ReasonError].
func (s *Snapshot) Evaluate(key string, ctx Context) evaluator.Result {
	flag := s.Program().Flag(key)
	if flag != nil && flag.Varies() {
		s.fillIn(flag, &ctx)
	}
	return flag.Evaluate(&ctx)
}

// Explain returns the answer of the flag called key and everything that led to
// it: each rule and condition, and what they saw. It is for people who look into
// a case, and takes far longer than [Snapshot.Evaluate]. Of flags by chance it
// has a draw of its own. If there is no such flag the trace has
// [evaluator.ReasonError].
func (s *Snapshot) Explain(key string, ctx Context) evaluator.Trace {
	flag := s.Program().Flag(key)
	if flag != nil && flag.Varies() {
		s.fillIn(flag, &ctx)
	}
	return flag.Explain(&ctx)
}

// All yields every flag by its key in ascending order, and what ctx is served:
// for many flags that is several times quicker than to ask for one by one.
func (s *Snapshot) All(ctx Context) iter.Seq2[string, evaluator.Result] {
	return func(yield func(string, evaluator.Result) bool) {
		if s == nil {
			return
		}
		ctx, now := ctx, time.Now()
		if ctx.Now == 0 {
			ctx.Now = now.Unix()
		}
		if ctx.Age == 0 {
			ctx.Age = s.record.age(now)
		}
		for flag, result := range s.Program().All(&ctx) {
			if flag.UsesChance() { // each has a draw of its own
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

// vary is the one place where time, age and chance enter.
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
