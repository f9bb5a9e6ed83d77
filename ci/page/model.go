package page

import (
	"errors"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/serin-flags/serin/bundle"
	"github.com/serin-flags/serin/ci"
	"github.com/serin-flags/serin/ci/plans"
	"github.com/serin-flags/serin/evaluator"
	"github.com/serin-flags/serin/internal/served"
)

// A Source is what a page is about. Environments is required; of the rest, what is missing
// isn't shown.
type Source struct {
	// Environments are the compiled flags, in the order in which people know the environments.
	Environments []Environment
	// Estate is the flag folder that they come from. It adds descriptions, owners, files,
	// warnings and the coverage of tests.
	Estate *ci.Estate
	// Records are the decisions about plans, in any order: see [plans.ReadRecords].
	Records []*plans.Record
	// Reads are the places where code reads flags, such as shop/cart.go:12, by their keys; nil
	// if nothing is known of code.
	Reads map[string][]string
	// Expires is when the published metadata expires.
	Expires time.Time
	// Revision is the published revision.
	Revision int64
}

// An Environment is the flags of one.
type Environment struct {
	Name     string // "": flags without what environments replace
	Payloads []bundle.Payload
	Plans    []*ci.Plan
	Lines    ci.ReleaseLines // how far the plans have got
}

// unit returns the name of the attribute that is the key of a context, "" if there are no flags.
func (e *Environment) unit() string {
	if len(e.Payloads) == 0 {
		return ""
	}
	return e.Payloads[0].Ruleset.Unit
}

// A Model is what a page can show. It never changes, but for what depends on the time that it is
// looked at, and is safe for concurrent use.
type Model struct {
	source     Source
	flags      []*flag // sorted by key
	byKey      map[string]*flag
	segments   map[string]*evaluator.Segment
	attributes map[string]evaluator.AttributeType
	units      map[string]bool // attributes whose values are IDs
	public     map[string]bool // namespaces that anybody may read in every environment
	programs   []func() (*evaluator.Program, error)
	usage      usage
	files      map[string]string // the keys of flags, by their files

	mu     sync.Mutex
	moment *moment // that was last asked for
}

// A flag is one in all environments.
type flag struct {
	Key, Namespace, Type        string
	Description, Owner, Expires string
	File                        string
	variants                    []*variation
	coverage                    []ci.RuleCoverage
	records                     []*plans.Record // the newest first
	search                      string          // what it is found by, without its states
}

// A variation is a flag in the environments in which it is the same.
type variation struct {
	environments []string
	flag         *evaluator.Flag
	plan         *ci.Plan
	line         ci.ReleaseLine
}

// New makes a Model. It retains what it is given.
func New(s Source) (*Model, error) {
	if len(s.Environments) == 0 {
		return nil, errors.New("there is no environment to show")
	}
	m := &Model{
		source: s, byKey: make(map[string]*flag), segments: make(map[string]*evaluator.Segment),
		attributes: make(map[string]evaluator.AttributeType), units: make(map[string]bool),
		public: make(map[string]bool),
	}
	for i := range s.Environments {
		m.addEnvironment(&s.Environments[i])
	}
	m.flags = slices.SortedFunc(maps.Values(m.byKey), func(a, b *flag) int { return strings.Compare(a.Key, b.Key) })
	if s.Estate != nil {
		m.addEstate(s.Estate)
	}
	for _, r := range s.Records {
		if f := m.byKey[r.Flag]; f != nil {
			f.records = append(f.records, r)
		}
	}
	for _, f := range m.flags {
		slices.SortStableFunc(f.records, func(a, b *plans.Record) int { return b.Time.Compare(a.Time) })
	}
	m.usage = m.findUsage()
	for _, f := range m.flags {
		f.search = m.searchText(f)
	}
	return m, nil
}

// addEnvironment adds the flags of an environment. The one who is first met decides what
// differs from it.
func (m *Model) addEnvironment(e *Environment) {
	plans := make(map[string]*ci.Plan, len(e.Plans))
	for _, p := range e.Plans {
		plans[p.Flag] = p
	}
	for i := range e.Payloads {
		p := &e.Payloads[i]
		m.addNames(&p.Ruleset)
		public, known := m.public[p.Namespace]
		m.public[p.Namespace] = p.Public && (public || !known)
		for j := range p.Ruleset.Flags {
			compiled := &p.Ruleset.Flags[j]
			f := m.byKey[compiled.Key]
			if f == nil {
				f = &flag{Key: compiled.Key, Namespace: p.Namespace, Type: compiled.Type.String()}
				m.byKey[f.Key] = f
			}
			f.add(e, compiled, plans[f.Key])
		}
	}
	m.programs = append(m.programs, sync.OnceValues(func() (*evaluator.Program, error) {
		return ci.Program(e.Payloads)
	}))
}

// addNames adds what a ruleset's rules refer to.
func (m *Model) addNames(set *evaluator.Ruleset) {
	m.units[set.Unit] = true
	for _, a := range set.Attributes {
		m.attributes[a.Name] = a.Type
	}
	for i := range set.Segments {
		if s := &set.Segments[i]; m.segments[s.Name] == nil {
			m.segments[s.Name] = s
		}
	}
	for i := range set.Flags {
		f := &set.Flags[i]
		for _, r := range f.Rules {
			if r.Split != nil {
				m.units[r.Split.By] = true
			}
		}
		if f.Reserved != nil {
			m.units[f.Reserved.By] = true
		}
	}
}

// add adds what a flag is in an environment.
func (f *flag) add(e *Environment, compiled *evaluator.Flag, p *ci.Plan) {
	if p == nil {
		for _, v := range f.variants {
			if v.plan == nil && sameFlag(v.flag, compiled) {
				v.environments = append(v.environments, e.Name)
				return
			}
		}
	}
	v := &variation{environments: []string{e.Name}, flag: compiled, plan: p}
	if p != nil {
		v.line = e.Lines.Get(p)
	}
	f.variants = append(f.variants, v)
}

// addEstate adds what only the files say.
func (m *Model) addEstate(e *ci.Estate) {
	for _, a := range e.Attributes() {
		m.attributes[a.Name] = a.Type
		if a.Unit || a.Listed {
			m.units[a.Name] = true
		}
	}
	m.files = make(map[string]string, len(m.flags))
	for _, f := range m.flags {
		file, err := e.Effective(f.Key, "")
		if err != nil {
			continue // published, and not in this folder
		}
		f.Description, f.Owner, f.Expires, f.File = file.Description, file.Owner, file.Expires, file.File
		m.files[f.File] = f.Key
	}
	for _, r := range e.Test(ci.TestOptions{}).Rules {
		if f := m.byKey[r.Flag]; f != nil {
			f.coverage = append(f.coverage, r)
		}
	}
}

// program returns the flags of an environment, ready to be evaluated, nil if there is no
// such environment.
func (m *Model) program(environment string) (*evaluator.Program, error) {
	for i, e := range m.source.Environments {
		if e.Name == environment {
			return m.programs[i]()
		}
	}
	return nil, nil
}

// environments returns the names of the environments.
func (m *Model) environments() []string {
	names := make([]string, len(m.source.Environments))
	for i, e := range m.source.Environments {
		names[i] = e.Name
	}
	return names
}

// in returns what a flag is in an environment, or nil if it isn't there.
func (f *flag) in(environment string) *variation {
	for _, v := range f.variants {
		if slices.Contains(v.environments, environment) {
			return v
		}
	}
	return nil
}

// title names the environments of a variation, for a heading.
func (v *variation) title(all int) string {
	if len(v.environments) == all {
		return "in every environment"
	}
	return "in " + strings.Join(v.environments, ", ")
}

// running reports whether the plan of the flag goes on by itself.
func (v *variation) running() bool {
	return v.line.State == ci.ReleaseRunning
}

// changing reports whether a ramp or a plan of the flag is still to go on.
func (v *variation) changing(now int64) bool {
	if v.flag.Disabled {
		return false
	}
	if v.plan != nil {
		return v.running() && v.line.Share < ci.WholeShare
	}
	return served.NextChange(v.flag, now) != 0
}

// sameFlag reports whether two flags are the same.
func sameFlag(a, b *evaluator.Flag) bool { return reflect.DeepEqual(a, b) }
