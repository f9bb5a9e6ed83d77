package decide

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"

	"github.com/serin-flags/serin/evaluator"
)

// An atom is a comparison of one attribute that conditions are made of.
type atom struct {
	typ  evaluator.AttributeType
	cond evaluator.Condition
	// members are the texts of a list: of OpOneOf for text, or of a segment. For
	// a segment, an integer counts as its decimal form.
	members *list
	test    func(evaluator.Value) bool
	// operands are those of a comparison of text that has no members.
	operands []operand
}

func (a *atom) isMembership() bool { return a.members != nil }

func (a *atom) holds(v evaluator.Value) bool {
	switch {
	case v.Kind() == evaluator.KindNone:
		return false
	case a.cond.Op == evaluator.OpExists:
		return true
	case a.members != nil:
		text, ok := v.Text()
		if n, isInt := v.Int(); isInt && a.cond.Op == evaluator.OpInSegment {
			text, ok = strconv.FormatInt(n, 10), true
		}
		return ok && a.members.has(text)
	case a.cond.Op == evaluator.OpInSegment: // that the value could be a member of anything
		return v.Kind() == evaluator.KindString || v.Kind() == evaluator.KindInt
	}
	return a.test(v)
}

// An operand is a text that a comparison of text names, folded if the letter case of
// the value is ignored. Where it has none, it isn't.
type operand struct {
	op   evaluator.Op // OpOneOf, OpPrefix, OpSuffix, OpContains, or OpMatches for an expression
	text string
	fold int // 1 if folded, otherwise 0
}

func newOperand(op evaluator.Op, text string, fold bool) operand {
	if fold && hasCase(text) {
		return operand{op, fold1(text), 1}
	}
	return operand{op, text, 0}
}

// operandsOf returns the operands of a comparison of text, which holds if it does for one.
func operandsOf(c *evaluator.Condition) []operand {
	var list []operand
	for _, text := range c.Strings {
		if c.Op == evaluator.OpMatches {
			list = append(list, expressionOperands(text, c.Fold)...)
		} else {
			list = append(list, newOperand(c.Op, text, c.Fold))
		}
	}
	return list
}

// A list is texts in order, each once.
type list struct{ texts []string }

func (l *list) has(text string) bool {
	_, ok := slices.BinarySearch(l.texts, text)
	return ok
}

// isLong reports whether there are too many texts to look at each.
func (l *list) isLong() bool { return len(l.texts) > maxNamed }

// A listKey tells long lists apart by where in memory they are. Flags that use one list
// share it.
type listKey struct {
	first  *string
	length int
}

// list returns a list in order.
func (c *Comparer) list(texts []string) *list {
	if len(texts) <= longKey {
		return newList(texts)
	}
	key := listKey{&texts[0], len(texts)}
	l, ok := c.lists[key]
	if !ok {
		l = newList(texts)
		c.lists[key] = l
	}
	return l
}

func newList(texts []string) *list {
	if !ascending(texts) {
		texts = slices.Compact(slices.Sorted(slices.Values(texts)))
	}
	return &list{texts}
}

func ascending(texts []string) bool {
	for i := 1; i < len(texts); i++ {
		if texts[i-1] >= texts[i] {
			return false
		}
	}
	return true
}

// longKey is the length from which on a list is known by its place in memory.
const longKey = 64

// A listDiff is the texts that only one of two lists has.
type listDiff struct {
	texts []string
	many  bool // there are more, and texts are none
}

// differ compares two lists, and remembers what came of it.
func (c *Comparer) differ(a, b *list) listDiff {
	key := [2]*list{a, b}
	d, ok := c.diffs[key]
	if !ok {
		d = differ(a.texts, b.texts)
		c.diffs[key] = d
	}
	return d
}

func differ(a, b []string) listDiff {
	var d listDiff
	for len(a) > 0 || len(b) > 0 {
		switch {
		case len(b) == 0 || len(a) > 0 && a[0] < b[0]:
			d.texts, a = append(d.texts, a[0]), a[1:]
		case len(a) == 0 || b[0] < a[0]:
			d.texts, b = append(d.texts, b[0]), b[1:]
		default:
			a, b = a[1:], b[1:]
		}
		if len(d.texts) > maxListDiff {
			return listDiff{many: true}
		}
	}
	return d
}

// atom returns the atom of a comparison of an attribute of a type.
func (c *Comparer) atom(typ evaluator.AttributeType, cond *evaluator.Condition) *atom {
	return c.keyedAtom(atomKey(typ, cond), func() *atom {
		a := &atom{typ: typ, cond: *cond}
		if cond.Op == evaluator.OpOneOf && typ == evaluator.AttrString && !cond.Fold {
			a.members = c.list(cond.Strings)
		} else if cond.Op != evaluator.OpExists {
			a.test = predicate(typ, cond)
			if typ == evaluator.AttrString {
				a.operands = operandsOf(cond)
			}
		}
		return a
	})
}

// memberAtom returns the atom for a list of a segment.
func (c *Comparer) memberAtom(texts []string) *atom {
	cond := evaluator.Condition{Op: evaluator.OpInSegment, Strings: texts}
	return c.keyedAtom(atomKey(0, &cond), func() *atom {
		return &atom{cond: evaluator.Condition{Op: evaluator.OpInSegment}, members: c.list(texts)}
	})
}

// couldBeMember returns the atom for what segments look for: text or an integer.
func (c *Comparer) couldBeMember() *atom {
	cond := evaluator.Condition{Op: evaluator.OpInSegment}
	return c.keyedAtom("could be a member", func() *atom { return &atom{cond: cond} })
}

func (c *Comparer) keyedAtom(key string, make func() *atom) *atom {
	a, ok := c.atoms[key]
	if !ok {
		a = make()
		c.atoms[key] = a
	}
	return a
}

// atomKey returns what is equal for equal comparisons, whatever the order of their
// texts.
func atomKey(typ evaluator.AttributeType, c *evaluator.Condition) string {
	b := []byte{byte(typ), byte(c.Op), 0}
	if c.Fold {
		b[2] = 1
	}
	for _, n := range c.Ints {
		b = binary.AppendVarint(b, n)
	}
	b = append(b, ':')
	if len(c.Strings) > longKey {
		return string(fmt.Appendf(b, "%p %d", &c.Strings[0], len(c.Strings)))
	}
	texts := c.Strings
	if !slices.IsSorted(texts) && c.Op != evaluator.OpIPBetween {
		texts = slices.Sorted(slices.Values(texts))
	}
	for _, s := range texts {
		b = append(binary.AppendUvarint(b, uint64(len(s))), s...)
	}
	return string(b)
}

// predicate compiles a comparison.
func predicate(typ evaluator.AttributeType, cond *evaluator.Condition) func(evaluator.Value) bool {
	holds, err := cond.Holds(typ)
	if err != nil { // of payloads that no client accepts
		return func(evaluator.Value) bool { return false }
	}
	return holds
}

// yesIf returns the flag f, which serves the variant yes where a condition holds.
func yesIf(cond *evaluator.Condition) evaluator.Flag {
	return evaluator.Flag{
		Key: "f", Type: evaluator.KindBool,
		Variants: []evaluator.Variant{{Name: "no", Value: evaluator.BoolValue(false)},
			{Name: "yes", Value: evaluator.BoolValue(true)}},
		Rules: []evaluator.Rule{{Name: "r", When: cond, Variant: 1}},
	}
}
