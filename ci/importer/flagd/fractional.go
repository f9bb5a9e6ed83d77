package flagd

import (
	"encoding/json"
	"math"
	"math/bits"
	"slices"
	"sort"
	"strconv"
	"strings"

	"github.com/serin-flags/serin/ci/importer"
)

// The hashes of flagd since version 0.15, and before.
const (
	hash       = "flagd"
	legacyHash = "flagd-legacy"
)

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

// legacyBoundary returns the first position that isn't below a percentage, as flagd computed it
// before version 0.15: with numbers of 64 bits.
func legacyBoundary(percentage float64) uint64 {
	const positions = 1<<31 + 1
	n := sort.Search(positions, func(position int) bool { return !(float64(position)/math.MaxInt32*100 < percentage) })
	return uint64(n)
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
	split := &importer.Split{By: by, Hash: r.hash, Salt: salt}
	before, percentage := uint64(0), 0.0
	for i, sum := range sums {
		at := boundary(sum, total)
		if r.hash == legacyHash {
			percentage += 100 * float64(sum-before) / float64(total)
			at = legacyBoundary(percentage)
		}
		if sum > before {
			split.Ends = append(split.Ends, importer.End{Variant: names[i], At: at})
		}
		before = sum
	}
	if by != unit {
		r.flag.Approximate(at,
			"contexts without %q, or whose value isn't text, get the default variant; flagd's implementations disagree about them", by)
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
	op, args, _, err := r.logic.Open(expr, at)
	if err != nil {
		return "", "", err
	}
	defer r.logic.Close()
	if op == "var" {
		return "", "", importer.Refusef(at,
			"users are hashed by an attribute without any other text, which no hash here is for; put the flag's key before it with \"cat\"")
	}
	if op != "cat" || len(args) < 2 {
		return "", "", importer.Refusef(at, "expected a text and an attribute, joined with \"cat\"")
	}
	var text strings.Builder
	for i, arg := range args[:len(args)-1] {
		place := at + ".cat[" + strconv.Itoa(i) + "]"
		name, isVar, err := r.logic.Variable(arg, place)
		var literal string
		switch {
		case err != nil:
			return "", "", err
		case isVar && name == flagKey:
			text.WriteString(r.key)
		case !isVar && json.Unmarshal(arg, &literal) == nil:
			text.WriteString(literal)
		default:
			return "", "", importer.Refusef(place, "only the last part may be an attribute")
		}
	}
	last := at + ".cat[" + strconv.Itoa(len(args)-1) + "]"
	name, isVar, err := r.logic.Variable(args[len(args)-1], last)
	if err != nil {
		return "", "", err
	}
	if !isVar || strings.HasPrefix(name, "$") || text.Len() == 0 {
		return "", "", importer.Refusef(last, "expected an attribute behind a text")
	}
	return name, text.String(), nil
}
