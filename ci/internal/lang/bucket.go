package lang

import (
	"slices"

	"github.com/serin-flags/serin/ci/internal/problem"
	"github.com/serin-flags/serin/ci/internal/share"
	"github.com/serin-flags/serin/ci/internal/source"
	"github.com/serin-flags/serin/evaluator"
	"github.com/serin-flags/serin/internal/suggest"
)

// hash reads the keys "hash" and "positions" of n into b.
func (c Checker) hash(n *source.Node, b *evaluator.Bucketing) bool {
	b.Hash = evaluator.HashMurmur3
	ok := true
	if h := n.Get("hash"); h != nil {
		known := slices.Values(evaluator.Hashes())
		if b.Hash, ok = c.Name(h, "\"hash\""); ok && !slices.Contains(evaluator.Hashes(), b.Hash) {
			c.Errorf(h, "unknown hash %q%s; the hashes are %s", problem.Shorten(b.Hash),
				suggest.DidYouMean(b.Hash, known), problem.QuotedList(known))
			ok = false
		}
	}
	if p := n.Get("positions"); p != nil && ok {
		var positions int64
		if positions, ok = c.Integer(p, "\"positions\""); !ok {
			return false
		}
		asked := evaluator.Bucketing{Hash: b.Hash, Salt: "any", Positions: uint64(max(positions, 0))}
		if err := asked.Check(); err != nil || positions < 1 {
			if err == nil {
				c.Errorf(p, "\"positions\" is at least 1")
			} else {
				c.Errorf(p, "%v", err)
			}
			return false
		}
		if own := (evaluator.Bucketing{Hash: b.Hash}); asked.Positions != own.Total() {
			b.Positions = asked.Positions
		}
	}
	return ok
}

// exact reports whether a share comes to a whole number of positions, where there are
// few.
func (c Checker) exact(n *source.Node, portion int64, b evaluator.Bucketing) bool {
	if share.IsExact(portion, b.Total()) {
		return true
	}
	c.Errorf(n, "the hash %q has %d positions, and %s of them is not a whole number", b.Hash, b.Total(),
		share.Format(portion))
	return false
}

// bucket reads "bucket": the unit's position is from ≤ position < to.
func (c Checker) bucket(a *Attribute, f source.Field) (cond evaluator.Condition, ok bool) {
	cond = evaluator.Condition{Op: evaluator.OpBucket, Attribute: a.Name}
	n := f.Value
	if !c.Keys(n, "\"bucket\"", "hash", "salt", "positions", "from", "to") ||
		!c.Required(n, "\"bucket\"", "salt", "from", "to") {
		return cond, false
	}
	var b evaluator.Bucketing
	salt, ok := c.Name(n.Get("salt"), "\"salt\"")
	ok = c.hash(n, &b) && ok
	from, fine := c.Integer(n.Get("from"), "\"from\"")
	to, good := c.Integer(n.Get("to"), "\"to\"")
	if !ok || !fine || !good {
		return cond, false
	}
	cond.Strings, cond.Ints = []string{b.Hash, salt}, []int64{int64(b.Positions), from, to}
	if !c.check(n, a, cond) {
		return cond, false
	}
	if !a.Unit {
		c.Errorf(f.Key, "attribute %q is not declared with unit: true in %s%s", a.Name, c.Known.contextPath,
			c.otherUnits())
	}
	return cond, a.Unit
}
