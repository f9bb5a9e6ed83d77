package decide

import (
	"slices"

	"github.com/serin-flags/serin/evaluator"
)

// The bounds of a case analysis. Beyond them nothing is proved.
const (
	maxNamed    = 1000    // texts of a list that are looked at one by one
	maxListDiff = 100_000 // texts that one of two long lists has more
	maxCases    = 4000    // patterns of the text of one attribute
	maxIntegers = 20_000  // integers of one attribute
	longSamples = 16      // members of a long list that are looked at
)

// A domain is an attribute, and the classes that its values fall into: values of a
// class are alike to every atom.
type domain struct {
	name    string
	types   []evaluator.AttributeType // as the two sides declare it
	atoms   []*atom
	unit    bool // flags are bucketed by it, or it is the key
	classes []class
	// complete says that every value is in one of the classes.
	complete bool

	lists map[*list]int // of long lists, to their number in longs
	longs int           // kinds of long lists: lists of one kind have the same unnamed members
	named []string      // texts that are looked at one by one
	at    map[classKey]int
}

// A class is values that are alike.
type class struct {
	sig    string // which atoms hold
	usable bool   // they can be bucketed
	// real says that the class has values, of which value is one. Otherwise it
	// may have some: nothing has shown that it doesn't.
	real  bool
	value evaluator.Value
	// named are all values of the class, if that is known.
	named []evaluator.Value
	// similar returns other values, which may be of the class: ever more of them.
	similar func(i int) (evaluator.Value, bool)
	cost    int // of having such a value in an example
}

type classKey struct {
	sig           string
	usable, named bool
}

// signature returns which atoms hold for a value.
func (d *domain) signature(v evaluator.Value) string {
	sig := make([]byte, len(d.atoms))
	for i, a := range d.atoms {
		if a.holds(v) {
			sig[i] = 1
		}
	}
	return string(sig)
}

func canBucket(v evaluator.Value) bool {
	text, ok := v.Text()
	return ok && text != "" || v.Kind() == evaluator.KindInt
}

// Costs of what an example has. A missing attribute is the cheapest.
const (
	costNatural = 10
	costOdd     = 100 // of a kind other than the declared one
)

// add adds a value, which has similar ones. The first of a class is its example.
func (d *domain) add(v evaluator.Value, cost int, similar func(int) (evaluator.Value, bool)) {
	d.put(class{sig: d.signature(v), usable: d.unit && canBucket(v), real: true, value: v, cost: cost,
		similar: similar})
}

// addNamed adds a value that is looked at by itself.
func (d *domain) addNamed(v evaluator.Value, cost int) {
	c := class{sig: d.signature(v), usable: d.unit && canBucket(v), real: true, value: v, cost: cost}
	if d.unit {
		c.named = []evaluator.Value{v}
	}
	d.put(c)
}

func (d *domain) put(c class) {
	key := classKey{c.sig, c.usable, c.named != nil}
	i, ok := d.at[key]
	switch {
	case !ok:
		d.at[key] = len(d.classes)
		d.classes = append(d.classes, c)
	case c.named != nil:
		if v := c.named[0]; !slices.Contains(d.classes[i].named, v) {
			d.classes[i].named = append(d.classes[i].named, v)
		}
	case c.real && !d.classes[i].real:
		d.classes[i] = c
	}
}

// isReal reports whether there is a text that can be bucketed, if any can, for which some atoms
// hold.
func (d *domain) isReal(sig string) bool {
	i, ok := d.at[classKey{sig, d.unit, false}]
	return ok && d.classes[i].real
}

// suppose adds a class that may have values: those for which some atoms hold.
func (d *domain) suppose(sig string, usable bool) {
	usable = usable && d.unit
	if _, ok := d.at[classKey{sig, usable, false}]; !ok {
		d.put(class{sig: sig, usable: usable})
	}
}

// supposeLong supposes a class and those that are members of long lists besides.
func (d *domain) supposeLong(sig []byte, usable bool) {
	for set := range 1 << d.longs {
		more := slices.Clone(sig)
		for i, a := range d.atoms {
			if n, ok := d.lists[a.members]; ok && a.isMembership() && set>>n&1 == 1 {
				more[i] = 1
			}
		}
		d.suppose(string(more), usable)
	}
}

// build finds the classes.
func (d *domain) build(c *Comparer) {
	d.at = make(map[classKey]int)
	d.complete = true
	d.nameMembers(c)
	d.add(evaluator.Value{}, 0, nil)
	order := []func(){d.texts, d.integers}
	if slices.Contains(d.types, evaluator.AttrInteger) {
		order = []func(){d.integers, d.texts}
	}
	for _, kind := range order {
		kind()
	}
	if d.has(evaluator.AttrBoolean) {
		d.add(evaluator.BoolValue(true), costNatural, nil)
		d.add(evaluator.BoolValue(false), costNatural, nil)
	}
	if d.has(evaluator.AttrList) {
		d.listValues()
	}
	d.add(evaluator.FloatValue(0.5), costOdd, nil)
}

// has reports whether there are comparisons of attributes of a type.
func (d *domain) has(typ evaluator.AttributeType) bool {
	return slices.ContainsFunc(d.atoms, func(a *atom) bool { return a.typ == typ && a.cond.Op != evaluator.OpExists })
}

// hasMembership reports whether there are lists that a value is looked for in.
func (d *domain) hasMembership() bool { return slices.ContainsFunc(d.atoms, (*atom).isMembership) }

// nameMembers collects the texts that are looked at one by one: those of lists and,
// of long lists that are nearly the same, those that differ.
func (d *domain) nameMembers(c *Comparer) {
	d.lists = make(map[*list]int)
	names := make(map[string]bool)
	var long []*list
	for _, a := range d.atoms {
		switch {
		case !a.isMembership():
			for _, o := range a.operands {
				if o.op == evaluator.OpOneOf && o.fold == 0 {
					names[o.text] = true
				}
			}
		case !a.members.isLong():
			for _, text := range a.members.texts {
				names[text] = true
			}
		case !slices.Contains(long, a.members):
			long = append(long, a.members)
		}
	}
	for i, l := range long {
		number, ok := 0, false
		for _, other := range long[:i] {
			if diff := c.differ(other, l); !diff.many && !ok {
				number, ok = d.lists[other], true
				for _, text := range diff.texts {
					names[text] = true
				}
			}
		}
		if !ok {
			number = d.longs
			d.longs++
		}
		d.lists[l] = number
	}
	if d.longs > 4 {
		d.complete, d.longs = false, 4
	}
	d.named = make([]string, 0, len(names))
	for text := range names {
		d.named = append(d.named, text)
	}
	slices.Sort(d.named)
}

// isNamed reports whether a text is looked at by itself.
func (d *domain) isNamed(text string) bool {
	_, ok := slices.BinarySearch(d.named, text)
	return ok
}

// longMembers adds members of long lists.
func (d *domain) longMembers(value func(string) (evaluator.Value, bool), cost int) {
	seen := make(map[int]bool)
	for _, a := range d.atoms {
		number, ok := d.lists[a.members]
		if !ok || !a.isMembership() || seen[number] {
			continue
		}
		seen[number] = true
		texts := a.members.texts
		for i := range longSamples {
			if v, ok := value(texts[i*len(texts)/longSamples]); ok {
				d.add(v, cost, func(i int) (evaluator.Value, bool) {
					if i >= len(texts) {
						return evaluator.Value{}, false
					}
					return value(texts[i])
				})
			}
		}
	}
}

// cost returns the cost of a value of a kind that some types are of.
func (d *domain) cost(types ...evaluator.AttributeType) int {
	if slices.ContainsFunc(types, func(t evaluator.AttributeType) bool { return slices.Contains(d.types, t) }) {
		return costNatural
	}
	return costOdd
}

// listValues adds the classes of lists. Their texts are told apart by the
// comparisons that name them; of each sort a list has none, some or all.
func (d *domain) listValues() {
	var order []string
	sorts := make(map[string][]string) // by which atoms name them
	seen := make(map[string]bool)
	for _, a := range d.atoms {
		if a.typ != evaluator.AttrList {
			continue
		}
		for _, text := range a.cond.Strings {
			if seen[text] {
				continue
			}
			seen[text] = true
			key := make([]byte, len(d.atoms))
			for i, b := range d.atoms {
				if b.typ == evaluator.AttrList && slices.Contains(b.cond.Strings, text) {
					key[i] = 1
				}
			}
			if sorts[string(key)] == nil {
				order = append(order, string(key))
			}
			sorts[string(key)] = append(sorts[string(key)], text)
		}
	}
	combinations := 1
	for range order {
		combinations *= 3
		if combinations > maxCases {
			d.complete, combinations = false, maxCases
			break
		}
	}
	for i := range combinations {
		var texts []string
		for _, key := range order {
			sort := sorts[key]
			texts = append(texts, sort[:[]int{0, 1, len(sort)}[i%3]]...)
			i /= 3
		}
		d.add(evaluator.ListValue(texts...), costNatural+len(texts), nil)
	}
	d.add(evaluator.ListValue("another"), costNatural, nil)
}
