package page

import (
	"maps"
	"slices"
	"strings"

	"github.com/serin-flags/serin/evaluator"
	"github.com/serin-flags/serin/internal/display"
)

// A used is something that flags use.
type used struct {
	Name, ID, Kind string
	Words          sentence // what it is
	Flags          []string
	Segments       []string
	More           int // flags that aren't listed
}

// maxUsers is how many flags are listed for each thing that they use.
const maxUsers = 100

// used returns what uses something. id is the anchor of that on its page.
func (v *view) used(name, id, kind string, keys []string) used {
	u := used{Name: display.Line(name), ID: id, Kind: kind}
	for _, key := range keys {
		if v.sees(key) {
			u.Flags = append(u.Flags, key)
		}
	}
	for _, segment := range v.usage.segmentsOf[id] {
		if v.seesSegment(segment) {
			u.Segments = append(u.Segments, segment)
		}
	}
	if n := len(u.Flags) - maxUsers; n > 0 {
		u.Flags, u.More = u.Flags[:maxUsers], n
	}
	return u
}

// seesSegment reports whether the viewer sees a flag that uses a segment, directly or
// through other segments. Segments don't refer to themselves.
func (v *view) seesSegment(name string) bool {
	return v.all || slices.ContainsFunc(v.usage.segments[name], v.sees) ||
		slices.ContainsFunc(v.usage.segmentsOf["segment-"+name], v.seesSegment)
}

// A usageView is what flags use.
type usageView struct{ Attributes, Segments, Flags []used }

func (v *view) usages() usageView {
	var u usageView
	for _, name := range slices.Sorted(maps.Keys(v.attributes)) {
		a := v.used(name, "attribute-"+name, v.attributes[name].String(), v.usage.attributes[name])
		if v.all || len(a.Flags)+len(a.Segments) > 0 {
			u.Attributes = append(u.Attributes, a)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(v.segments)) {
		if v.seesSegment(name) {
			s := v.used(name, "segment-"+name, "", v.usage.segments[name])
			s.Words = v.segmentWords(v.segments[name])
			u.Segments = append(u.Segments, s)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(v.usage.flags)) {
		if v.sees(key) {
			u.Flags = append(u.Flags, v.used(key, "flag-"+key, "", v.usage.flags[key]))
		}
	}
	return u
}

// segmentWords says who is in a segment: of IDs only how many there are.
func (v *view) segmentWords(s *evaluator.Segment) sentence {
	var words sentence
	switch n := len(s.Include); {
	case s.IncludeList != nil:
		words.say("The IDs of a list. ")
	case n > 0:
		words.say("%s. ", counted(n, "%d ID", "%d IDs"))
	}
	if s.When != nil {
		if len(words) > 0 {
			words.say("Also matches if ")
		} else {
			words.say("Matches if ")
		}
		v.speaker().condition(&words, s.When, false)
		words.say(". ")
	}
	switch n := len(s.Exclude); {
	case s.ExcludeList != nil:
		words.say("The IDs of another list are left out.")
	case n > 0:
		words.say("%s", counted(n, "%d ID is left out.", "%d IDs are left out."))
	}
	if len(words) == 0 {
		words.say("Nobody is in it.")
	}
	last := &words[len(words)-1]
	last.Text = strings.TrimSuffix(last.Text, " ")
	return words
}
