package diff

import (
	"reflect"
	"slices"

	"github.com/serin-flags/serin/ci/internal/decide"
	"github.com/serin-flags/serin/evaluator"
)

// A merger makes one ruleset of many that agree in what they share, as the
// namespaces of an estate do. Those that don't agree with it stay alone.
type merger struct {
	all   evaluator.Ruleset
	have  *decide.Index
	alone []evaluator.Ruleset
}

// list returns the rulesets.
func (m *merger) list() []evaluator.Ruleset {
	if m.have == nil {
		return nil
	}
	// A flag that is served needs no copy for those that depend on it.
	served := make(map[string]bool, len(m.all.Flags))
	for i := range m.all.Flags {
		served[m.all.Flags[i].Key] = true
	}
	m.all.Prerequisites = slices.DeleteFunc(m.all.Prerequisites, func(f evaluator.Flag) bool { return served[f.Key] })
	return append([]evaluator.Ruleset{m.all}, m.alone...)
}

// merge adds a ruleset, whose parts it keeps pointing to.
func (m *merger) merge(set evaluator.Ruleset) {
	if m.have == nil { // the first one says what the unit is
		m.all.Unit = set.Unit
		none := decide.NewIndex(&evaluator.Ruleset{})
		m.have = &none
	}
	if !m.agrees(&set) {
		m.alone = append(m.alone, set)
		return
	}
	for _, a := range set.Attributes {
		if _, ok := m.have.Attributes[a.Name]; !ok {
			m.have.Attributes[a.Name] = a.Type
			m.all.Attributes = append(m.all.Attributes, a)
		}
	}
	mergeNew(m.have.Zones, &m.all.Zones, set.Zones, func(z *evaluator.Zone) string { return z.Name })
	mergeNew(m.have.Segments, &m.all.Segments, set.Segments, func(s *evaluator.Segment) string { return s.Name })
	key := func(f *evaluator.Flag) string { return f.Key }
	mergeNew(m.have.Flags, &m.all.Prerequisites, set.Prerequisites, key)
	for i := range set.Flags {
		m.have.Flags[set.Flags[i].Key] = &set.Flags[i]
	}
	m.all.Flags = append(m.all.Flags, set.Flags...)
}

// mergeNew adds the elements of a list whose names are new. Elements with a known name are equal: see
// agrees.
func mergeNew[T any](have map[string]*T, all *[]T, list []T, name func(*T) string) {
	for i := range list {
		if n := name(&list[i]); have[n] == nil {
			have[n] = &list[i]
			*all = append(*all, list[i])
		}
	}
}

// agrees reports whether what a ruleset has by the names that are known is the
// same.
func (m *merger) agrees(set *evaluator.Ruleset) bool {
	if set.Unit != m.all.Unit {
		return false
	}
	for _, a := range set.Attributes {
		if typ, ok := m.have.Attributes[a.Name]; ok && typ != a.Type {
			return false
		}
	}
	for i := range set.Zones {
		if z := m.have.Zones[set.Zones[i].Name]; z != nil && !slices.Equal(z.Offsets, set.Zones[i].Offsets) {
			return false
		}
	}
	for i := range set.Segments {
		s := &set.Segments[i]
		if t := m.have.Segments[s.Name]; t != nil && (compareLists(s.Include, t.Include) != 0 ||
			compareLists(s.Exclude, t.Exclude) != 0 || !reflect.DeepEqual(s.When, t.When)) {
			return false
		}
	}
	for _, flags := range [][]evaluator.Flag{set.Flags, set.Prerequisites} {
		for i := range flags {
			if f := m.have.Flags[flags[i].Key]; f != nil && !reflect.DeepEqual(*f, flags[i]) {
				return false
			}
		}
	}
	return true
}
