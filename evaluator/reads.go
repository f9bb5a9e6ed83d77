package evaluator

import (
	"maps"
	"slices"
)

// Reads returns the names of the attributes that an evaluation of f may depend on, sorted,
// including those that its segments and other flags read. Call it once for a flag, not for
// each evaluation.
func (f *CompiledFlag) Reads() []string {
	if f == nil {
		return nil
	}
	r := reader{module: f.module, seen: make(map[uint32]bool), names: make(map[string]bool)}
	r.follow(f.entry)
	return slices.Sorted(maps.Keys(r.names))
}

// A reader collects the attributes that instructions use.
type reader struct {
	module *Module
	seen   map[uint32]bool // instructions
	names  map[string]bool
}

// follow looks at all instructions that can come after pc. It may recurse as deeply as
// segments and other flags refer to each other, which Compile limits.
func (r *reader) follow(pc uint32) {
	mod := r.module
	for next := []uint32{pc}; len(next) > 0; {
		pc := next[len(next)-1]
		next = next[:len(next)-1]
		if r.seen[pc] {
			continue
		}
		r.seen[pc] = true
		in := &mod.code[pc]
		switch in.op {
		case codeServe, codeTrue, codeFalse:
			continue
		case codeStale, codePeriod, codeWindow:
		case codeServes:
			r.follow(mod.flags[mod.requirements[in.arg].flag].entry)
		case codeSegment:
			r.read(in.attribute)
			r.follow(mod.segments[in.arg].when)
		case codeSplit, codeSplitOther:
			if mod.serves[in.arg].kind&splitChance == 0 {
				r.read(in.attribute)
				next = append(next, in.no) // without the unit
			}
			continue
		default:
			r.read(in.attribute)
		}
		next = append(next, in.yes, in.no)
	}
}

// read records that an instruction uses an attribute.
func (r *reader) read(attribute uint16) { r.names[r.module.attributes[attribute].Name] = true }
