package unleash

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/serin-flags/serin/ci/importer"
)

// export reads an export of the admin interface: toggles, and what they are in environments.
func (r *reader) export(d *document, only string) (*importer.Import, error) {
	var names []string
	add := func(name string) {
		if name != "" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	for i := range d.FeatureEnvironments {
		add(d.FeatureEnvironments[i].name())
	}
	for i := range d.FeatureStrategies {
		d.FeatureStrategies[i].at = fmt.Sprintf("featureStrategies[%d]", i)
		add(d.FeatureStrategies[i].Environment)
	}
	if only != "" {
		if !slices.Contains(names, only) {
			return nil, importer.Refusef("featureEnvironments", "there is no environment %q; there are %q", only, names)
		}
		names = []string{only}
	}
	r.out.Environments = names
	for i := range d.Segments {
		r.segments[d.Segments[i].ID] = &d.Segments[i]
	}
	x := d.index()
	for i := range d.Features {
		r.exported(x, i, names)
	}
	return r.out, nil
}

// An index finds what an export says about a toggle.
type index struct {
	features     []feature
	in           map[string]map[string]*feature // by environment and name
	environments map[string][]environment       // by toggle, like the others
	strategies   map[string][]strategy
	dependencies map[string][]dependency
}

func (d *document) index() *index {
	x := &index{d.Features, make(map[string]map[string]*feature), make(map[string][]environment),
		make(map[string][]strategy),
		make(map[string][]dependency)}
	for _, e := range d.FeatureEnvironments {
		x.environments[e.FeatureName] = append(x.environments[e.FeatureName], e)
	}
	for _, s := range d.FeatureStrategies {
		x.strategies[s.FeatureName] = append(x.strategies[s.FeatureName], s)
	}
	for _, l := range d.Dependencies {
		x.dependencies[l.Feature] = append(x.dependencies[l.Feature], l.Dependencies...)
	}
	return x
}

// all returns the toggles as they are in an environment.
func (x *index) all(environment string) map[string]*feature {
	list := x.in[environment]
	if list == nil {
		list = make(map[string]*feature, len(x.features))
		for i := range x.features {
			f := x.features[i]
			f.Strategies, f.Enabled, f.Dependencies = nil, false, x.dependencies[f.Name]
			for _, e := range x.environments[f.Name] {
				if e.name() == environment {
					f.Enabled = e.Enabled
					f.Variants = append(slices.Clone(f.Variants), e.Variants...)
				}
			}
			for _, s := range x.strategies[f.Name] {
				if s.Environment == environment {
					f.Strategies = append(f.Strategies, s)
				}
			}
			slices.SortStableFunc(f.Strategies,
				func(a, b strategy) int { return cmp.Compare(a.SortOrder, b.SortOrder) })
			list[f.Name] = &f
		}
		x.in[environment] = list
	}
	return list
}

func (e *environment) name() string {
	if e.Environment != "" {
		return e.Environment
	}
	return e.Name
}

// exported reads one toggle of an export.
func (r *reader) exported(x *index, i int, environments []string) {
	f, place := x.features[i], fmt.Sprintf("features[%d]", i)
	flag := &importer.Flag{Key: f.Name, Namespace: importer.NamespaceOf(f.Project), Description: f.Description,
		Place: place}
	flag.Default = "off"
	for _, name := range environments { // everything of all environments, for the variants
		in := x.all(name)[f.Name]
		f.Variants = append(f.Variants, in.Variants...)
		f.Strategies = append(f.Strategies, in.Strategies...)
	}
	if f.hasVariants() {
		flag.Default = disabled
	}
	err := checkName(f.Name, place)
	if err == nil {
		flag.Type, flag.Variants, err = variantsOf(&f, place)
	}
	for _, name := range environments {
		if err != nil {
			r.out.Refuse(f.Name, err)
			return
		}
		var body importer.Body
		r.features = x.all(name)
		body, err = r.body(flag, r.features[f.Name], place)
		if f.hasVariants() {
			body = asVariants(body)
		}
		if len(environments) == 1 {
			flag.Body = body
		} else {
			flag.Overlays = append(flag.Overlays, importer.Overlay{Environment: name, Body: body})
		}
	}
	if err != nil {
		r.out.Refuse(f.Name, err)
		return
	}
	r.out.Flags = append(r.out.Flags, flag)
}

// asVariants returns the body of a toggle without variants as one of a toggle that has some
// in another environment.
func asVariants(b importer.Body) importer.Body {
	rename := func(name string) string {
		switch name {
		case "on":
			return enabled
		case "off":
			return disabled
		}
		return name
	}
	if b.Default != "off" {
		return b
	}
	b.Default = disabled
	for i, r := range b.Rules {
		b.Rules[i].Serve = rename(r.Serve)
		if r.Split != nil {
			for j := range r.Split.Ends {
				r.Split.Ends[j].Variant = rename(r.Split.Ends[j].Variant)
			}
		}
	}
	return b
}
