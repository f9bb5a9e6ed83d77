package flagtest

import (
	"fmt"
	"iter"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/serin-flags/serin/ci/internal/lang"
	"github.com/serin-flags/serin/ci/internal/problem"
	"github.com/serin-flags/serin/ci/internal/share"
	"github.com/serin-flags/serin/ci/internal/source"
	"github.com/serin-flags/serin/evaluator"
)

// A population is many contexts, each with units of its own.
type population struct {
	Count int
	units []string // nil: those of the flag's layer and of its first split
}

// An expectedShare is the share of a population that a variant is to have.
type expectedShare struct {
	variant string
	share   int64 // billionths
	at      *source.Node
}

// maxPopulation bounds the contexts that one test evaluates.
const maxPopulation = 1_000_000

// population reads "population".
func (c reader) population(n *source.Node, t *Case) {
	t.Population = &population{Count: 1}
	if !c.Keys(n, "a population", "count", "context", "unit") {
		return
	}
	count := n.Get("count")
	if count == nil {
		c.Errorf(n, "the population has no \"count\"")
	} else if i, ok := c.Integer(count, "\"count\""); ok {
		if i < 1 || i > maxPopulation {
			c.Errorf(count, "\"count\" is 1 to %d, not %d", maxPopulation, i)
		}
		t.Population.Count = int(min(max(i, 1), maxPopulation))
	}
	context := n.Get("context")
	if context != nil {
		t.context = c.attrs(context, "\"context\"")
	}
	if unit := n.Get("unit"); unit != nil {
		t.Population.units = c.units(unit)
	}
	for _, unit := range t.units(c.Known, t.environment) {
		if context.Get(unit) != nil {
			c.Errorf(context.Get(unit),
				"attribute %q is what tells the members of the population apart; leave it out", unit)
		}
	}
}

// units reads the unit of a population, or a list of several.
func (c reader) units(n *source.Node) []string {
	list := []*source.Node{n}
	if n.Kind == source.Sequence {
		if list = n.Items; !c.List(n, "\"unit\"") {
			return nil
		}
	}
	var names []string
	for _, item := range list {
		name, ok := c.Name(item, "\"unit\"")
		switch {
		case !ok:
			continue
		case slices.Contains(names, name):
			c.Errorf(item, "%q is listed twice", name)
			continue
		}
		c.UnitAttribute(item)
		names = append(names, name)
	}
	return names
}

// units returns the attributes that tell the members of a population apart.
func (t *Case) units(known *lang.Vocabulary, environment string) []string {
	if t.Population.units != nil {
		return t.Population.units
	}
	var units []string
	f := t.flag.In(environment)
	if f.Reserved != nil {
		units = append(units, f.Reserved.By)
	}
	for _, r := range f.Rules {
		if r.Split != nil && r.Split.By != "" {
			if !slices.Contains(units, r.Split.By) {
				units = append(units, r.Split.By)
			}
			break
		}
	}
	if units == nil {
		units = []string{known.Unit}
	}
	return units
}

// expectShares reads "share" and "within".
func (c reader) expectShares(n *source.Node, variants []string, e *expectation) {
	shares, within := n.Get("share"), n.Get("within")
	if shares == nil || within == nil {
		c.Errorf(n, "for a population, expect shares and a tolerance: {share: {on: 20%%}, within: 0.5%%}")
		return
	}
	e.within, _ = c.PlainShare(within, "\"within\"")
	if shares.Kind != source.Mapping || len(shares.Fields) == 0 {
		c.Errorf(shares, "\"share\" is a mapping of variants to shares, not %s", shares.Describe())
		return
	}
	for _, s := range shares.Fields {
		name := c.oneOfNames(s.Key, "variant", variants)
		portion, isRest, ok := c.Share(s)
		if isRest {
			c.Errorf(s.Value, "write the share that is expected, not %q", share.Rest)
		} else if ok {
			e.shares = append(e.shares, expectedShare{name, portion, s.Value})
		}
	}
}

// drawn names what lacked a unit: the flag's layer, which is asked first, or a
// split.
func drawn(unit string, layer *evaluator.Reservation) string {
	if layer != nil && layer.By == unit {
		return "the layer"
	}
	return "a split"
}

// comparePopulation evaluates the flag for everybody and records which shares
// are too far off. It returns the rules that served anybody.
func (f *failures) comparePopulation(flag *evaluator.CompiledFlag, t *Case, known *lang.Vocabulary, units []string,
	layer *evaluator.Reservation) (reached []string) {
	counts := make(map[string]int64)
	missing := ""
	var last evaluator.Result // and how many had it in a row
	row := int64(0)
	for ctx := range t.members(known, units) {
		result := flag.Evaluate(&ctx)
		if result == last {
			row++
			continue
		}
		counts[last.Variant()] += row
		last, row = result, 1
		if rule := result.Rule(); rule != "" && !slices.Contains(reached, rule) {
			reached = append(reached, rule)
		}
		if unit := result.MissingUnit(); unit != "" {
			missing = unit
		}
	}
	counts[last.Variant()] += row
	delete(counts, "") // what was before the first
	for _, s := range t.expect.shares {
		got := counts[s.variant] * share.Whole / int64(t.Population.Count)
		if abs64(got-s.share) <= t.expect.within {
			continue
		}
		hint := ""
		if missing != "" {
			hint = fmt.Sprintf("; %s by %q did not match: choose it as the population's unit, or put it into its context",
				drawn(missing, layer), missing)
		}
		f.add(s.at, "expected share %s ± %s of %q, got %s of %d by %s (%s)%s", share.Format(s.share),
			share.Format(t.expect.within), s.variant, share.Format(got), t.Population.Count,
			problem.QuotedList(slices.Values(units)), sharesText(counts), hint)
	}
	return reached
}

// members yields the contexts of a population. They share memory: each is valid
// until the next one.
func (t *Case) members(known *lang.Vocabulary, units []string) iter.Seq[evaluator.Context] {
	attrs := slices.Clone(t.context)
	names := make([]unitNames, len(units))
	for i, unit := range units {
		attrs = append(attrs, evaluator.Attr{Name: unit})
		if a := known.Attributes[unit]; a == nil || a.Type != evaluator.AttrInteger {
			names[i].prefix = unit + "-"
		}
	}
	own := attrs[len(t.context):]
	return func(yield func(evaluator.Context) bool) {
		for i := range t.Population.Count {
			for j := range own {
				if names[j].prefix == "" {
					own[j].Value = evaluator.IntValue(int64(i) + 1)
				} else {
					own[j].Value = evaluator.StringValue(names[j].of(i + 1))
				}
			}
			// Draws are spread evenly: a population says what shares a flag
			// has, not how lucky a run was.
			chance := uint32(uint64(i) * evaluator.Positions / uint64(t.Population.Count))
			if !yield(evaluator.Context{Attrs: attrs, Now: t.now, Age: t.age, Chance: chance}) {
				return
			}
		}
	}
}

// unitNames makes the texts "user-1", "user-2" and so on, many at a time:
// populations are large, and one text each would be as much work as evaluating
// the flag.
type unitNames struct {
	prefix string
	first  int    // number of the first text in all
	all    string // texts, one after the other
	ends   []int  // of each in all
	buf    []byte
}

// of returns the text with number n. The numbers asked for go up by one.
func (u *unitNames) of(n int) string {
	if n >= u.first+len(u.ends) {
		u.buf, u.ends, u.first = u.buf[:0], u.ends[:0], n
		for i := range 512 {
			u.buf = append(u.buf, u.prefix...)
			u.buf = strconv.AppendInt(u.buf, int64(n+i), 10)
			u.ends = append(u.ends, len(u.buf))
		}
		u.all = string(u.buf)
	}
	i := n - u.first
	if i == 0 {
		return u.all[:u.ends[0]]
	}
	return u.all[u.ends[i-1]:u.ends[i]]
}

func abs64(n int64) int64 { return max(n, -n) }

// sharesText lists how many of a population each variant got.
func sharesText(counts map[string]int64) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		if len(parts) == 10 {
			parts = append(parts, "…")
			break
		}
		parts = append(parts, fmt.Sprintf("%s: %d", name, counts[name]))
	}
	return strings.Join(parts, ", ")
}
