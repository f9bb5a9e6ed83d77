package growthbook

import (
	"fmt"

	"github.com/serin-flags/serin/ci/importer"
)

// parents returns the condition that a rule's prerequisites are met. For those that gate the
// feature, it adds the rule that holds where they aren't.
func (x *reading) parents(r *rule, name, at string) (importer.Condition, error) {
	all := importer.Always
	for i, p := range r.ParentConditions {
		place := fmt.Sprintf("%s.parentConditions[%d]", at, i)
		met, err := x.parent(p, place)
		if err != nil {
			return all, err
		}
		if p.Gate && !met.IsAlways() {
			if x.typ != "boolean" {
				return all, importer.Refusef(place,
					"where the prerequisite isn't met, GrowthBook serves null, and so the "+
						"default in the program's code")
			}
			x.flag.Approximate(place, "where the prerequisite isn't met, GrowthBook serves null; the flag serves false")
			x.add(name+": prerequisite "+p.ID+" isn't met", importer.All(all, importer.Not(met)), x.off(), nil)
		}
		all = importer.All(all, met)
	}
	return all, nil
}

// off returns the variant that serves false.
func (x *reading) off() string {
	if name := x.byValue["false"]; name != "" && name != "?" {
		return name
	}
	return "off"
}

// parent returns the condition that another feature serves a value that meets a condition.
func (x *reading) parent(p parentCondition, at string) (importer.Condition, error) {
	c := p.Condition
	if len(c) == 0 {
		c = []byte("{}")
	}
	missing, err := constant(c, nil, at+".condition", 0)
	if err != nil {
		return importer.Never, err
	}
	f := x.features[p.ID]
	if f == nil {
		x.flag.Note(at, "there is no feature %q", p.ID)
		if missing {
			return importer.Always, nil
		}
		return importer.Never, nil
	}
	if f.err != nil {
		return importer.Never, importer.Refusef(at, "it depends on the feature %q, which isn't carried over", p.ID)
	}
	var names []string
	for _, v := range f.variants {
		holds, err := constant(c, []byte(v.Value), at+".condition", 0)
		if err != nil {
			return importer.Never, err
		}
		if holds {
			names = append(names, v.Name)
		}
		if f.gated && v.Value == "false" && holds != missing {
			x.flag.Approximate(at, "the feature %q serves false here where GrowthBook serves null", p.ID)
		}
	}
	if len(names) == len(f.variants) && (missing || !f.gated) {
		return importer.Always, nil
	}
	return importer.Serves(p.ID, names...).At(at), nil
}
