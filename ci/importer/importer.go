// Package importer turns the flags of other systems into a flag folder in which every user
// keeps their variant.
//
// A package for each system, such as ci/importer/unleash, reads that system's files into an
// [Import]: flags whose rules compare attributes and select ranges of a hash's positions.
// [Plan] turns an Import into the files of a folder, and [Verify] replays recorded decisions.
// What can't be carried over exactly is refused with the reason and its place in the source
// ([Refusal]), or reported as approximated ([Note]). Nothing is dropped silently.
//
// The package reads no network and writes no files.
package importer

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/serin-flags/serin/ci"
	"github.com/serin-flags/serin/ci/internal/source"
)

// An Import is the flags of another system.
type Import struct {
	// System is the system's name, as its makers write it.
	System string
	// Unit is the attribute that identifies users, such as userId.
	Unit string
	// Environments are those that the flags may have overrides for. Without any, the folder
	// has the environment "production".
	Environments []string
	Flags        []*Flag
	Segments     []*Segment
	Refused      []Refused
	// Notes are about the source as a whole.
	Notes []Note
	// From says where an endpoint takes attributes from, as context.yaml writes it.
	From map[string][]Place

	declared []ci.Declaration // what the folder declares already
}

// Options choose what is imported.
type Options struct {
	// Environment is the environment of the source to take; empty: all of them, where the
	// source has several.
	Environment string
	// Flag is the key of the flag to create, for sources that have no flags of their own.
	Flag string
}

// A Flag is a flag as it will be written.
type Flag struct {
	Key, Namespace     string
	Description, Owner string
	Type               string    // boolean, string, integer, number or object
	Variants           []Variant // on and off if there are none
	Body
	Overlays []Overlay
	Place    string // in the source
	Notes    []Note
}

// A Body is what environments may replace.
type Body struct {
	Default  string
	Off      string // the variant served while the flag is disabled; empty: Default
	Disabled bool
	Rules    []Rule
}

// An Overlay is what a flag is in one environment.
type Overlay struct {
	Environment string
	Body
}

// A Place is where an endpoint takes an attribute from: a kind, such as header, and a name,
// which some kinds don't have.
type Place struct{ Kind, Name string }

// A Variant is a value that a flag serves. Value is JSON.
type Variant struct{ Name, Value string }

// A Rule serves one variant, or divides units by Split.
type Rule struct {
	Name  string
	When  Condition
	Serve string
	Split *Split
	// Optional says that the rule is left out if its split is by an attribute of another type
	// than string or integer, and what that means.
	Optional string
}

// A Split divides the positions of a hash among variants: each variant has those from the
// end of the one before it up to its own, exclusively.
type Split struct {
	By        string // an attribute, or Chance
	Hash      string
	Salt      string
	Positions uint64 // 0: the hash's own
	Ends      []End
	// Grows has the share of one variant grow with time, instead of Ends. All others get the
	// flag's default.
	Grows *Growth
}

// A Growth is the positions that a variant has: none before the start, From at the start, To
// from the end on, and evenly more in between. Times are whole seconds.
type Growth struct {
	Variant    string
	From, To   uint64
	Start, End time.Time
}

// Chance is what a split is by if each call draws at random.
const Chance = "chance"

// An End is the end of a variant's positions.
type End struct {
	Variant string
	At      uint64
}

// A Segment is a named list of an attribute's values.
type Segment struct {
	Name, Description string
	Include           []string
}

// A Note says what is different about a flag, and where that stands in the source.
type Note struct {
	Place  string
	Reason string
	// Approximate says that some contexts may be answered differently than before.
	Approximate bool
}

// Refused is a flag that isn't carried over.
type Refused struct {
	Flag string
	Refusal
}

// A Refusal says why something can't be carried over, and where that stands in the source.
type Refusal struct{ Place, Reason string }

// Error returns the place, if there is one, and the reason.
func (r *Refusal) Error() string {
	if r.Place == "" {
		return r.Reason
	}
	return r.Place + ": " + r.Reason
}

// Refusef returns a refusal of what stands at a place of the source.
func Refusef(place, format string, args ...any) error {
	return &Refusal{place, fmt.Sprintf(format, args...)}
}

// Approximate adds a note that some contexts may be answered differently than before.
func (f *Flag) Approximate(place, format string, args ...any) {
	f.note(Note{place, fmt.Sprintf(format, args...), true})
}

// Note adds a note about something that makes no difference to any answer.
func (f *Flag) Note(place, format string, args ...any) {
	f.note(Note{place, fmt.Sprintf(format, args...), false})
}

func (f *Flag) note(n Note) {
	if !slices.Contains(f.Notes, n) {
		f.Notes = append(f.Notes, n)
	}
}

// bodies returns the flag's body and those of its environments.
func (f *Flag) bodies() []*Body {
	list := []*Body{&f.Body}
	for i := range f.Overlays {
		list = append(list, &f.Overlays[i].Body)
	}
	return list
}

// Refuse records that a flag isn't carried over.
func (i *Import) Refuse(flag string, err error) {
	r, ok := err.(*Refusal)
	if !ok {
		r = &Refusal{Reason: err.Error()}
	}
	i.Refused = append(i.Refused, Refused{flag, *r})
}

// Keep removes the flags that keys doesn't name, except those that the named ones depend on.
// It returns an error if there is no such flag.
func (i *Import) Keep(keys []string) error {
	byKey := make(map[string]*Flag, len(i.Flags))
	for _, f := range i.Flags {
		byKey[f.Key] = f
	}
	keep := make(map[string]bool, len(keys))
	var add func(key string)
	add = func(key string) {
		f := byKey[key]
		if keep[key] || f == nil {
			return
		}
		keep[key] = true
		for _, parent := range f.parents() {
			add(parent)
		}
	}
	for _, key := range keys {
		refused := slices.ContainsFunc(i.Refused, func(r Refused) bool { return r.Flag == key })
		if byKey[key] == nil && !refused {
			return fmt.Errorf("the source has no flag %q", key)
		}
		add(key)
	}
	i.Flags = slices.DeleteFunc(i.Flags, func(f *Flag) bool { return !keep[f.Key] })
	i.Refused = slices.DeleteFunc(i.Refused, func(r Refused) bool { return !slices.Contains(keys, r.Flag) })
	return nil
}

// parents returns the keys of the flags that f's rules depend on.
func (f *Flag) parents() []string {
	var list []string
	f.conditions(func(c Condition) {
		if c.Op == opFlag {
			list = append(list, c.Attribute)
		}
	})
	return list
}

// hasSplit reports whether the flag's file has a split by a unit whose positions are locked.
func (f *Flag) hasSplit() bool {
	for _, body := range f.bodies() {
		for _, r := range body.Rules {
			if r.Split != nil && r.Split.Grows == nil && r.Split.By != Chance && !r.When.IsNever() &&
				r.plain()[0].Split != nil {
				return true
			}
		}
	}
	return false
}

// conditions calls visit with every condition of the flag.
func (f *Flag) conditions(visit func(Condition)) {
	for _, body := range f.bodies() {
		for _, r := range body.Rules {
			r.When.each(visit)
		}
	}
}

// prune refuses the flags that depend on flags that aren't carried over.
func (i *Import) prune() {
	for {
		known := make(map[string]bool, len(i.Flags))
		for _, f := range i.Flags {
			known[f.Key] = true
		}
		before := len(i.Flags)
		i.Flags = slices.DeleteFunc(i.Flags, func(f *Flag) bool {
			for _, parent := range f.parents() {
				if !known[parent] {
					i.Refuse(f.Key, Refusef(f.Place, "it depends on the flag %q, which isn't carried over", parent))
					return true
				}
			}
			return false
		})
		if len(i.Flags) == before {
			return
		}
	}
}

// refuseKeys refuses the flags whose keys can't be the names of files.
func (i *Import) refuseKeys() {
	i.Flags = slices.DeleteFunc(i.Flags, func(f *Flag) bool {
		bad := f.Key == "" || f.Key[0] == '.' || strings.ContainsAny(f.Key, "/\\") || strings.HasSuffix(f.Key, ".test")
		if bad {
			i.Refuse(f.Key, Refusef(f.Place,
				"not a valid flag key here: %q is empty, starts with a point, contains a slash or ends in .test",
				f.Key))
		}
		return bad
	})
}

// NamespaceOf returns the namespace for what the source calls a project: its characters that
// a namespace can't have become dashes.
func NamespaceOf(project string) string {
	name := strings.Map(func(r rune) rune {
		switch {
		case 'a' <= r && r <= 'z', '0' <= r && r <= '9', r == '-', r == '_':
			return r
		case 'A' <= r && r <= 'Z':
			return r - 'A' + 'a'
		}
		return '-'
	}, project)
	if name = strings.Trim(name, "-"); len(name) > 60 {
		name = name[:60]
	}
	switch {
	case name == "":
		return "default"
	case name == "lists" || source.RoleOf(name+"/flag.yaml") != source.FlagFile:
		return name + "-flags" // folders of that name hold something else
	}
	return name
}

// RenameUnit makes name the attribute that identifies users. If the flags don't use it yet, the
// one that identifies users in the source gets that name.
func (i *Import) RenameUnit(name string) {
	was := i.Unit
	i.Unit = name
	if i.vote()[name].used() {
		return
	}
	rename := func(c *Condition) {
		if c.usesAttribute() && c.Attribute == was {
			c.Attribute = name
		}
	}
	for _, f := range i.Flags {
		for _, b := range f.bodies() {
			for j := range b.Rules {
				b.Rules[j].When.change(rename)
				if s := b.Rules[j].Split; s != nil && s.By == was {
					s.By = name
				}
			}
		}
	}
	i.Notes = append(i.Notes,
		Note{Reason: fmt.Sprintf("the attribute %q of %s is called %q here", was, i.System, name)})
}
