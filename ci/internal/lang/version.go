package lang

import (
	"strconv"
	"strings"

	"github.com/serin-flags/serin/ci/internal/source"
	"github.com/serin-flags/serin/evaluator"
)

// maxDigits is the largest number of digits that a number of a version has.
const maxDigits = 19

// semver reads a version constraint. Its ranges ^v and ~v become the comparisons that they
// stand for, so evaluators needn't know them.
func (c Checker) semver(a *Attribute, n *source.Node, cond *evaluator.Condition) bool {
	if n.Kind != source.Scalar || n.Type() == source.NullScalar {
		return c.operand(a, n, cond)
	}
	rewritten := false
	fields := strings.FieldsFunc(n.Text, func(r rune) bool { return r == ' ' || r == ',' })
	for i, field := range fields {
		version := strings.TrimLeft(field, "<>=^~")
		sign := field[:len(field)-len(version)]
		if a.Type == evaluator.AttrSemverV {
			version = strings.TrimPrefix(version, "v")
		}
		one := sign + version
		if strings.ContainsAny(sign, "^~") {
			if len(sign) > 1 || !isVersion(version) {
				c.Errorf(n, "%q is not a range of versions; write it like \"^2.3\" or \"~2.3.1\", without spaces after the sign", field)
				return false
			}
			one = versionRange(sign, version)
		}
		rewritten = rewritten || one != field
		fields[i] = one
	}
	if !rewritten {
		return c.operand(a, n, cond)
	}
	cond.Strings = append(cond.Strings, strings.Join(fields, " "))
	return c.check(n, a, *cond)
}

func isVersion(text string) bool {
	one := evaluator.Condition{Op: evaluator.OpOneOf, Strings: []string{text}}
	return one.Check(evaluator.AttrSemver) == nil
}

// versionRange returns the comparisons that a range stands for: of versions that are at
// least the given one, and have the same numbers up to one of them. For "~" this is minor,
// or major if there is no minor. For "^" it is the first number that isn't 0 or, if all
// are, the last one that is written.
func versionRange(sign, version string) string {
	core, _, _ := strings.Cut(version, "+")
	core, _, _ = strings.Cut(core, "-")
	numbers := strings.Split(core, ".")
	last := min(1, len(numbers)-1)
	if sign == "^" {
		last = 0
		for last < len(numbers)-1 && numbers[last] == "0" {
			last++
		}
	}
	if end := versionAfter(numbers[:last+1]); end != "" {
		return ">=" + version + " <" + end
	}
	return ">=" + version
}

// versionAfter returns the first version whose numbers are larger than the given ones, ""
// if there is none. It is a pre-release: 0 is the least of all identifiers.
func versionAfter(numbers []string) string {
	for i := len(numbers) - 1; i >= 0; i-- {
		n, err := strconv.ParseUint(numbers[i], 10, 64)
		next := strconv.FormatUint(n+1, 10)
		if err != nil || len(next) > maxDigits { // the number is the largest: the one before it counts
			continue
		}
		end := append(append([]string{}, numbers[:i]...), next)
		for len(end) < 3 {
			end = append(end, "0")
		}
		return strings.Join(end, ".") + "-0"
	}
	return ""
}
