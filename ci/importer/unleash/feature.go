package unleash

import (
	"fmt"
	"slices"

	"github.com/serin-flags/serin/ci/importer"
)

// A reader turns toggles into flags.
type reader struct {
	out      *importer.Import
	at       string
	segments map[int64]*segment
	features map[string]*feature
}

// Names of variants that aren't those of a toggle: what Unleash answers for a toggle that is
// off, and the one for a toggle that is on without a variant.
const (
	disabled = "disabled"
	enabled  = "enabled"
)

func (r *reader) read(list []feature) {
	for i := range list {
		f := &list[i]
		place := fmt.Sprintf("%sfeatures[%d]", r.at, i)
		flag := &importer.Flag{Key: f.Name, Namespace: importer.NamespaceOf(f.Project), Description: f.Description,
			Place: place}
		err := checkName(f.Name, place)
		if err == nil {
			flag.Type, flag.Variants, err = variantsOf(f, place)
		}
		if err == nil {
			flag.Body, err = r.body(flag, f, place)
		}
		if err != nil {
			r.out.Refuse(f.Name, err)
			continue
		}
		r.out.Flags = append(r.out.Flags, flag)
	}
}

func checkName(name, place string) error {
	if name == "" {
		return importer.Refusef(place+".name", "the toggle has no name")
	}
	return nil
}

// hasVariants reports whether the toggle, or a strategy of it, has variants.
func (f *feature) hasVariants() bool {
	return len(f.Variants) > 0 ||
		slices.ContainsFunc(f.Strategies, func(s strategy) bool { return len(s.Variants) > 0 })
}

// allVariants returns the variants of a toggle and of its strategies, with their places.
func (f *feature) allVariants(place string) (list []variant, places []string) {
	add := func(variants []variant, at string) {
		for i, v := range variants {
			list = append(list, v)
			places = append(places, fmt.Sprintf("%s.variants[%d]", at, i))
		}
	}
	add(f.Variants, place)
	for _, s := range f.Strategies {
		add(s.Variants, s.at)
	}
	return list, places
}

// variantsOf returns the type of the flag and its variants. A toggle without variants is a
// boolean flag. Otherwise the flag serves what getVariant answers: the text of the payload or,
// without one, the variant's name.
func variantsOf(f *feature, place string) (typ string, variants []importer.Variant, err error) {
	if !f.hasVariants() {
		return "boolean", nil, nil
	}
	values := map[string]string{disabled: disabled}
	list, places := f.allVariants(place)
	for i, v := range list {
		value := v.Name
		if v.Payload != nil {
			value = string(v.Payload.Value)
		}
		was, twice := values[v.Name]
		switch {
		case v.Name == "":
			return "", nil, importer.Refusef(places[i]+".name", "the variant has no name")
		case v.Name == disabled || v.Name == enabled:
			return "", nil, importer.Refusef(places[i]+".name",
				"a variant called %q can't be told from a toggle without a variant", v.Name)
		case twice && was != value:
			return "", nil, importer.Refusef(places[i]+".payload",
				"the variant %q has another payload elsewhere in the toggle", v.Name)
		case !twice:
			variants = append(variants, importer.Variant{Name: v.Name, Value: importer.JSONText(value)})
		}
		values[v.Name] = value
	}
	variants = append(variants, importer.Variant{Name: disabled, Value: importer.JSONText(disabled)},
		importer.Variant{Name: enabled, Value: importer.JSONText(enabled)})
	return "string", variants, nil
}

// body returns what the toggle is.
func (r *reader) body(flag *importer.Flag, f *feature, place string) (importer.Body, error) {
	b := importer.Body{Default: "off", Disabled: !f.Enabled}
	if f.hasVariants() {
		b.Default = disabled
	}
	parents, err := r.parents(flag, f, place)
	if err != nil {
		return b, err
	}
	if parents.IsNever() {
		return b, nil
	}
	strategies := slices.DeleteFunc(slices.Clone(f.Strategies), func(s strategy) bool { return s.Disabled })
	if len(f.Strategies) == 0 {
		strategies = []strategy{{Name: "default", Title: "everyone", at: place}}
	}
	for i := range strategies {
		s := &strategies[i]
		rules, final, err := r.strategy(flag, f, s, parents, i == len(strategies)-1)
		if err != nil {
			return b, err
		}
		b.Rules = append(b.Rules, rules...)
		if final && i < len(strategies)-1 {
			flag.Note(strategies[i+1].at, "it is never reached: the strategy above it is on for everyone")
			break
		}
	}
	return b, nil
}

// parents returns the condition that the toggle's dependencies are met.
func (r *reader) parents(flag *importer.Flag, f *feature, place string) (importer.Condition, error) {
	all := importer.Always
	for i, d := range f.Dependencies {
		at := fmt.Sprintf("%s.dependencies[%d]", place, i)
		parent := r.features[d.Feature]
		switch {
		case parent == nil:
			flag.Note(at, "the toggle %q doesn't exist, so this one is always off", d.Feature)
			return importer.Never, nil
		case len(parent.Dependencies) > 0:
			flag.Note(at, "the toggle %q has dependencies itself, so this one is always off", d.Feature)
			return importer.Never, nil
		}
		all = importer.All(all, parent.serves(d).At(at))
	}
	return all, nil
}

// serves returns the condition that f is as d demands.
func (f *feature) serves(d dependency) importer.Condition {
	off, on := "off", []string{"on"}
	if f.hasVariants() {
		off, on = disabled, []string{enabled}
		list, _ := f.allVariants("")
		for _, v := range list {
			on = append(on, v.Name)
		}
	}
	switch {
	case d.Enabled != nil && !*d.Enabled:
		return importer.Serves(f.Name, off)
	case len(d.Variants) == 0:
		return importer.Serves(f.Name, on...)
	case !f.hasVariants() && slices.Contains(d.Variants, disabled):
		return importer.Serves(f.Name, on...)
	}
	var named []string
	for _, v := range d.Variants {
		if v == disabled {
			v = enabled // what getVariant answers for a toggle that is on without a variant
		}
		if slices.Contains(on, v) && f.hasVariants() {
			named = append(named, v)
		}
	}
	return importer.Serves(f.Name, named...)
}
