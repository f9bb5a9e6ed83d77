package phrase

import (
	"slices"

	"github.com/serin-flags/serin/ci/internal/problem"
	"github.com/serin-flags/serin/ci/internal/share"
	"github.com/serin-flags/serin/ci/internal/source"
	"github.com/serin-flags/serin/evaluator"
	"github.com/serin-flags/serin/internal/suggest"
)

// Share reads the share of a variant.
func (r Reader) Share(f source.Field) (portion int64, isRest, ok bool) {
	if f.Value.Kind != source.Scalar {
		r.Errorf(f.Value, "the share of %q must be a share such as 20%%, not %s", f.Key.Text, f.Value.Describe())
		return 0, false, false
	}
	if f.Value.Text == share.Rest {
		return 0, true, true
	}
	portion, err := share.Parse(f.Value.Text)
	if err != nil {
		r.Errorf(f.Value, "share %q of %q: %v", problem.Shorten(f.Value.Text), f.Key.Text, err)
		return 0, false, false
	}
	return portion, false, true
}

// PlainShare reads a share that isn't that of a variant in a split.
func (r Reader) PlainShare(n *source.Node, what string) (int64, bool) {
	if n.Kind != source.Scalar {
		r.Errorf(n, "%s is a share such as 20%%, not %s", what, n.Describe())
		return 0, false
	}
	portion, err := share.Parse(n.Text)
	if err != nil {
		r.Errorf(n, "%s %q: %v", what, problem.Shorten(n.Text), err)
	}
	return portion, err == nil
}

// Hash reads the keys "hash" and "positions" of n into b.
func (r Reader) Hash(n *source.Node, b *evaluator.Bucketing) bool {
	b.Hash = evaluator.HashMurmur3
	ok := true
	if h := n.Get("hash"); h != nil {
		known := slices.Values(evaluator.Hashes())
		if b.Hash, ok = r.Name(h, "\"hash\""); ok && !slices.Contains(evaluator.Hashes(), b.Hash) {
			r.Errorf(h, "unknown hash %q%s; the hashes are %s", problem.Shorten(b.Hash),
				suggest.DidYouMean(b.Hash, known), problem.QuotedList(known))
			ok = false
		}
	}
	if p := n.Get("positions"); p != nil && ok {
		var positions int64
		if positions, ok = r.Integer(p, "\"positions\""); !ok {
			return false
		}
		asked := evaluator.Bucketing{Hash: b.Hash, Salt: "any", Positions: uint64(max(positions, 0))}
		if err := asked.Check(); err != nil || positions < 1 {
			if err == nil {
				r.Errorf(p, "\"positions\" is at least 1")
			} else {
				r.Errorf(p, "%v", err)
			}
			return false
		}
		if own := (evaluator.Bucketing{Hash: b.Hash}); asked.Positions != own.Total() {
			b.Positions = asked.Positions
		}
	}
	return ok
}

// Exact reports whether a share comes to a whole number of positions, where there are
// few.
func (r Reader) Exact(n *source.Node, portion int64, b evaluator.Bucketing) bool {
	if share.IsExact(portion, b.Total()) {
		return true
	}
	r.Errorf(n, "the hash %q has %d positions, and %s of them is not a whole number", b.Hash, b.Total(),
		share.Format(portion))
	return false
}
