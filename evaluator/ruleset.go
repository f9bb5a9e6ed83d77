package evaluator

// A Ruleset is a set of flags together with everything their rules refer to. It is plain
// data, not yet checked: pass it to [Compile]. Its JSON form is for inspection; nothing
// reads it back.
type Ruleset struct {
	// Unit is the name of the attribute whose value [Context].Key is. It is one of
	// Attributes, and of type AttrString.
	Unit string `json:"unit"`
	// Attributes declares all attributes that conditions and splits use. Names are
	// unique.
	Attributes []Attribute `json:"attributes"`
	// Zones are the time zones that conditions use. Names are unique.
	Zones []Zone `json:"zones,omitempty"`
	// Segments are the named groups that conditions use, including those of other
	// segments. Names are unique.
	Segments []Segment `json:"segments,omitempty"`
	// Flags are the flags to serve, in any order. Keys are unique.
	Flags []Flag `json:"flags"`
	// Prerequisites are copies of flags of other rulesets that conditions use. They
	// are evaluated for these conditions but not served. Keys are unique, also among
	// Flags.
	Prerequisites []Flag `json:"prerequisites,omitempty"`
}

// An Attribute declares the type of a context attribute.
type Attribute struct {
	Name string        `json:"name"`
	Type AttributeType `json:"type"`
	// From says where endpoints take the attribute from, as the text of package
	// internal/from. If it is empty, callers send the attribute. Evaluation doesn't
	// depend on it.
	From string `json:"from,omitempty"`
}

// AttributeType is the declared type of an attribute. It determines which operators
// apply to the attribute. A context may still hold a value of another type, which most
// comparisons don't match.
type AttributeType uint8

// The types of attributes.
const (
	AttrString  AttributeType = iota + 1 // any text
	AttrInteger                          // a 64-bit signed integer
	AttrBoolean                          // true or false
	AttrSemver                           // text that holds a semantic version
	AttrIP                               // text that holds an IPv4 or IPv6 address
	AttrList                             // a list of texts
	AttrSemverV                          // like AttrSemver, with or without a "v" before the version
	AttrTime                             // text with a time as in RFC 3339, or an integer: Unix time in seconds
	AttrNumber                           // a decimal number: an integer, a float, or text
)

// Accepts reports whether v is a value of type t, which for versions, IP addresses, times and numbers
// includes that it can be read as one. It accepts the zero Value, which means that the
// attribute is absent.
func (t AttributeType) Accepts(v Value) bool {
	if t == AttrNumber {
		_, ok := decimalOf(new([maxNumber]byte), v)
		return ok || v.kind == KindNone
	}
	switch v.kind {
	case KindNone:
		return true
	case KindString:
		switch t {
		case AttrSemver, AttrSemverV:
			_, ok := versionOf(v, t == AttrSemverV)
			return ok
		case AttrIP:
			return addrOf(v).IsValid()
		case AttrTime:
			_, ok := timeOf(v)
			return ok
		}
		return t == AttrString
	case KindInt:
		_, isTime := timeOf(v)
		return t == AttrInteger || t == AttrTime && isTime
	case KindBool:
		return t == AttrBoolean
	case KindList:
		return t == AttrList
	}
	return false
}

// A Zone is a time zone. Rulesets carry their time zones so that evaluation doesn't
// depend on the machine's time zone database.
type Zone struct {
	Name string `json:"name"` // such as Asia/Shanghai
	// Offsets are in ascending order of From. There is at least one.
	Offsets []Offset `json:"offsets"`
}

// An Offset is the difference between local time and UTC from a point in time until the
// next Offset. The first Offset of a zone also applies to earlier times.
type Offset struct {
	From    int64 `json:"from"`    // Unix time in seconds
	Seconds int   `json:"seconds"` // east of UTC, within ±86,399
}

// A Segment is a named group. A value is a member if Exclude doesn't list it and either
// Include lists it or When holds for the context.
type Segment struct {
	Name    string     `json:"name"`
	Include []string   `json:"include,omitempty"`
	Exclude []string   `json:"exclude,omitempty"`
	When    *Condition `json:"when,omitempty"` // nil: only Include counts
	// IncludeList and ExcludeList, if not nil, stand for Include and Exclude, which are
	// empty. Only compiling knows them.
	IncludeList *List `json:"-"`
	ExcludeList *List `json:"-"`
}

// A Flag is a feature flag: variants, and rules that choose among them. The first rule
// that matches decides.
type Flag struct {
	Key      string    `json:"key"`
	Type     Kind      `json:"type"`               // of the variants' values: any but KindNone and KindList
	Variants []Variant `json:"variants"`           // at least one; names are unique
	Default  int       `json:"default"`            // index of the variant served when no rule matches
	Disabled bool      `json:"disabled,omitempty"` // the kill switch: serve Off, whatever the rules say
	Off      int       `json:"off"`                // index of the variant served while Disabled
	// Stale, if not nil, overrides the rules when they are too old. It doesn't apply
	// to a disabled flag.
	Stale *Staleness `json:"stale,omitempty"`
	// Reserved, if not nil, limits the rules to a share of all units. All others are
	// served the default variant.
	Reserved *Reservation `json:"reserved,omitempty"`
	Rules    []Rule       `json:"rules,omitempty"`
	// Metadata is returned with every [Result]. Names are unique. Values are strings,
	// finite numbers and booleans.
	Metadata []Attr `json:"metadata,omitempty"`
}

// A Staleness limits the age of the rules that decide about a flag.
type Staleness struct {
	After   uint32 `json:"after"`   // largest [Context].Age for which rules count, in seconds
	Variant int    `json:"variant"` // index of the variant served to older contexts
}

// A Reservation is a flag's part of a layer. Flags of a layer are mutually exclusive if
// their reservations have the same Bucketing and no position in common.
type Reservation struct {
	Layer string `json:"layer"` // name of the layer, for traces
	Bucketing
	Spans []Span `json:"spans"` // ascending, without overlap; at least one
}

// A Span is the range of positions From ≤ p < To.
type Span struct {
	From uint64 `json:"from"`
	To   uint64 `json:"to"` // at most [Bucketing.Total]
}

// A Variant is a named value that a flag can serve.
type Variant struct {
	Name  string `json:"name"`
	Value Value  `json:"value"` // of the flag's type
}

// A Rule serves a variant, or one of several by means of a split, to the contexts for
// which When holds.
type Rule struct {
	Name    string     `json:"name"`
	When    *Condition `json:"when,omitempty"` // nil: always
	Variant int        `json:"variant"`        // index into the flag's variants, unless Split is set
	Split   *Split     `json:"split,omitempty"`
	// Metadata is returned with the results of this rule. It overrides the flag's
	// metadata of the same name.
	Metadata []Attr `json:"metadata,omitempty"`
}

// A Split chooses a variant by the position of the context's unit. Either Ranges or Ramp
// assigns positions to variants; the other one is empty.
//
// A split by chance has a zero Bucketing. Its position is [Context].Chance.
type Split struct {
	Bucketing
	Ranges []Range `json:"ranges,omitempty"`
	Ramp   *Ramp   `json:"ramp,omitempty"`
}

// A Bucketing maps units to positions. Hash computes the position, a number from 0 to
// Total-1, from Salt and the value of the attribute By. Non-empty strings and integers
// have a position; an integer has that of its decimal form. Other values have none.
type Bucketing struct {
	By   string `json:"by,omitempty"` // attribute that names the unit
	Salt string `json:"salt,omitempty"`
	Hash string `json:"hash,omitempty"` // one of [Hashes]
	// Positions is the number of positions. 0 stands for the hash's own number, and
	// most hashes accept no other. See [Bucketing.Total].
	Positions uint64 `json:"positions,omitempty"`
}

// HashMurmur3 is the name of Serin's own hash. The position is h(unit, seed) >> 32, where
// h is the first 64 bits of murmur3_x64_128 and seed is uint32(h(salt, 0)). The other
// [Hashes] are those of other systems.
const HashMurmur3 = "murmur3_x64_128"

// Positions is the number of positions of [HashMurmur3] and of [Context].Chance.
const Positions = 1 << 32

// A Range assigns the positions From ≤ p < To to a variant. The ranges of a split are in
// ascending order and cover all positions without gaps and overlaps.
type Range struct {
	From    uint64 `json:"from"`
	To      uint64 `json:"to"`
	Variant int    `json:"variant"`
}

// A Ramp splits units between two variants in shares that change over time. Variant owns
// the positions below the level at [Context].Now, and Rest owns all others.
type Ramp struct {
	Variant int `json:"variant"` // index of a variant
	Rest    int `json:"rest"`    // index of a variant
	// Points are in strictly ascending order of time. There is at least one. The
	// level is 0 before the first point, and stays constant after the last. Between
	// the points (a, x) and (b, y) it is x or, if Linear, x + (y-x)·(t-a)/(b-a) at the
	// time t, where the quotient is rounded toward zero.
	Points []Point `json:"points"`
	Linear bool    `json:"linear,omitempty"`
	// Guarded says that a guard compares both shares, so that results have an
	// [Result.Arm]. The result is the same otherwise.
	Guarded bool `json:"guarded,omitempty"`
}

// A Point is the level of a ramp at a point in time.
type Point struct {
	At    int64  `json:"at"`    // Unix time in seconds
	Level uint64 `json:"level"` // at most [Bucketing.Total]
}

// A Condition is a predicate about a context. Depending on Op it is a comparison, mostly
// of an attribute, or a combination of the conditions Of. Like regexp/syntax.Regexp it is
// a tree of plain data: each [Op] documents which fields it uses. [Compile] refuses
// comparisons with conditions in Of, and combinations with anything else.
//
// A condition either holds or doesn't; there is no third value. A comparison with an
// attribute that is missing, or that has a value of another type, is false, and OpNot
// negates it like any other.
type Condition struct {
	Op        Op          `json:"op"`
	Attribute string      `json:"attribute,omitempty"`
	Strings   []string    `json:"strings,omitempty"`
	Ints      []int64     `json:"ints,omitempty"`
	Fold      bool        `json:"fold,omitempty"` // text operators: ignore case, by Unicode simple folding
	Of        []Condition `json:"of,omitempty"`
	// List, if not nil, stands for the Strings of an OpOneOf, which are empty. Only
	// compiling knows it.
	List *List `json:"-"`
}
