package evaluator

// A Module is one compiled ruleset: what [Link] makes a [Program] of. It is
// immutable and safe for concurrent use, and may be part of any number of
// Programs.
//
// The rules of all flags stand in one array of instructions. A test goes on at
// one of two places, so that any nesting of All, Any and Not, and the step from
// one rule to the next, becomes a walk from instruction to instruction without
// a stack. What instructions need beside that stands in arrays of their own,
// few and large instead of many and small: it is quick to build and to walk
// through, and there is little for the garbage collector to do.
type Module struct {
	unit       uint16 // index of the unit attribute
	attributes []Attribute
	index      map[string]uint16 // of attributes by name

	flags []CompiledFlag // those that are served, then the prerequisites
	count int            // how many are served

	code         []instr
	serves       []serve
	operands     []uint32   // symbols of codeIn
	ids          []idSet    // operands of codeIDs
	ints         []int64    // operands of codeBetween and codePeriod
	versions     []interval // operands of codeVersion
	tests        []test
	segments     []segment
	reservations []reservation
	bucketings   []bucketing // of reservations, and of splits by another hash than HashMurmur3
	requirements []requirement
	windows      []window
	ramps        []ramp
	ends         []uint32    // the last positions of ranges of splits
	picks        []uint16    // and what they serve
	wide         []wideRange // of splits by another hash
	metadata     [][]Attr
	splitters    []uint16 // attributes by which splits choose
	names        []string // of rules; the first is empty
	shapes       []byte   // of conditions, for [CompiledFlag.Explain]: see shape

	table func() *table // made when it is first asked for

	// A symbol is the number of a text that conditions compare string
	// attributes with, so that texts of a context are looked up once where
	// many flags are evaluated. 0 is no symbol.
	texts   []string
	symbols map[string]uint32
}

// An instr is one step of an evaluation.
type instr struct {
	op        opcode
	n         uint8  // codeIn: how many operands
	attribute uint16 // index of the attribute tested, or of a split's unit
	yes, no   uint32 // where to go on
	arg       uint32 // where its operand stands, see opcode
}

type opcode uint8

const (
	codeServe      opcode = iota // the end: serves[arg]
	codeStale                    // are the flags older than arg seconds?
	codeSplit                    // the end: serves[arg], by chance or HashMurmur3; no unit: no
	codeSplitOther               // the same, by another hash
	codeReserve                  // is the unit's position in reservations[arg]?
	codeIs                       // is the attribute the text of the symbol arg?
	codeIn                       // … of one of the n symbols operands[arg:]?
	codeIDs                      // … of one of ids[arg]?
	codeBetween                  // is it between ints[arg] and ints[arg+1]?
	codeVersion                  // is it a version within versions[arg]?
	codeTest                     // does tests[arg] hold for it?
	codeAddr                     // the same, for tests of IP addresses,
	codeMatch                    // for regular expressions,
	codeBucket                   // and for positions
	codeExists                   // does the context have the attribute?
	codeSegment                  // is it a member of segments[arg]?
	codeServes                   // does another flag serve what requirements[arg] says?
	codePeriod                   // is the time between ints[arg] and ints[arg+1]?
	codeWindow                   // is the time in windows[arg]?
	codeTrue                     // the end of a segment's condition: it holds
	codeFalse                    // the end of a segment's condition: it doesn't
)

// serve is the outcome of an evaluation. It has no pointers: there are many, and
// the garbage collector needn't look at them.
type serve struct {
	rule     uint32 // index of its name in names; 0: none
	variant  uint16 // codeServe; codeSplit: that of the first range,
	last     uint16 // and that of the last
	unit     uint16 // codeSplit: index of the attribute
	reason   Reason
	kind     splitKind // codeSplit; 0: codeServe
	seed     uint32    // splitOther: index into bucketings
	end      uint32    // splitRanges: the last position of the first range; splitRamp: 0
	from, n  uint32    // splitRanges: ends[from:from+n], unless there are just two, or wide[from:from+n]; splitRamp: ramps[from]
	salt     uint32    // symbol; 0: the flag's key
	metadata uint32    // index into metadata
	pc       uint32    // where its instruction stands: those of its condition follow
	shape    uint32    // where the shape of its condition ends; 0: no condition
}

type splitKind uint8

const (
	splitRanges splitKind = 1 << iota
	splitRamp
	splitChance // the position is Context.Chance
	splitOther  // the hash isn't HashMurmur3
)

// A segment is a compiled Segment.
type segment struct {
	name             string
	include, exclude idSet
	when             uint32 // where its condition starts
	end              uint32 // after the last instruction of its condition
	shape            uint32 // as in serve
}

// A wideRange is a range of a split by another hash than HashMurmur3.
type wideRange struct {
	to      uint64
	variant uint16
}

// A reservation is a compiled Reservation.
type reservation struct {
	layer     string
	bucketing uint32 // index into bucketings
	spans     []Span
}

func (r *reservation) has(position uint64) bool {
	for _, s := range r.spans {
		if s.From <= position && position < s.To {
			return true
		}
	}
	return false
}

// A requirement is what another flag has to serve.
type requirement struct {
	flag     uint32   // index into flags
	variants []uint16 // one of these
}

// A CompiledFlag is a flag ready to be evaluated. It is immutable and safe for
// concurrent use.
type CompiledFlag struct {
	module   *Module
	key      string
	variants []Variant
	chance   bool
	time     bool
	age      bool
	varies   bool // one of them
	disabled bool
	entry    uint32 // where its evaluation starts
	end      uint32 // after the last instruction of its rules
	rules    uint32 // how many
	serves   uint32 // serves[serves] is for no rule; after it those of the rules, last to first

	way      way    // of all evaluations, unless there is a list
	list     *idSet // if the flag first asks whether this has the targeting key,
	listed   way    // the ways from there
	unlisted way
}

// A way is from where an evaluation goes on. If there is nothing more to test,
// serve is the outcome, a variant or one of two by the targeting key: so most
// answers are found without a walk. It is nil in all other cases.
type way struct {
	serve *serve
	pc    uint32
}

// Key returns the flag's key.
func (f *CompiledFlag) Key() string { return f.key }

// UsesChance reports whether the answer may depend on [Context.Chance].
func (f *CompiledFlag) UsesChance() bool { return f.chance }

// UsesTime reports whether the answer may depend on [Context.Now].
func (f *CompiledFlag) UsesTime() bool { return f.time }

// UsesAge reports whether the answer may depend on [Context.Age].
func (f *CompiledFlag) UsesAge() bool { return f.age }

// Varies reports whether the answer may depend on anything but the flag and the
// attributes: on chance, on time, or on age.
func (f *CompiledFlag) Varies() bool { return f.varies }

// ruleEnd returns where the instructions of rule i end.
func (f *CompiledFlag) ruleEnd(i uint32) uint32 {
	if i == 0 {
		return f.end
	}
	return f.module.serves[f.serves+f.rules-i+1].pc
}
