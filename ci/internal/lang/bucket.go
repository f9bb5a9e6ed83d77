package lang

import (
	"github.com/serin-flags/serin/ci/internal/source"
	"github.com/serin-flags/serin/evaluator"
)

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
	ok = c.Hash(n, &b) && ok
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
