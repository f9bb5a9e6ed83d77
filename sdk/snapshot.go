package sdk

import (
	"iter"
	"math/rand/v2"
	"slices"
	"strings"
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
	payloads    []string                  // SHA-256 of each, by namespace
	flags       []*evaluator.CompiledFlag // by key
	mark        *mark
}

// A mark stands for a snapshot where keeping the snapshot itself would keep its
// memory from being freed. It has a size, so that no two have one address.
type mark struct{ _ byte }

// newSnapshot decodes and compiles a release. The release is verified, but what
// is signed may still be no valid ruleset.
func newSnapshot(r *bundle.Release) (*Snapshot, error) {
	payloads := r.Payloads()
	sums := make([]string, len(payloads))
	rulesets := make([]evaluator.Ruleset, len(payloads))
	for i, p := range payloads {
		payload, err := bundle.DecodePayload(p.Data)
		if err != nil {
			return nil, refuse(p.Namespace, err)
		}
		sums[i], rulesets[i] = p.SHA256, payload.Ruleset
	}
	program, err := evaluator.Compile(rulesets...)
	if err != nil {
		return nil, refuse("flags", err)
	}
	keys := program.Keys()
	flags := make([]*evaluator.CompiledFlag, len(keys))
	for i, key := range keys {
		flags[i] = program.Flag(key)
	}
	return &Snapshot{
		environment: r.Environment(),
		revision:    r.Revision(),
		program:     program,
		payloads:    sums,
		flags:       flags,
		mark:        new(mark),
	}, nil
}

// same reports whether a release has the content of s. The revision alone doesn't
// say so: after a compromise a new root may have the numbers start over.
func (s *Snapshot) same(r *bundle.Release) bool {
	return s != nil && s.revision == r.Revision() &&
		slices.EqualFunc(s.payloads, r.Payloads(), func(sum string, p bundle.VerifiedPayload) bool {
			return sum == p.SHA256
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

// find returns where in s.flags the flag called key stands.
func (s *Snapshot) find(key string) (index uint32, ok bool) {
	i, ok := slices.BinarySearchFunc(s.flags, key, func(f *evaluator.CompiledFlag, key string) int {
		return strings.Compare(f.Key(), key)
	})
	return uint32(i), ok
}

// Evaluate returns the answer of the flag called key, for programs that learn
// the names of flags while they run; a [Flag] is quicker and typed. If there is
// no such flag the result has [evaluator.ReasonError].
func (s *Snapshot) Evaluate(key string, ctx Context) evaluator.Result {
	return evaluate(s.Program().Flag(key), ctx)
}

// All yields every flag by its key in ascending order, and what ctx is served:
// for many flags that is several times quicker than to ask for one by one.
func (s *Snapshot) All(ctx Context) iter.Seq2[string, evaluator.Result] {
	return func(yield func(string, evaluator.Result) bool) {
		if ctx.Now == 0 {
			ctx.Now = time.Now().Unix()
		}
		for flag, result := range s.Program().All(ctx) {
			if flag.UsesChance() { // each has a draw of its own
				result = evaluate(flag, ctx)
			}
			if !yield(flag.Key(), result) {
				return
			}
		}
	}
}

// evaluate evaluates a flag by the time and a draw, if it depends on them.
func evaluate(flag *evaluator.CompiledFlag, ctx Context) evaluator.Result {
	if flag != nil && flag.Varies() {
		vary(&ctx)
	}
	return flag.Evaluate(ctx)
}

// vary is the one place where time and chance enter.
func vary(ctx *Context) {
	ctx.Chance = rand.Uint32()
	if ctx.Now == 0 {
		ctx.Now = time.Now().Unix()
	}
}
