package importer

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"github.com/serin-flags/serin/ci/internal/lang"
)

// An attribute is what is known of an attribute from the conditions that use it.
type attribute struct {
	name   string
	typ    string
	unit   bool
	reason string // why it has the type
	uses   int
	votes  map[string]int
	first  map[string]string // the place of the first condition that needs a type
}

// versionV is the type of versions that may have a v before them.
const versionV = "semver-v"

// What conditions need that fit two types.
const (
	integerOrNumber = "integer or number"
	numberOrText    = "number or text"
)

// typeOf returns the type of attribute that a condition needs, or "" if any will do.
func (c Condition) typeOf() string {
	if c.isEmpty() {
		return ""
	}
	switch c.Op {
	case opIn, opPrefix, opSuffix, opContains, opMatches, opSegment:
		return "string"
	case opIntegers, opRange, opMod:
		return "integer"
	case opNumbers, opNumber, opNumberText:
		return "number"
	case opCIDR, opIPRange:
		return "ip"
	case opSemver:
		return "semver"
	case opSemverV:
		return versionV
	case opTime:
		return "time"
	case opHolds:
		return "list"
	case opIs:
		return "boolean"
	}
	return ""
}

// vote is typeOf for choosing a type.
func (c Condition) vote() string {
	switch c.Op {
	case opIntegers:
		return integerOrNumber
	case opNumberText:
		return numberOrText
	}
	return c.typeOf()
}

// fits reports whether c can be written for an attribute of another type, and means the same
// there: texts that are IPv4 addresses are those addresses.
func (c Condition) fits(typ string) bool {
	if t := c.typeOf(); t == typ || t == "" && c.Op != opBucket {
		return true
	}
	switch c.Op {
	case opBucket:
		return typ == "string" || typ == "integer"
	case opIntegers:
		return typ == "number"
	case opNumber, opNumbers:
		return typ == "integer"
	case opNumberText:
		return typ == "integer" || typ == "string"
	case opSemver:
		return typ == versionV
	}
	switch {
	case c.Op == opIn && typ == "ip" && !c.Fold:
		return !slices.ContainsFunc(c.Texts, func(t string) bool {
			a, err := netip.ParseAddr(t)
			return err != nil || !a.Is4()
		})
	}
	return false
}

// usesAttribute reports whether c compares an attribute.
func (c Condition) usesAttribute() bool {
	switch c.Op {
	case opAlways, opNever, opAll, opAny, opNot, opNow, opFlag:
		return false
	}
	return true
}

// attributes infers the attributes' types: for each the one that most conditions need. Flags
// that need another one are refused.
func (i *Import) attributes() []*attribute {
	all := i.vote()
	for _, a := range all {
		a.choose(i.Unit)
	}
	for _, d := range i.declared {
		a := all[d.Name]
		if a == nil {
			continue
		}
		if a.typ != d.Type.String() {
			a.typ, a.reason = d.Type.String(), "the folder declares it so"
		}
		a.unit = a.unit || d.Unit
	}
	for _, f := range i.Flags {
		f.dropOptional(all)
		f.adapt(all)
	}
	i.Flags = slices.DeleteFunc(i.Flags, func(f *Flag) bool {
		var why error
		f.conditions(func(c Condition) {
			if why != nil || !c.usesAttribute() {
				return
			}
			if why = checkName(c.Attribute, cmp.Or(c.Place, f.Place)); why == nil && !c.fits(all[c.Attribute].typ) {
				a := all[c.Attribute]
				needs := cmp.Or(c.typeOf(), "string")
				why = Refusef(cmp.Or(c.Place, f.Place),
					"it needs the attribute %q to be of type %s, but it is of type %s, because of %s",
					a.name, needs, a.typ, a.reason)
			}
		})
		for _, by := range f.units() {
			if why == nil {
				why = checkName(by, f.Place)
			}
		}
		if why != nil {
			i.Refuse(f.Key, why)
		}
		return why != nil
	})
	i.prune()
	used := i.vote() // by the flags that are left
	list := make([]*attribute, 0, len(used))
	for name := range used {
		list = append(list, all[name])
	}
	for _, d := range i.declared {
		if used[d.Name] == nil {
			list = append(list, &attribute{name: d.Name, typ: d.Type.String(), unit: d.Unit,
				reason: "the folder declares it"})
		}
	}
	slices.SortFunc(list, func(a, b *attribute) int {
		return cmp.Or(-cmp.Compare(isUnit(a.name, i.Unit), isUnit(b.name, i.Unit)), cmp.Compare(a.name, b.name))
	})
	return list
}

// checkName returns a refusal unless an attribute can have the name.
func checkName(name, place string) error {
	if name == "" {
		return Refusef(place, "an attribute without a name")
	}
	if why := lang.CheckAttributeName(name); why != "" {
		return Refusef(place, "an attribute can't be called %q here: %s", name, why)
	}
	return nil
}

func isUnit(name, unit string) int {
	if name == unit {
		return 1
	}
	return 0
}

// used reports whether a condition or a split uses the attribute.
func (a *attribute) used() bool { return a.uses > 0 }

// vote collects the attributes that flags use, and what types they need them to have.
func (i *Import) vote() map[string]*attribute {
	all := make(map[string]*attribute)
	get := func(name string) *attribute {
		a := all[name]
		if a == nil {
			a = &attribute{name: name, votes: make(map[string]int), first: make(map[string]string)}
			all[name] = a
		}
		return a
	}
	get(i.Unit).unit = true
	for _, f := range i.Flags {
		f.conditions(func(c Condition) {
			if !c.usesAttribute() {
				return
			}
			a := get(c.Attribute)
			a.uses++
			a.unit = a.unit || c.Op == opBucket
			if t := c.vote(); t != "" {
				a.votes[t]++
				if a.first[t] == "" {
					a.first[t] = cmp.Or(c.Place, f.Place)
				}
			}
		})
		for _, by := range f.units() {
			a := get(by)
			a.unit = true
			a.uses++
		}
	}
	return all
}

// choose decides on the type. The folder's unit is text.
func (a *attribute) choose(unit string) {
	a.typ, a.reason = "string", "it identifies users"
	if a.unit && a.used() {
		a.reason = "users are hashed by it"
	}
	best := 0
	a.pool()
	for _, t := range slices.Sorted(maps.Keys(a.votes)) {
		fits := !a.unit || t == "string" || t == "integer" && a.name != unit
		if n := a.votes[t]; fits && (n > best || n == best && t == "string") {
			best = n
			a.typ, a.reason = t, a.first[t]
		}
	}
	if best > 1 {
		a.reason += fmt.Sprintf(" and %d more", best-1)
	}
}

// pool decides for which type the conditions count that fit two.
func (a *attribute) pool() {
	if a.votes["string"] > 0 || a.unit {
		a.count(numberOrText, "string")
	}
	a.count(numberOrText, "number")
	if a.votes[versionV] > 0 {
		a.count("semver", versionV)
	}
	if a.votes["integer"] == 0 && a.votes["number"] > 0 && !a.unit {
		a.count(integerOrNumber, "number")
	}
	if a.count(integerOrNumber, "integer"); a.votes["integer"] > 0 || a.unit {
		a.count("number", "integer")
	}
}

// count has the conditions that need one type count for another.
func (a *attribute) count(from, to string) {
	if a.votes[from] > 0 {
		a.votes[to] += a.votes[from]
		a.first[to] = cmp.Or(a.first[to], a.first[from])
	}
	delete(a.votes, from)
}

// adapt returns c for an attribute of a type that c fits but doesn't need.
func (c Condition) adapt(typ string) Condition {
	adapted := c
	switch {
	case c.isEmpty() && typ != "string":
		return Never
	case c.Op == opNumberText && typ == "string":
		adapted = c.matching()
	case c.Op == opNumbers && typ == "integer":
		adapted = c.integers(c.Texts)
	case (c.Op == opNumber || c.Op == opNumberText) && typ == "integer":
		adapted = c.between()
	case c.Op == opNumberText && c.Texts[0] == "=" && typ == "number":
		adapted.Op, adapted.Texts = opNumbers, c.Texts[1:]
	case c.Op == opNumberText && typ == "number":
		adapted.Op = opNumber
	case c.Op == opIntegers && typ == "number":
		adapted.Op, adapted.Texts, adapted.Ints = opNumbers, c.texts(), nil
	}
	return adapted.At(c.Place)
}

// adapt adapts the flag's comparisons to the types of their attributes.
func (f *Flag) adapt(all map[string]*attribute) {
	for _, b := range f.bodies() {
		for j := range b.Rules {
			changed := false
			b.Rules[j].When.change(func(c *Condition) {
				if c.usesAttribute() {
					was := *c
					*c = was.adapt(all[c.Attribute].typ)
					changed = changed || c.Op != was.Op
					if was.Op == opIntegers && c.Op == opNumbers {
						f.Approximate(cmp.Or(c.Place, f.Place),
							"%q is a number here, so text such as \"5\" counts as that number", c.Attribute)
					}
					if was.typeOf() == "number" && was.Op != opNumberText && c.typeOf() == "integer" {
						f.Approximate(cmp.Or(was.Place, f.Place),
							"%q is an integer here, so a number with a fraction makes the comparison false",
							was.Attribute)
					}
				}
			})
			if changed {
				b.Rules[j].When = b.Rules[j].When.simplified()
			}
		}
	}
}

// dropOptional drops the optional rules whose attributes can't be units. The others become
// rules like any.
func (f *Flag) dropOptional(all map[string]*attribute) {
	for _, b := range f.bodies() {
		b.Rules = slices.DeleteFunc(b.Rules, func(r Rule) bool {
			if r.Optional == "" {
				return false
			}
			a := all[r.Split.By]
			drop := a != nil && a.typ != "string" && a.typ != "integer"
			if drop {
				f.Approximate(f.Place, "%s", r.Optional)
			} else if a == nil {
				all[r.Split.By] = &attribute{name: r.Split.By, typ: "string", unit: true,
					reason: "users are hashed by it"}
			}
			return drop
		})
		for j := range b.Rules {
			b.Rules[j].Optional = ""
		}
	}
}

// units returns the attributes that the flag's splits are by.
func (f *Flag) units() []string {
	var list []string
	for _, b := range f.bodies() {
		for _, r := range b.Rules {
			if r.Split != nil && r.Split.By != Chance && r.Optional == "" && !r.When.IsNever() {
				list = append(list, r.Split.By)
			}
		}
	}
	return list
}
