package flagd

import (
	"encoding/json"
	"math/bits"
	"slices"
	"strconv"
	"strings"

	"github.com/serin-flags/serin/ci/importer"
)

const hash = "flagd"

// maxWeights is what weights may add up to in flagd.
const maxWeights = 1<<31 - 1

// boundary returns the first position that isn't below a share of the weights: flagd compares
// ⌊position × weights / 2^32⌋ with the sum so far.
func boundary(sum, weights uint64) uint64 {
	hi, lo := bits.Mul64(sum, 1<<32)
	q, rest := bits.Div64(hi, lo, weights)
	if rest > 0 {
		q++
	}
	return q
}

// fractional adds the rules that divide users. Contexts that can't be divided get the default
// variant.
func (r *reader) fractional(args []json.RawMessage, when importer.Condition, at string) (bool, error) {
	by, salt := unit, r.key
	first := 0
	if len(args) > 0 && len(args[0]) > 0 && args[0][0] == '{' {
		var err error
		if by, salt, err = r.bucketBy(args[0], at+"[0]"); err != nil {
			return false, err
		}
		first = 1
	}
	var sums []uint64
	var names []string
	total := uint64(0)
	for i, raw := range args[first:] {
		place := at + "[" + strconv.Itoa(first+i) + "]"
		name, weight, err := r.weighted(raw, place)
		if err != nil {
			return false, err
		}
		total += weight
		names, sums = append(names, name), append(sums, total)
		if total > maxWeights {
			return false, importer.Refusef(place, "the weights add up to more than %d", maxWeights)
		}
	}
	if total == 0 {
		return false, importer.Refusef(at, "no variant has a weight")
	}
	split := &importer.Split{By: by, Hash: hash, Salt: salt}
	for i, sum := range sums {
		if name := names[i]; i == 0 && sum > 0 || i > 0 && sum > sums[i-1] {
			split.Ends = append(split.Ends, importer.End{Variant: name, At: boundary(sum, total)})
		}
	}
	if by != unit {
		r.flag.Approximate(at, "contexts without %q, or whose value isn't text, get the default variant; flagd's implementations disagree about them", by)
	}
	r.add(when, "", split)
	return false, nil
}

// weighted reads a variant and its weight.
func (r *reader) weighted(raw json.RawMessage, place string) (string, uint64, error) {
	var parts []json.RawMessage
	if json.Unmarshal(raw, &parts) != nil || len(parts) == 0 || len(parts) > 2 {
		return "", 0, importer.Refusef(place, "expected a variant and its weight, not %.40s", raw)
	}
	var name string
	if json.Unmarshal(parts[0], &name) != nil || !slices.Contains(r.names, name) {
		return "", 0, importer.Refusef(place+"[0]", "there is no variant %.40s", parts[0])
	}
	if len(parts) == 1 {
		return name, 1, nil
	}
	weight, ok := importer.Integer(parts[1])
	if !ok {
		return "", 0, importer.Refusef(place+"[1]", "the weight is no whole number: %.40s", parts[1])
	}
	return name, uint64(max(weight, 0)), nil
}

// bucketBy reads what users are divided by: text, such as the flag's key, and an attribute.
func (r *reader) bucketBy(expr json.RawMessage, at string) (by, salt string, err error) {
	op, args, _, err := r.open(expr, at)
	if err != nil {
		return "", "", err
	}
	defer func() { r.depth-- }()
	if op == "var" {
		return "", "", importer.Refusef(at, "users are hashed by an attribute without any other text, which no hash here is for; put the flag's key before it with \"cat\"")
	}
	if op != "cat" || len(args) < 2 {
		return "", "", importer.Refusef(at, "expected a text and an attribute, joined with \"cat\"")
	}
	var text strings.Builder
	for i, arg := range args[:len(args)-1] {
		place := at + ".cat[" + strconv.Itoa(i) + "]"
		name, isVar, err := r.variable(arg, place)
		var literal string
		switch {
		case err != nil:
			return "", "", err
		case isVar && name == "$flagd.flagKey":
			text.WriteString(r.key)
		case !isVar && json.Unmarshal(arg, &literal) == nil:
			text.WriteString(literal)
		default:
			return "", "", importer.Refusef(place, "only the last part may be an attribute")
		}
	}
	last := at + ".cat[" + strconv.Itoa(len(args)-1) + "]"
	name, isVar, err := r.variable(args[len(args)-1], last)
	if err != nil {
		return "", "", err
	}
	if !isVar || strings.HasPrefix(name, "$") || text.Len() == 0 {
		return "", "", importer.Refusef(last, "expected an attribute behind a text")
	}
	return name, text.String(), nil
}
