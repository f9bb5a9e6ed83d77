package evaluator

import (
	"sync"
	"sync/atomic"
)

// A Module is one compiled ruleset. [Link] combines Modules into a [Program]. A Module is
// immutable and safe for concurrent use, and may be part of any number of Programs.
type Module struct {
	// The rules of all flags are compiled into one array of instructions, code. A test
	// continues at one of two instructions. So any nesting of OpAll, OpAny and OpNot,
	// and the step from one rule to the next, is a walk through the array that needs
	// no stack. Operands are kept in further arrays. A few large arrays are fast to
	// build and to walk, and easy on the garbage collector.

	unit       uint16 // index of the unit attribute
	attributes []Attribute
	index      map[string]uint16 // from a name to its index in attributes

	flags []CompiledFlag // those to serve, then the prerequisites
	count int            // number of flags to serve

	code         []instr
	serves       []serve
	operands     []uint32   // symbols of codeIn and of lists
	ids          []idSet    // operands of codeIDs
	ints         []int64    // operands of codeBetween and codePeriod
	versions     []interval // operands of codeVersion
	tests        []test
	segments     []segment
	reservations []reservation
	bucketings   []bucketing // of reservations, and of splits that don't use HashMurmur3
	requirements []requirement
	windows      []window
	ramps        []ramp
	ends         []uint32    // last positions of the ranges of splits
	picks        []uint16    // variants of the ranges of splits
	wide         []wideRange // ranges of splits that don't use HashMurmur3
	metadata     [][]Attr
	splitters    []uint16       // attributes that splits use as units
	expressions  map[uint16]int // regular expressions of all conditions, by attribute
	names        []string       // of rules; the first is empty
	lists        []symbolList
	bits         []uint64 // of lists
	shapes       []byte   // nesting of conditions, read by conditionWalk

	tabled sync.Once // table is built when it is first needed
	table  *table
	bulks  sync.Pool // of *bulk

	ranks  []uint8        // of attributes that sieves look at, or noRank
	ranked [noRank]ranked // attributes by rank

	// dictionaries are the texts that each attribute is compared with. To evaluate many
	// flags, each attribute of the context is looked up once; comparisons then compare
	// symbols.
	dictionaries []dictionary
	salts        []string // of splits; the first is empty
}

// An instr is one step of an evaluation.
type instr struct {
	op        opcode
	n         uint8  // codeIn: number of operands
	attribute uint16 // index of the attribute to test, or of a split's unit
	yes, no   uint32 // the next instruction, depending on the outcome
	arg       uint32 // index of the operand, see opcode
}

type opcode uint8

const (
	codeServe      opcode = iota // serve serves[arg]
	codeStale                    // test: is Context.Age more than arg?
	codeSplit                    // serve serves[arg] by chance or HashMurmur3; without a unit go to no
	codeSplitOther               // the same for other hashes
	codeReserve                  // test: is the unit's position in reservations[arg]?
	codeIs                       // test: is the attribute the text with the symbol arg?
	codeIn                       // test: is it one of the n texts with the symbols operands[arg:]?
	codeAmong                    // test: is its symbol in lists[arg]?
	codeIDs                      // test: is it in ids[arg]?
	codeBetween                  // test: is it from ints[arg] to ints[arg+1]?
	codeVersion                  // test: is it a version in versions[arg]?
	codeTest                     // test: does tests[arg] hold for it?
	codeAddr                     // the same for tests of IP addresses
	codeMatch                    // the same for regular expressions
	codeBucket                   // the same for positions
	codeExists                   // test: does the context have the attribute?
	codeSegment                  // test: is the attribute a member of segments[arg]?
	codeServes                   // test: is requirements[arg] met?
	codePeriod                   // test: is the time from ints[arg] to before ints[arg+1]?
	codeWindow                   // test: is the time in windows[arg]?
	codeTrue                     // end of a segment's condition that holds
	codeFalse                    // end of a segment's condition that doesn't hold
)

// A serve is an outcome of an evaluation. There are many, so it has no pointers for the
// garbage collector to follow.
type serve struct {
	rule    uint32 // index into names; 0 if no rule matched
	variant uint16 // the variant or, for a split, that of the first range
	last    uint16 // for a split, the variant of the last range
	unit    uint16 // for a split, the index of the unit attribute
	reason  Reason
	kind    splitKind // 0 if it isn't a split
	seed    uint32    // of HashMurmur3; for splitOther, an index into bucketings
	end     uint32    // for splitRanges, the last position of the first range; for splitRamp, 0

	// For splitRamp the ramp is ramps[from]. For splitRanges the ranges are
	// wide[from:from+n] if the hash is another one, and those of ends and picks
	// [from:from+n] otherwise. If n is 0 there are two ranges, which end describes.
	from, n uint32

	salt     uint32 // index into salts; 0 stands for the flag's key
	metadata uint32 // index into metadata
	pc       uint32 // its instruction; those of its condition follow
	shape    uint32 // end of its condition's shape; 0 if it has no condition
}

type splitKind uint8

const (
	splitRanges splitKind = 1 << iota
	splitRamp
	splitChance // the position is Context.Chance
	splitOther  // the hash isn't HashMurmur3
	splitGuarded
)

// A segment is a compiled Segment.
type segment struct {
	name             string
	include, exclude idSet
	when             uint32 // first instruction of its condition
	end              uint32 // after the last instruction of its condition
	shape            uint32 // end of its condition's shape, as in serve
}

// A wideRange is a range of a split that doesn't use HashMurmur3.
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

// A requirement is a compiled OpServes.
type requirement struct {
	flag     uint32   // index into flags
	variants []uint16 // the flag must serve one of them
}

// A CompiledFlag is a flag of a [Program]. It is immutable and safe for concurrent use. A
// nil CompiledFlag can be evaluated, with [ReasonError].
type CompiledFlag struct {
	module   *Module
	key      string
	variants []Variant
	chance   bool
	time     bool
	age      bool
	varies   bool // chance, time or age
	disabled bool
	entry    uint32 // first instruction
	end      uint32 // after the last instruction of its rules
	rules    uint32 // number of rules
	serves   uint32 // index of its default in serves; its rules follow, from the last to the first

	// Shortcuts. If list isn't nil, the flag first tests whether list has the
	// targeting key, and continues with listed or unlisted. All other evaluations
	// start at way.
	way      way
	list     *idSet
	listed   way
	unlisted way

	sifted atomic.Pointer[sieve] // made when it is first needed
}

// A way is where an evaluation continues, at an instruction. If nothing is left to test, serve is
// the outcome: a variant, or a split by the targeting key. So most evaluations don't need a walk.
type way struct {
	serve *serve
	pc    uint32
}

// Key returns the flag's key.
func (f *CompiledFlag) Key() string { return f.key }

// Module returns the Module that the flag belongs to.
func (f *CompiledFlag) Module() *Module { return f.module }

// UsesChance reports whether the result may depend on [Context].Chance.
func (f *CompiledFlag) UsesChance() bool { return f.chance }

// UsesTime reports whether the result may depend on [Context].Now.
func (f *CompiledFlag) UsesTime() bool { return f.time }

// UsesAge reports whether the result may depend on [Context].Age.
func (f *CompiledFlag) UsesAge() bool { return f.age }

// Varies reports whether the result may depend on more than the targeting key and the
// attributes: on chance, time or age.
func (f *CompiledFlag) Varies() bool { return f.varies }

// ruleEnd returns where the instructions of rule i end.
func (f *CompiledFlag) ruleEnd(i uint32) uint32 {
	if i == 0 {
		return f.end
	}
	return f.module.serves[f.serves+f.rules-i+1].pc
}
