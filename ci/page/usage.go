package page

import (
	"maps"
	"slices"
	"strings"

	"github.com/serin-flags/serin/ci"
	"github.com/serin-flags/serin/evaluator"
)

// A usage says which flags use what.
type usage struct {
	attributes, segments, flags map[string][]string // keys of flags, sorted, by names
	segmentsOf                  map[string][]string // segments by the anchors of what they use
}

// add adds a flag, unless it is there: flags come in their order.
func add(to map[string][]string, name, key string) {
	if list := to[name]; len(list) == 0 || list[len(list)-1] != key {
		to[name] = append(list, key)
	}
}

// findUsage finds what flags use in any environment, directly.
func (m *Model) findUsage() usage {
	u := usage{make(map[string][]string), make(map[string][]string), make(map[string][]string),
		make(map[string][]string)}
	for _, f := range m.flags {
		for _, v := range f.variants {
			refs := v.flag.Refs()
			for _, name := range refs.Attributes {
				add(u.attributes, name, f.Key)
			}
			for _, name := range refs.Segments {
				add(u.segments, name, f.Key)
			}
			for _, name := range refs.Flags {
				add(u.flags, name, f.Key)
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(m.segments)) {
		refs := m.segments[name].When.Refs()
		for _, attribute := range refs.Attributes {
			add(u.segmentsOf, "attribute-"+attribute, name)
		}
		for _, segment := range refs.Segments {
			add(u.segmentsOf, "segment-"+segment, name)
		}
	}
	return u
}

// refs returns the attributes, segments and flags that a flag refers to in any environment, each
// sorted.
func (f *flag) refs() (r evaluator.Refs) {
	for _, v := range f.variants {
		refs := v.flag.Refs()
		r.Attributes = append(r.Attributes, refs.Attributes...)
		r.Segments = append(r.Segments, refs.Segments...)
		r.Flags = append(r.Flags, refs.Flags...)
	}
	for _, list := range []*[]string{&r.Attributes, &r.Segments, &r.Flags} {
		slices.Sort(*list)
		*list = slices.Compact(*list)
	}
	return r
}

// An entry is a flag as the search finds it. Its JSON is what the script reads.
type entry struct {
	Key     string   `json:"k"`
	Owner   string   `json:"o,omitempty"`
	Serves  string   `json:"s"`
	States  []string `json:"b,omitempty"`
	Search  string   `json:"q"`
	Changes int64    `json:"c,omitempty"` // Unix seconds of the next change, 0 for none
	Where   string   `json:"w,omitempty"` // the environments in which it changes then
}

// states are those that a search finds by their names alone.
var states = []string{"ramping", "stale", "disabled", "held", "expired", "rolled-back", "warnings"}

// searchText returns what a flag is found by, other than its states, in lower case.
func (m *Model) searchText(f *flag) string {
	tokens := []string{f.Key, "owner:" + f.Owner, "namespace:" + f.Namespace, "type:" + f.Type}
	refs := f.refs()
	for _, name := range refs.Attributes {
		tokens = append(tokens, "attr:"+name)
	}
	for _, name := range refs.Segments {
		tokens = append(tokens, "segment:"+name)
	}
	tokens = append(tokens, m.valueTokens(f)...)
	tokens = append(tokens, f.Description)
	return " " + strings.ToLower(strings.Join(tokens, " "))
}

// maxValues is how many values of a flag the search knows.
const maxValues = 40

// valueTokens returns the values that a flag's variants have and that its rules compare
// with, without IDs.
func (m *Model) valueTokens(f *flag) []string {
	var tokens []string
	seen := make(map[string]bool)
	put := func(text string) {
		if len(tokens) < maxValues && !seen[text] {
			seen[text] = true
			tokens = append(tokens, clip(text))
		}
	}
	for _, v := range f.variants {
		for _, variant := range v.flag.Variants {
			put(variant.Name)
			put(string(variant.Value.JSON()))
		}
		for i := range v.flag.Rules {
			put(v.flag.Rules[i].Name)
			for c := range v.flag.Rules[i].When.Walk() {
				if c.List != nil || c.Op == evaluator.OpInSegment || c.Op == evaluator.OpServes ||
					m.hides(c.Attribute, c.Strings) {
					continue
				}
				for _, text := range c.Strings {
					put(text)
				}
			}
		}
	}
	return tokens
}

// states returns what is special about a flag at a time, in Unix seconds.
func (f *flag) states(l *lints, now int64) []string {
	var list []string
	put := func(state string) {
		if !slices.Contains(list, state) {
			list = append(list, state)
		}
	}
	for _, v := range f.variants {
		if v.flag.Disabled {
			put("disabled")
		}
		if v.changing(now) {
			put("ramping")
		}
		if v.line.State == ci.ReleaseHeld {
			put("held")
		}
		if v.line.State == ci.ReleaseBack {
			put("rolled-back")
		}
	}
	if l.expired[f.Key] {
		put("expired")
	}
	if l.expired[f.Key] || l.finished[f.Key] {
		put("stale")
	}
	if len(l.of[f.Key]) > 0 {
		put("warnings")
	}
	return list
}

// find returns the entries that a query finds. All its words must be in an entry; a state
// such as "ramping", and a word with a colon such as "owner:team", at the start of a word.
// The script of the page does the same.
func find(list []entry, query string) []entry {
	words := strings.Fields(strings.ToLower(query))
	for i, w := range words {
		switch {
		case slices.Contains(states, w):
			words[i] = " is:" + w
		case strings.Contains(w, ":"):
			words[i] = " " + w
		}
	}
	var found []entry
	for _, e := range list {
		if !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(e.Search, w) }) {
			found = append(found, e)
		}
	}
	return found
}
