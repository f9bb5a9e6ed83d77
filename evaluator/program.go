package evaluator

import (
	"errors"
	"fmt"
	"iter"
	"slices"
	"sort"
)

// A Program is a set of compiled flags. It is immutable and safe for concurrent use. A
// nil Program has no flags.
type Program struct {
	modules     []*Module
	byKey       map[string]*CompiledFlag
	sorted      []linkedFlag // by key
	declared    map[string]Attribute
	expressions map[string]int // regular expressions of all conditions, by attribute
}

// A linkedFlag is a flag of a Program.
type linkedFlag struct {
	*CompiledFlag
	module uint32 // index into Program.modules
	index  uint32 // index into Module.flags
}

// byKey sorts flags. Package slices would add 15 KB to every program for each type that it
// sorts; package sort, which most programs have, adds nothing.
type byKey []linkedFlag

func (b byKey) Len() int           { return len(b) }
func (b byKey) Less(i, j int) bool { return b[i].key < b[j].key }
func (b byKey) Swap(i, j int)      { b[i], b[j] = b[j], b[i] }

// Compile checks rulesets and compiles them into one Program. It calls [CompileModule]
// for each ruleset, and then [Link].
//
// The Program doesn't retain the rulesets, except for their strings.
//
// The error joins a [*CompileError] for everything that is wrong. After 100 of them, one
// more says how many were left out.
func Compile(sets ...Ruleset) (*Program, error) {
	var all problems
	modules := make([]*Module, len(sets))
	for i := range sets {
		modules[i] = compileModule(&sets[i], &all)
	}
	if err := all.err(); err != nil {
		return nil, err
	}
	return Link(modules...)
}

// Link combines modules into one Program. Flag keys must be unique across all modules,
// and modules must agree on the unit attribute and on the types of attributes. Segments
// and prerequisites belong to their module. Errors are reported as by [Compile].
func Link(modules ...*Module) (*Program, error) {
	n := 0
	for _, mod := range modules {
		n += mod.count
	}
	p := &Program{
		modules:     slices.Clone(modules),
		byKey:       make(map[string]*CompiledFlag, n),
		sorted:      make([]linkedFlag, 0, n),
		declared:    make(map[string]Attribute),
		expressions: make(map[string]int),
	}
	var all problems
	for i, mod := range modules {
		p.declare(mod, &all)
		for j := range mod.flags[:mod.count] {
			f := &mod.flags[j]
			if _, dup := p.byKey[f.key]; dup {
				all.add(&CompileError{Flag: f.key, Err: fmt.Errorf("the key %q is not unique", f.key)})
			}
			p.byKey[f.key] = f
			p.sorted = append(p.sorted, linkedFlag{f, uint32(i), uint32(j)})
		}
	}
	if err := all.err(); err != nil {
		return nil, err
	}
	sort.Sort(byKey(p.sorted))
	return p, nil
}

// declare adds the attributes of a module, which must agree with earlier modules.
func (p *Program) declare(mod *Module, all *problems) {
	for _, a := range mod.attributes {
		switch other, ok := p.declared[a.Name]; {
		case ok && other.Type != a.Type:
			all.add(&CompileError{Err: fmt.Errorf("the attribute %q is declared as %v and as %v", a.Name,
				other.Type, a.Type)})
		case ok && other.From != a.From:
			all.add(&CompileError{Err: fmt.Errorf("the attribute %q is declared with two values of \"from\"", a.Name)})
		}
		p.declared[a.Name] = a
	}
	for i, n := range mod.expressions {
		p.expressions[mod.attributes[i].Name] += n
	}
	if unit, other := p.Unit(), mod.attributes[mod.unit].Name; unit != other {
		all.add(&CompileError{Err: fmt.Errorf("the unit is %q in one ruleset and %q in another", unit, other)})
	}
}

// Flag returns the flag with the given key, or nil if there is none. To save the lookup,
// callers may keep the flag for as long as they use the Program.
func (p *Program) Flag(key string) *CompiledFlag {
	if p == nil {
		return nil
	}
	return p.byKey[key]
}

// Keys returns the keys of all flags, sorted.
func (p *Program) Keys() []string {
	if p == nil {
		return nil
	}
	keys := make([]string, len(p.sorted))
	for i, f := range p.sorted {
		keys[i] = f.key
	}
	return keys
}

// Len returns the number of flags.
func (p *Program) Len() int {
	if p == nil {
		return 0
	}
	return len(p.sorted)
}

// Flags yields all flags, sorted by key.
func (p *Program) Flags() iter.Seq[*CompiledFlag] {
	return func(yield func(*CompiledFlag) bool) {
		if p == nil {
			return
		}
		for _, f := range p.sorted {
			if !yield(f.CompiledFlag) {
				return
			}
		}
	}
}

// Unit returns the name of the unit attribute, whose value [Context].Key is. A Program
// without modules has none, and returns "".
func (p *Program) Unit() string {
	if p == nil || len(p.modules) == 0 {
		return ""
	}
	mod := p.modules[0]
	return mod.attributes[mod.unit].Name
}

// AttributeType returns the declared type of an attribute, and whether it is declared.
func (p *Program) AttributeType(name string) (AttributeType, bool) {
	if p == nil {
		return 0, false
	}
	a, ok := p.declared[name]
	return a.Type, ok
}

// Attributes yields the declared attributes, each once, in no particular order.
func (p *Program) Attributes() iter.Seq[Attribute] {
	return func(yield func(Attribute) bool) {
		if p == nil {
			return
		}
		for _, a := range p.declared {
			if !yield(a) {
				return
			}
		}
	}
}

// Expressions returns how many regular expressions conditions match an attribute with. One
// that several conditions have counts for each. Each takes time for every byte of the
// attribute's value, so servers should limit the length of such attributes.
func (p *Program) Expressions(name string) int {
	if p == nil {
		return 0
	}
	return p.expressions[name]
}

// maxErrors is the number of errors that [Compile] lists.
const maxErrors = 100

// problems collects the errors of a compilation.
type problems struct {
	list  []error // the first maxErrors
	count int     // of all errors
}

func (p *problems) add(e *CompileError) {
	if p.count++; p.count <= maxErrors {
		p.list = append(p.list, e)
	}
}

func (p *problems) err() error {
	if p.count == 0 {
		return nil
	}
	if more := p.count - len(p.list); more > 0 {
		p.list = append(p.list, &CompileError{Err: fmt.Errorf("more errors: %d", more)})
	}
	return errors.Join(p.list...)
}
