package evaluator

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"strings"
)

// A version is a semantic version without build metadata, which precedence ignores.
type version struct {
	major, minor, patch uint64
	pre                 string // "" for a release
}

// parseVersion parses a version of Semantic Versioning 2.0. A missing minor or patch
// version, which app stores allow, counts as 0.
func parseVersion(s string) (version, bool) {
	s, build, hasBuild := strings.Cut(s, "+")
	s, pre, hasPre := strings.Cut(s, "-")
	if hasBuild && !validIdentifiers(build, false) || hasPre && !validIdentifiers(pre, true) {
		return version{}, false
	}
	v := version{pre: pre}
	for _, part := range []*uint64{&v.major, &v.minor, &v.patch} {
		var text string
		var more bool
		text, s, more = strings.Cut(s, ".")
		n, ok := parseNumeric(text)
		if !ok {
			return version{}, false
		}
		*part = n
		if !more {
			return v, true
		}
	}
	return version{}, false // a fourth part
}

// maxPart is the smallest part of a version that order doesn't distinguish from larger ones.
const maxPart = 1<<21 - 1

// order returns a number that compares like the version, except to versions that have a part
// of maxPart or more as well, and to other pre-releases of the same release.
func (v version) order() uint64 {
	switch {
	case v.major >= maxPart:
		return math.MaxUint64
	case v.minor >= maxPart:
		v.minor, v.patch, v.pre = maxPart, maxPart, ""
	case v.patch >= maxPart:
		v.patch, v.pre = maxPart, ""
	}
	order := v.major<<43 | v.minor<<22 | v.patch<<1
	if v.pre == "" { // after its pre-releases
		order++
	}
	return order
}

// parseOrder returns the order of the version s, and whether s is a version.
func parseOrder(s string) (order uint64, ok bool) {
	// Fast path for three numbers.
	var parts [3]uint64
	part, digits := 0, 0
	for i := range len(s) {
		// Up to six digits keep each part below maxPart, and a part that is 0 has just one digit.
		switch c := s[i]; {
		case isDigit(c) && digits < 6 && (digits == 0 || parts[part] > 0):
			parts[part] = parts[part]*10 + uint64(c-'0')
			digits++
		case c == '.' && digits > 0 && part < 2:
			part++
			digits = 0
		case c == 'v' && i == 0:
			return 0, false
		default:
			v, ok := parseVersion(s)
			return v.order(), ok
		}
	}
	return parts[0]<<43 | parts[1]<<22 | parts[2]<<1 | 1, digits > 0
}

// orderOf is parseOrder for a value of an attribute. It may begin with "v" if v is set.
func orderOf(text string, v bool) (order uint64, ok bool) {
	order, ok = parseOrder(text)
	if !ok && v {
		order, ok = parseOrder(withoutV(text))
	}
	return order, ok
}

// parseNumeric parses a decimal number without sign and leading zeros.
func parseNumeric(s string) (uint64, bool) {
	if s == "" || len(s) > 19 || len(s) > 1 && s[0] == '0' {
		return 0, false
	}
	var n uint64
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		n = n*10 + uint64(s[i]-'0')
	}
	return n, true
}

// validIdentifiers reports whether s is a dot-separated list of non-empty
// identifiers; in a pre-release, numeric ones may not have leading zeros.
func validIdentifiers(s string, pre bool) bool {
	for more := true; more; {
		var id string
		if id, s, more = strings.Cut(s, "."); id == "" {
			return false
		}
		for i := range len(id) {
			if !isDigit(id[i]) && !isLetter(id[i]) && id[i] != '-' {
				return false
			}
		}
		if pre && len(id) > 1 && id[0] == '0' && isNumeric(id) {
			return false
		}
	}
	return true
}

func isDigit(c byte) bool  { return '0' <= c && c <= '9' }
func isLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }

// isNumeric reports whether s consists of digits. It is true for the empty string.
func isNumeric(s string) bool {
	for i := range len(s) {
		if !isDigit(s[i]) {
			return false
		}
	}
	return true
}

// compare orders versions by precedence, Semantic Versioning 2.0 §11.
func (v version) compare(w version) int {
	if c := cmp.Compare(v.major, w.major); c != 0 {
		return c
	}
	if c := cmp.Compare(v.minor, w.minor); c != 0 {
		return c
	}
	if c := cmp.Compare(v.patch, w.patch); c != 0 {
		return c
	}
	switch {
	case v.pre == w.pre:
		return 0
	case v.pre == "": // a release comes after its pre-releases
		return 1
	case w.pre == "":
		return -1
	}
	return comparePre(v.pre, w.pre)
}

// comparePre orders pre-releases by their identifiers from left to right. If one is a prefix of the
// other, the shorter one comes first.
func comparePre(a, b string) int {
	for {
		idA, restA, moreA := strings.Cut(a, ".")
		idB, restB, moreB := strings.Cut(b, ".")
		if c := compareIdentifier(idA, idB); c != 0 {
			return c
		}
		switch {
		case !moreA && !moreB:
			return 0
		case !moreA:
			return -1
		case !moreB:
			return 1
		}
		a, b = restA, restB
	}
}

// compareIdentifier compares numeric identifiers as numbers, others by ASCII;
// numeric ones come first.
func compareIdentifier(a, b string) int {
	numA, numB := isNumeric(a), isNumeric(b)
	switch {
	case numA && numB && len(a) != len(b): // no leading zeros: longer is larger
		return cmp.Compare(len(a), len(b))
	case numA != numB && numA:
		return -1
	case numA != numB:
		return 1
	}
	return cmp.Compare(a, b)
}

// A comparator is one comparison of a version constraint.
type comparator struct {
	op string // one of "=", "<", "<=", ">", ">="
	v  version
}

// holds reports whether v satisfies the comparison. Precedence ignores build metadata, so "=" holds
// for all builds of a version.
func (c comparator) holds(v version) bool {
	order := v.compare(c.v)
	switch c.op {
	case "<":
		return order < 0
	case "<=":
		return order <= 0
	case ">":
		return order > 0
	case ">=":
		return order >= 0
	}
	return order == 0
}

// An interval is the range of the orders of all versions that satisfy a constraint.
type interval struct {
	lo, hi uint64
	text   string // the constraint
}

// has reports whether a version with this order satisfies the constraint.
func (i *interval) has(order uint64) bool { return bit(i.lo <= order)&bit(order <= i.hi) != 0 }

// newInterval returns the interval of a constraint. ok is false if orders can't decide which
// versions satisfy it.
func newInterval(text string, cs []comparator) (i interval, ok bool) {
	lo, hi := uint64(0), uint64(math.MaxUint64)
	for _, c := range cs {
		// The first of all pre-releases of a release is a bound for all of them.
		first := c.v.pre == "0" && (c.op == "<" || c.op == ">=")
		order := c.v.order() // less than the highest
		if c.v.pre != "" && !first || max(c.v.major, c.v.minor, c.v.patch) >= maxPart || order == 0 {
			return interval{}, false
		}
		switch c.op {
		case "<":
			hi = min(hi, order-1)
		case "<=":
			hi = min(hi, order)
		case ">":
			lo = max(lo, order+1)
		case ">=":
			lo = max(lo, order)
		default:
			lo, hi = max(lo, order), min(hi, order)
		}
	}
	return interval{lo, hi, text}, true
}

// parseConstraint parses comparisons separated by spaces or commas, all of
// which must hold: ">=2.3.0 <3". A version alone means "=".
func parseConstraint(s string) ([]comparator, error) {
	var cs []comparator
	for _, field := range strings.FieldsFunc(s, func(r rune) bool { return r == ' ' || r == ',' }) {
		op := "="
		for _, o := range []string{"<=", ">=", "<", ">", "="} {
			if strings.HasPrefix(field, o) {
				op = o
				field = field[len(o):]
				break
			}
		}
		v, ok := parseVersion(field)
		if !ok {
			return nil, fmt.Errorf("%q is not a comparison of versions; "+
				"write it like \">=2.3.0 <3\", without spaces after the sign", field)
		}
		cs = append(cs, comparator{op, v})
	}
	if len(cs) == 0 {
		return nil, errors.New("the version constraint is empty; write it like \">=2.3.0 <3\"")
	}
	return cs, nil
}

func (v version) String() string {
	s := fmt.Sprintf("%d.%d.%d", v.major, v.minor, v.patch)
	if v.pre != "" {
		s += "-" + v.pre
	}
	return s
}
