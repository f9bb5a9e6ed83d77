package evaluator

// A Ruleset is a set of flags with everything their rules refer to: plain
// data, as a payload carries it and before [Compile] has checked it. Its JSON
// form is for people and programs to look at; nothing reads it back.
type Ruleset struct {
	// Unit names the attribute that a context's targeting key stands for
	// (see [Context.Key]): one of Attributes, a string.
	Unit string `json:"unit"`
	// Attributes declares every attribute that a condition or a split
	// names. Names are unique.
	Attributes []Attribute `json:"attributes"`
	// Zones are the time zones that conditions refer to. Names are unique.
	Zones []Zone `json:"zones,omitempty"`
	// Segments are the named groups that conditions of flags, and of other
	// segments, refer to. Names are unique.
	Segments []Segment `json:"segments,omitempty"`
	// Flags in any order. Keys are unique.
	Flags []Flag `json:"flags"`
	// Prerequisites are copies of flags of other rulesets, for the
	// conditions here that refer to them, directly or by way of each other.
	// They are evaluated as those conditions need it, and not served. Their
	// keys are unique, among Flags too.
	Prerequisites []Flag `json:"prerequisites,omitempty"`
}

// An Attribute declares the type of a context attribute.
type Attribute struct {
	Name string        `json:"name"`
	Type AttributeType `json:"type"`
}

// AttributeType is what conditions may assume about an attribute. It decides
// which operators apply to it ([Condition.Check]); what a context really holds
// is decided at evaluation, where a value of another type makes a comparison
// false.
type AttributeType uint8

// The types of attributes.
const (
	AttrString  AttributeType = iota + 1 // any text
	AttrInteger                          // a 64-bit signed integer
	AttrBoolean                          // true or false
	AttrSemver                           // text that holds a semantic version
	AttrIP                               // text that holds an IPv4 or IPv6 address
	AttrList                             // a list of texts
)

// A Zone is a time zone: what a clock on the wall there shows, without a
// database of time zones at the place of evaluation.
type Zone struct {
	Name string `json:"name"` // such as Asia/Shanghai
	// Offsets in ascending order of their times, at least one.
	Offsets []Offset `json:"offsets"`
}

// An Offset is how far local time is ahead of UTC from a time on, until the
// next offset's. The first one of a zone holds before its time too.
type Offset struct {
	From    int64 `json:"from"`    // Unix time in seconds
	Seconds int   `json:"seconds"` // within ±86,399
}

// A Segment is a named group. A value is a member if it is not on Exclude, and
// is on Include or When holds for the context.
type Segment struct {
	Name    string     `json:"name"`
	Include []string   `json:"include,omitempty"`
	Exclude []string   `json:"exclude,omitempty"`
	When    *Condition `json:"when,omitempty"` // nil: nobody but Include
}

// A Flag is a feature flag: the variants it may serve and the rules that
// choose among them. The first rule that matches serves.
type Flag struct {
	Key      string    `json:"key"`
	Type     Kind      `json:"type"`               // of the variants' values: any but KindNone and KindList
	Variants []Variant `json:"variants"`           // at least one; names are unique
	Default  int       `json:"default"`            // index of the variant served when no rule matches
	Disabled bool      `json:"disabled,omitempty"` // the kill switch: Off is served whatever the rules say
	Off      int       `json:"off"`                // index of the variant served while Disabled
	// Stale, if not nil, says what is served when the flags have grown old,
	// unless the flag is Disabled.
	Stale *Staleness `json:"stale,omitempty"`
	// Reserved, if not nil, keeps the rules to a share of all units: for
	// others the flag serves its default variant.
	Reserved *Reservation `json:"reserved,omitempty"`
	Rules    []Rule       `json:"rules,omitempty"`
	// Metadata is handed to callers with every result. Names are unique;
	// values are text, numbers and booleans.
	Metadata []Attr `json:"metadata,omitempty"`
}

// A Staleness is how old flags may be, and what a flag serves when they are older.
type Staleness struct {
	// After is the greatest [Context.Age] that is fine, in seconds: 0 or more.
	After   uint32 `json:"after"`
	Variant int    `json:"variant"` // index of the variant served beyond that
}

// A Reservation is a flag's part of a layer. Flags share a layer without overlap if
// their reservations have the same Bucketing and no position in common.
type Reservation struct {
	Layer string `json:"layer"` // name of the layer, for people
	Bucketing
	Spans []Span `json:"spans"` // ascending, without overlap; at least one
}

// A Span is the positions From ≤ p < To.
type Span struct {
	From uint64 `json:"from"`
	To   uint64 `json:"to"` // at most [Bucketing.Total]
}

// A Variant is a value a flag can serve, and its name.
type Variant struct {
	Name  string `json:"name"`
	Value Value  `json:"value"` // of the flag's type
}

// A Rule serves a variant, or one of several by a split, to the contexts that
// When matches.
type Rule struct {
	Name    string     `json:"name"`
	When    *Condition `json:"when,omitempty"` // nil: always
	Variant int        `json:"variant"`        // index into the flag's variants, unless Split is set
	Split   *Split     `json:"split,omitempty"`
	// Metadata is handed to callers with the results of this rule. It takes
	// the place of the flag's metadata of the same name.
	Metadata []Attr `json:"metadata,omitempty"`
}

// A Split chooses among variants by a position, and by Ranges or by a Ramp. If By
// is empty the rest of Bucketing is too, and the position is [Context.Chance],
// one of 2^32, which callers draw for every evaluation.
type Split struct {
	Bucketing
	Ranges []Range `json:"ranges,omitempty"`
	Ramp   *Ramp   `json:"ramp,omitempty"`
}

// A Bucketing maps units to positions: Hash computes from Salt and the value of the
// attribute By a number from 0 to below the number of positions. Text that isn't
// empty has a position, and so has an integer, that of its decimal form. No other
// value has one.
type Bucketing struct {
	By   string `json:"by,omitempty"` // attribute that names the unit
	Salt string `json:"salt,omitempty"`
	Hash string `json:"hash,omitempty"` // one of [Hashes]
	// Positions is how many positions there are, 0 for the hash's own number,
	// which most hashes insist on. See [Bucketing.Total].
	Positions uint64 `json:"positions,omitempty"`
}

// HashMurmur3 is the name of Serin's own hash. It has 2^32 positions: h(unit,
// seed) >> 32 with seed = uint32(h(salt, 0)) and h the first 64 bits of
// murmur3_x64_128. The other [Hashes] are those of other systems.
const HashMurmur3 = "murmur3_x64_128"

// Positions is how many positions [HashMurmur3] and [Context.Chance] have: 2^32.
const Positions = 1 << 32

// A Range gives the positions From ≤ p < To to a variant. The ranges of a
// split are in ascending order and cover all positions without gap or overlap.
type Range struct {
	From    uint64 `json:"from"`
	To      uint64 `json:"to"`
	Variant int    `json:"variant"`
}

// A Ramp is a split between two variants whose share changes with time: Variant
// owns the positions below the level that [Context.Now] has, and Rest all others.
type Ramp struct {
	Variant int `json:"variant"`
	Rest    int `json:"rest"`
	// Points in strictly ascending order of their times, at least one. The
	// level is 0 before the first point and that of the last point after it.
	// In between it is that of the last point reached or, if Linear, on the
	// line between two points: with the point (a, x) and the next (b, y), at
	// the time t it is x + (y-x)·(t-a)/(b-a), the quotient rounded toward zero.
	Points []Point `json:"points"`
	Linear bool    `json:"linear,omitempty"`
}

// A Point is a level that a ramp reaches at a time.
type Point struct {
	At    int64  `json:"at"`    // Unix time in seconds
	Level uint64 `json:"level"` // at most [Bucketing.Total]
}

// A Condition is a test of a context: a comparison of one attribute, or a
// combination of other conditions, as Op says. It is a tree of plain data in
// the manner of regexp/syntax.Regexp; which fields Op uses stands at each Op.
// A comparison has no Of, and a combination nothing else: [Compile] refuses it.
//
// Conditions are total and two-valued: a comparison of a missing attribute, or
// of one that holds another type, is false, and Not negates whatever it is
// given.
type Condition struct {
	Op        Op          `json:"op"`
	Attribute string      `json:"attribute,omitempty"`
	Strings   []string    `json:"strings,omitempty"`
	Ints      []int64     `json:"ints,omitempty"`
	Fold      bool        `json:"fold,omitempty"` // text operators: ignore case, by Unicode simple folding
	Of        []Condition `json:"of,omitempty"`
}
