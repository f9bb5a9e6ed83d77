package evaluator_test

import (
	"bytes"
	"crypto/md5"
	"crypto/sha1"
	"fmt"
	"hash/crc32"
	"hash/fnv"
	"math"
	"math/big"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/serin-flags/serin/evaluator"
	twmb "github.com/twmb/murmur3"
)

// This file is docs/evaluation.md once more, as a program: slow, and so plain
// that it can be held against that page section by section. It shares the data
// types with the evaluator and nothing else. Its numbers are those sections.

// An answer is all that a result says. 6.7.
type answer struct {
	Value    evaluator.Value
	Variant  string
	Rule     string
	Reason   evaluator.Reason
	Missing  string
	Metadata []evaluator.Attr
}

// naive evaluates the flags of a valid ruleset for a context.
type naive struct {
	set evaluator.Ruleset
	ctx evaluator.Context
}

// evaluate returns the answer for a flag that can be asked for. 6.1, 6.4.
func (n naive) evaluate(key string) answer {
	for _, f := range n.set.Flags {
		if f.Key == key {
			return n.flag(f)
		}
	}
	return answer{Reason: evaluator.ReasonError}
}

// flag takes the steps of 6.1.
func (n naive) flag(f evaluator.Flag) answer {
	serve := func(variant int, reason evaluator.Reason, rule evaluator.Rule, missing string) answer {
		v := f.Variants[variant]
		return answer{v.Value, v.Name, rule.Name, reason, missing, merged(f.Metadata, rule.Metadata)}
	}
	none := evaluator.Rule{}
	if f.Disabled {
		return serve(f.Off, evaluator.ReasonDisabled, none, "")
	}
	if f.Stale != nil && n.ctx.Age > int64(f.Stale.After) {
		return serve(f.Stale.Variant, evaluator.ReasonStale, none, "")
	}
	if len(f.Rules) == 0 {
		return serve(f.Default, evaluator.ReasonStatic, none, "")
	}
	if r := f.Reserved; r != nil { // 6.2
		position, ok := n.position(r.Bucketing)
		if !ok {
			return serve(f.Default, evaluator.ReasonDefault, none, r.By)
		}
		if !slices.ContainsFunc(r.Spans, func(s evaluator.Span) bool { return s.From <= position && position < s.To }) {
			return serve(f.Default, evaluator.ReasonDefault, none, "")
		}
	}
	missing := ""
	for _, r := range f.Rules { // 6.3
		if r.When != nil && !n.holds(*r.When) {
			continue
		}
		if r.Split == nil {
			return serve(r.Variant, evaluator.ReasonTargetingMatch, r, missing)
		}
		position, ok := n.position(r.Split.Bucketing)
		if !ok {
			missing = r.Split.By
			continue
		}
		return serve(n.choose(*r.Split, position), evaluator.ReasonSplit, r, missing)
	}
	return serve(f.Default, evaluator.ReasonDefault, none, missing)
}

// merged returns the metadata of a flag and a rule. 6.5.
func merged(flag, rule []evaluator.Attr) []evaluator.Attr {
	values := make(map[string]evaluator.Value)
	for _, m := range slices.Concat(flag, rule) {
		values[m.Name] = m.Value
	}
	var all []evaluator.Attr
	for name, v := range values {
		all = append(all, evaluator.Attr{Name: name, Value: v})
	}
	slices.SortFunc(all, func(a, b evaluator.Attr) int { return strings.Compare(a.Name, b.Name) })
	return all
}

// position returns the position of a split's or reservation's unit. 7.1, 7.4.
func (n naive) position(b evaluator.Bucketing) (uint64, bool) {
	if b.By == "" {
		return uint64(n.ctx.Chance), true
	}
	unit, ok := decimalOrText(n.value(b.By))
	if !ok || unit == "" {
		return 0, false
	}
	return naivePosition(unit, b), true
}

// A naiveHash is a hash of 7.3, with modules that the evaluator doesn't use.
type naiveHash struct {
	own, most uint64
	position  func(salt, unit string, positions uint64) uint64
}

var naiveHashes = map[string]naiveHash{
	"murmur3_x64_128": {1 << 32, 0, func(salt, unit string, _ uint64) uint64 {
		seed, _ := twmb.SeedSum128(0, 0, []byte(salt))
		seed &= 1<<32 - 1
		h, _ := twmb.SeedSum128(seed, seed, []byte(unit))
		return h >> 32
	}},
	"unleash": {100, 1 << 32, func(salt, unit string, positions uint64) uint64 {
		return uint64(twmb.SeedSum32(0, []byte(salt+":"+unit))) % positions
	}},
	"unleash-variants": {1000, 1 << 32, func(salt, unit string, positions uint64) uint64 {
		return uint64(twmb.SeedSum32(86028157, []byte(salt+":"+unit))) % positions
	}},
	"launchdarkly": {1 << 60, 0, func(salt, unit string, _ uint64) uint64 {
		digits := fmt.Sprintf("%x", sha1.Sum([]byte(salt+"."+unit)))[:15]
		position, _ := new(big.Int).SetString(digits, 16)
		return position.Uint64()
	}},
	"flagd": {1 << 32, 0, func(salt, unit string, _ uint64) uint64 {
		return uint64(twmb.SeedSum32(0, []byte(salt+unit)))
	}},
	"flipt": {1000, 0, func(salt, unit string, _ uint64) uint64 {
		return uint64(crc32.ChecksumIEEE([]byte(salt+unit))) % 1000
	}},
	"flipt-boolean": {100, 0, func(salt, unit string, _ uint64) uint64 {
		return uint64(crc32.ChecksumIEEE([]byte(unit+salt))) % 100
	}},
	"growthbook-1": {1000, 0, func(salt, unit string, _ uint64) uint64 {
		return naiveFNV(unit, salt) % 1000
	}},
	"growthbook-2": {10_000, 0, func(salt, unit string, _ uint64) uint64 {
		return naiveFNV(fmt.Sprint(naiveFNV(salt, unit))) % 10_000
	}},
	"featurevisor": {100_000, 0, func(salt, unit string, _ uint64) uint64 {
		h := twmb.SeedSum32(1, []byte(unit+"."+salt))
		return uint64(math.Floor(float64(h) / (1 << 32) * 100_000))
	}},
	"configcat": {100, 0, func(salt, unit string, _ uint64) uint64 {
		return naiveRemainder(fmt.Sprintf("%x", sha1.Sum([]byte(salt+unit)))[:7], 100)
	}},
	"posthog": {1 << 60, 0, func(salt, unit string, _ uint64) uint64 {
		return naiveRemainder(fmt.Sprintf("%x", sha1.Sum([]byte(salt+"."+unit)))[:15], 1<<60)
	}},
	"posthog-variants": {1 << 60, 0, func(salt, unit string, _ uint64) uint64 {
		return naiveRemainder(fmt.Sprintf("%x", sha1.Sum([]byte(salt+"."+unit+"variant")))[:15], 1<<60)
	}},
	"posthog-holdouts": {1 << 60, 0, func(salt, unit string, _ uint64) uint64 {
		return naiveRemainder(fmt.Sprintf("%x", sha1.Sum([]byte(salt+"-"+unit)))[:15], 1<<60)
	}},
	"split": {100, 0, func(salt, unit string, _ uint64) uint64 {
		seed := twmb.SeedSum32(0, []byte(salt))
		number, ok := new(big.Int).SetString(salt, 10)
		if ok && salt[0] != '+' && number.Cmp(big.NewInt(-1<<31)) >= 0 && number.Cmp(big.NewInt(1<<32)) < 0 {
			seed = uint32(number.Int64())
		}
		return uint64(twmb.SeedSum32(seed, []byte(unit))) % 100
	}},
	"eppo": {10_000, 1 << 32, func(salt, unit string, positions uint64) uint64 {
		return naiveRemainder(fmt.Sprintf("%x", md5.Sum([]byte(salt+"-"+unit)))[:8], positions)
	}},
	"gofeatureflag": {100_000, 1 << 32, func(salt, unit string, positions uint64) uint64 {
		h := fnv.New32a()
		h.Write([]byte(salt + unit))
		return uint64(h.Sum32()) % positions
	}},
	"flagd-legacy": {1<<31 + 1, 0, func(salt, unit string, _ uint64) uint64 {
		return uint64(math.Abs(float64(int32(twmb.SeedSum32(0, []byte(salt+unit))))))
	}},
	"flagsmith":          {9998, 0, naiveFlagsmith(",")},
	"flagsmith-identity": {9998, 0, naiveFlagsmith("_")},
}

// naiveFlagsmith returns a hash of Flagsmith with something between the salt and the unit.
func naiveFlagsmith(separator string) func(salt, unit string, _ uint64) uint64 {
	return func(salt, unit string, _ uint64) uint64 {
		position, input := uint64(9998), ""
		for position == 9998 {
			input = strings.TrimPrefix(input+","+salt+separator+unit, ",")
			position = naiveRemainder(fmt.Sprintf("%x", md5.Sum([]byte(input))), 9999)
		}
		return position
	}
}

// naiveFNV returns the FNV-1a of the UTF-16 code units of texts.
func naiveFNV(texts ...string) uint64 {
	var units []uint16
	for _, text := range texts {
		units = append(units, utf16.Encode([]rune(text))...)
	}
	h := big.NewInt(2166136261)
	for _, unit := range units {
		h.Xor(h, big.NewInt(int64(unit)))
		h.Mul(h, big.NewInt(16777619))
		h.Mod(h, big.NewInt(1<<32))
	}
	return h.Uint64()
}

// naiveRemainder divides a number with the hexadecimal digits.
func naiveRemainder(digits string, divisor uint64) uint64 {
	number, _ := new(big.Int).SetString(digits, 16)
	return number.Mod(number, new(big.Int).SetUint64(divisor)).Uint64()
}

// naiveTotal returns how many positions there are. 7.4.
func naiveTotal(b evaluator.Bucketing) uint64 {
	switch {
	case b.Hash == "":
		return 1 << 32
	case b.Positions != 0:
		return b.Positions
	}
	return naiveHashes[b.Hash].own
}

func naivePosition(unit string, b evaluator.Bucketing) uint64 {
	return naiveHashes[b.Hash].position(b.Salt, unit, naiveTotal(b))
}

// conditionBucketing returns what a bucket condition finds positions by. 4.20.
func conditionBucketing(c evaluator.Condition) evaluator.Bucketing {
	return evaluator.Bucketing{By: c.Attribute, Hash: c.Strings[0], Salt: c.Strings[1], Positions: uint64(c.Ints[0])}
}

// decimalOrText returns text, and integers in decimal form. 7.2.
func decimalOrText(v evaluator.Value) (string, bool) {
	if i, ok := v.Int(); ok {
		return strconv.FormatInt(i, 10), true
	}
	return v.Text()
}

// choose returns the variant that owns a position. 7.5, 7.6.
func (n naive) choose(s evaluator.Split, position uint64) int {
	if s.Ramp != nil {
		level := naiveLevel(*s.Ramp, n.ctx.Now)
		if new(big.Int).SetUint64(position).Cmp(level) < 0 {
			return s.Ramp.Variant
		}
		return s.Ramp.Rest
	}
	for _, r := range s.Ranges {
		if r.From <= position && position < r.To {
			return r.Variant
		}
	}
	panic("the ranges do not cover all positions")
}

// naiveLevel returns the level of a ramp. 7.6.
func naiveLevel(r evaluator.Ramp, now int64) *big.Int {
	level := big.NewInt(0)
	for i, p := range r.Points {
		if now < p.At {
			break
		}
		level = new(big.Int).SetUint64(p.Level)
		if !r.Linear || i+1 == len(r.Points) {
			continue
		}
		next := r.Points[i+1]
		a, b := big.NewInt(p.At), big.NewInt(next.At)
		rise := new(big.Int).Sub(new(big.Int).SetUint64(next.Level), level)
		rise.Mul(rise, new(big.Int).Sub(big.NewInt(now), a))
		rise.Quo(rise, new(big.Int).Sub(b, a))
		if now < next.At {
			level.Add(level, rise)
		}
	}
	return level
}

// value returns the value of an attribute, the zero Value if it is missing. 3.2.
func (n naive) value(name string) evaluator.Value {
	if name == n.set.Unit && n.ctx.Key != "" {
		return evaluator.StringValue(n.ctx.Key)
	}
	var last evaluator.Value
	for _, a := range n.ctx.Attrs {
		if a.Name == name {
			last = a.Value
		}
	}
	return last
}

// holds reports whether a condition holds. 4.
func (n naive) holds(c evaluator.Condition) bool {
	switch c.Op {
	case evaluator.OpAll: // 4.2
		return !slices.ContainsFunc(c.Of, func(c evaluator.Condition) bool { return !n.holds(c) })
	case evaluator.OpAny:
		return slices.ContainsFunc(c.Of, n.holds)
	case evaluator.OpNot:
		return !n.holds(c.Of[0])
	case evaluator.OpPeriod: // 4.17
		return c.Ints[0] <= n.ctx.Now && n.ctx.Now < c.Ints[1]
	case evaluator.OpWindow:
		return n.window(c)
	case evaluator.OpServes: // 4.19
		for _, f := range slices.Concat(n.set.Flags, n.set.Prerequisites) {
			if f.Key == c.Strings[0] {
				return slices.Contains(c.Strings[1:], n.flag(f).Variant)
			}
		}
		panic("there is no such flag")
	}
	v := n.value(c.Attribute)
	switch c.Op {
	case evaluator.OpBucket: // 4.20
		position, ok := n.position(conditionBucketing(c))
		return ok && uint64(c.Ints[1]) <= position && position < uint64(c.Ints[2])
	case evaluator.OpExists: // 4.4
		return v.Kind() != evaluator.KindNone
	case evaluator.OpInSegment: // 4.6
		text, ok := decimalOrText(v)
		return ok && n.member(c.Strings[0], text)
	case evaluator.OpAnyOf, evaluator.OpAllOf:
		return v.Kind() == evaluator.KindList && listHolds(c, slices.Collect(v.Texts()))
	}
	if b, ok := v.Bool(); ok { // 4.5
		return c.Op == evaluator.OpOneOf && n.declared(c) == evaluator.AttrBoolean &&
			slices.Contains(c.Ints, map[bool]int64{true: 1}[b])
	}
	if n.declared(c) == evaluator.AttrNumber { // 4.22
		number, ok := naiveNumber(v)
		return ok && numberHolds(c, number)
	}
	if n.declared(c) == evaluator.AttrTime { // 4.21
		t, ok := naiveTime(v)
		return ok && c.Ints[0] <= t && t <= c.Ints[1]
	}
	if i, ok := v.Int(); ok {
		return n.declared(c) == evaluator.AttrInteger && integerHolds(c, i)
	}
	if s, ok := v.Text(); ok {
		switch n.declared(c) {
		case evaluator.AttrString:
			return textHolds(c, s)
		case evaluator.AttrSemver:
			return versionHolds(c, s)
		case evaluator.AttrSemverV: // 2.3
			return versionHolds(c, strings.TrimPrefix(s, "v"))
		case evaluator.AttrIP:
			return addressHolds(c, s)
		}
	}
	return false // 4.3
}

// declared returns the declared type of a condition's attribute.
func (n naive) declared(c evaluator.Condition) evaluator.AttributeType {
	for _, a := range n.set.Attributes {
		if a.Name == c.Attribute {
			return a.Type
		}
	}
	panic("the attribute is not declared")
}

// member reports whether text is a member of a segment. 5.
func (n naive) member(segment, text string) bool {
	for _, s := range n.set.Segments {
		if s.Name == segment {
			return !slices.Contains(s.Exclude, text) &&
				(slices.Contains(s.Include, text) || s.When != nil && n.holds(*s.When))
		}
	}
	panic("there is no such segment")
}

// integerHolds is 4.5 and 4.7.
func integerHolds(c evaluator.Condition, i int64) bool {
	switch c.Op {
	case evaluator.OpOneOf:
		return slices.Contains(c.Ints, i)
	case evaluator.OpBetween:
		return c.Ints[0] <= i && i <= c.Ints[1]
	case evaluator.OpModulo:
		r := new(big.Int).Mod(big.NewInt(i), big.NewInt(c.Ints[0])) // Euclidean
		return slices.Contains(c.Ints[1:], r.Int64())
	}
	return false
}

// textHolds is 4.5, 4.13 and 4.14.
func textHolds(c evaluator.Condition, s string) bool {
	return slices.ContainsFunc(c.Strings, func(operand string) bool {
		if c.Op == evaluator.OpMatches {
			if c.Fold {
				operand = "(?i)" + operand
			}
			return regexp.MustCompile(operand).MatchString(s)
		}
		s := s
		if c.Fold {
			s, operand = naiveFold(s), naiveFold(operand)
		}
		switch c.Op {
		case evaluator.OpOneOf:
			return s == operand
		case evaluator.OpPrefix:
			return strings.HasPrefix(s, operand)
		case evaluator.OpSuffix:
			return strings.HasSuffix(s, operand)
		case evaluator.OpContains:
			return strings.Contains(s, operand)
		}
		return false
	})
}

var timeShape = regexp.MustCompile(
	`^(\d{4}-\d\d-\d\d)[Tt](\d\d:\d\d:\d\d)(?:\.\d+)?([Zz]|[+-](?:[01]\d|2[0-3]):[0-5]\d)$`)

// naiveTime returns the seconds of a time. 4.21.
func naiveTime(v evaluator.Value) (int64, bool) {
	seconds, ok := v.Int()
	if text, isText := v.Text(); isText {
		parts := timeShape.FindStringSubmatch(text)
		if parts == nil {
			return 0, false
		}
		t, err := time.Parse(time.RFC3339, parts[1]+"T"+parts[2]+strings.ToUpper(parts[3]))
		seconds, ok = t.Unix(), err == nil
	}
	first, last := time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC).Unix(),
		time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC).Unix()
	return seconds, ok && first <= seconds && seconds <= last
}

var numberShape = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]{1,3})?$`)

// naiveNumber returns the number that a value is. 4.22.
func naiveNumber(v evaluator.Value) (*big.Rat, bool) {
	if i, ok := v.Int(); ok {
		return new(big.Rat).SetInt64(i), true
	}
	text, ok := v.Text()
	if ok && (!numberShape.MatchString(text) || len(text) > 100) {
		return nil, false
	}
	if f, isFloat := v.Float(); isFloat {
		text, ok = strconv.FormatFloat(f, 'g', -1, 64), true
	}
	if !ok {
		return nil, false
	}
	return new(big.Rat).SetString(text) // not of infinities
}

// numberHolds is 4.5 and 4.22.
func numberHolds(c evaluator.Condition, number *big.Rat) bool {
	if c.Op == evaluator.OpOneOf {
		return slices.ContainsFunc(c.Strings, func(s string) bool {
			operand, _ := naiveNumber(evaluator.StringValue(s))
			return operand.Cmp(number) == 0
		})
	}
	for _, field := range strings.Split(c.Strings[0], " ") {
		operand, _ := naiveNumber(evaluator.StringValue(strings.TrimLeft(field, "<>=")))
		holds := number.Cmp(operand) > 0 && field[0] == '>' || number.Cmp(operand) < 0 && field[0] == '<' ||
			number.Cmp(operand) == 0 && field[1] == '='
		if !holds {
			return false
		}
	}
	return true
}

// listHolds is 4.15.
func listHolds(c evaluator.Condition, list []string) bool {
	in := func(operand string) bool { return slices.Contains(list, operand) }
	if c.Op == evaluator.OpAnyOf {
		return slices.ContainsFunc(c.Strings, in)
	}
	return !slices.ContainsFunc(c.Strings, func(operand string) bool { return !in(operand) })
}

// naiveFold folds text. 4.16.
func naiveFold(s string) string {
	var folded strings.Builder
	for len(s) > 0 {
		r, size := utf8.DecodeRuneInString(s)
		if r == utf8.RuneError && size == 1 {
			folded.WriteByte(s[0])
		} else {
			orbit := []rune{r}
			for next := unicode.SimpleFold(r); next != r; next = unicode.SimpleFold(next) {
				orbit = append(orbit, next)
			}
			least := slices.Min(orbit)
			if 'A' <= least && least <= 'Z' {
				least = unicode.ToLower(least)
			}
			folded.WriteRune(least)
		}
		s = s[size:]
	}
	return folded.String()
}

// window is 4.18.
func (n naive) window(c evaluator.Condition) bool {
	offset := 0
	for _, z := range n.set.Zones {
		if z.Name != c.Strings[0] {
			continue
		}
		offset = z.Offsets[0].Seconds
		for _, o := range z.Offsets {
			if o.From <= n.ctx.Now {
				offset = o.Seconds
			}
		}
	}
	local := new(big.Int).Add(big.NewInt(n.ctx.Now), big.NewInt(int64(offset)))
	day, rest := new(big.Int).DivMod(local, big.NewInt(86400), new(big.Int)) // Euclidean
	weekday := new(big.Int).Mod(day.Add(day, big.NewInt(4)), big.NewInt(7)).Int64()
	clock := rest.Int64()

	weekdays, opens, closes := c.Ints[0], c.Ints[1], c.Ints[2]
	today := weekdays>>weekday&1 == 1
	yesterday := weekdays>>((weekday+6)%7)&1 == 1
	if opens < closes {
		return today && opens <= clock && clock < closes
	}
	return today && opens <= clock || yesterday && clock < closes
}

// A naiveAddress has 4 or 16 bytes. 4.8.
type naiveAddress []byte

// addressHolds is 4.5, 4.9 and 4.10.
func addressHolds(c evaluator.Condition, s string) bool {
	a := parseNaiveAddress(s)
	if a == nil {
		return false
	}
	switch c.Op {
	case evaluator.OpOneOf:
		return slices.ContainsFunc(c.Strings, func(s string) bool { return bytes.Equal(a, parseNaiveAddress(s)) })
	case evaluator.OpCIDR:
		return slices.ContainsFunc(c.Strings, func(s string) bool {
			text, length, _ := strings.Cut(s, "/")
			network := parseNaiveAddress(text)
			n, _ := strconv.Atoi(length)
			return len(a) == len(network) && naiveBits(a)[:n] == naiveBits(network)[:n]
		})
	case evaluator.OpIPBetween:
		lo, hi := parseNaiveAddress(c.Strings[0]), parseNaiveAddress(c.Strings[1])
		return len(a) == len(lo) && bytes.Compare(lo, a) <= 0 && bytes.Compare(a, hi) <= 0
	}
	return false
}

// naiveBits returns an address as zeros and ones.
func naiveBits(a naiveAddress) string {
	var bits strings.Builder
	for _, b := range a {
		bits.WriteString(strconv.FormatInt(int64(b)|1<<8, 2)[1:])
	}
	return bits.String()
}

// parseNaiveAddress returns nil if s is no address.
func parseNaiveAddress(s string) naiveAddress {
	if !strings.Contains(s, ":") {
		return parseNaiveIPv4(s)
	}
	before, after, zeros := strings.Cut(s, "::")
	a, okA := parseGroups(before, !zeros)
	b, okB := parseGroups(after, true)
	length := len(a) + len(b)
	if !okA || !okB || zeros && length > 14 || !zeros && length != 16 {
		return nil
	}
	a = slices.Concat(a, make(naiveAddress, 16-length), b)
	if bytes.HasPrefix(a, []byte{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff}) {
		return a[12:]
	}
	return a
}

var group = regexp.MustCompile(`^[0-9A-Fa-f]{1,4}$`)

// parseGroups parses the groups of an IPv6 address on one side of "::", at the
// end of which there may be an IPv4 address.
func parseGroups(s string, end bool) (naiveAddress, bool) {
	var a naiveAddress
	if s == "" {
		return a, true
	}
	parts := strings.Split(s, ":")
	for i, part := range parts {
		if end && i == len(parts)-1 && strings.Contains(part, ".") {
			four := parseNaiveIPv4(part)
			return append(a, four...), four != nil
		}
		if !group.MatchString(part) {
			return nil, false
		}
		n, _ := strconv.ParseUint(part, 16, 16)
		a = append(a, byte(n>>8), byte(n))
	}
	return a, true
}

var number = regexp.MustCompile(`^(0|[1-9][0-9]{0,2})$`)

func parseNaiveIPv4(s string) naiveAddress {
	var a naiveAddress
	for part := range strings.SplitSeq(s, ".") {
		n, _ := strconv.Atoi(part)
		if !number.MatchString(part) || n > 255 {
			return nil
		}
		a = append(a, byte(n))
	}
	if len(a) != 4 {
		return nil
	}
	return a
}

// A naiveVersion is a version without build. 4.11.
type naiveVersion struct {
	numbers []*big.Int // major, minor, patch
	pre     []string   // its identifiers
}

var versionSyntax = regexp.MustCompile(`^(0|[1-9][0-9]{0,18})(\.(0|[1-9][0-9]{0,18})(\.(0|[1-9][0-9]{0,18}))?)?` +
	`(-((0|[1-9][0-9]*|[0-9]*[A-Za-z-][0-9A-Za-z-]*)(\.(0|[1-9][0-9]*|[0-9]*[A-Za-z-][0-9A-Za-z-]*))*))?` +
	`(\+[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?$`)

func parseNaiveVersion(s string) (naiveVersion, bool) {
	m := versionSyntax.FindStringSubmatch(s)
	if m == nil {
		return naiveVersion{}, false
	}
	var v naiveVersion
	for _, text := range []string{m[1], m[3], m[5]} {
		n, _ := new(big.Int).SetString("0"+text, 10)
		v.numbers = append(v.numbers, n)
	}
	if m[7] != "" {
		v.pre = strings.Split(m[7], ".")
	}
	return v, true
}

// precedence orders versions. 4.11.
func precedence(a, b naiveVersion) int {
	for i := range 3 {
		if c := a.numbers[i].Cmp(b.numbers[i]); c != 0 {
			return c
		}
	}
	if len(a.pre) == 0 || len(b.pre) == 0 {
		return len(b.pre) - len(a.pre)
	}
	return slices.CompareFunc(a.pre, b.pre, func(x, y string) int {
		m, isM := allDigits(x)
		n, isN := allDigits(y)
		switch {
		case isM && isN:
			return m.Cmp(n)
		case isM:
			return -1
		case isN:
			return 1
		}
		return strings.Compare(x, y)
	})
}

func allDigits(s string) (*big.Int, bool) {
	if strings.Trim(s, "0123456789") != "" {
		return nil, false
	}
	return new(big.Int).SetString(s, 10)
}

// versionHolds is 4.5 and 4.12.
func versionHolds(c evaluator.Condition, s string) bool {
	v, ok := parseNaiveVersion(s)
	if !ok {
		return false
	}
	if c.Op == evaluator.OpOneOf {
		return slices.ContainsFunc(c.Strings, func(s string) bool {
			w, _ := parseNaiveVersion(s)
			return precedence(v, w) == 0
		})
	}
	for comparison := range strings.FieldsSeq(strings.ReplaceAll(c.Strings[0], ",", " ")) {
		text := strings.TrimLeft(comparison, "<=>")
		w, _ := parseNaiveVersion(text)
		order := precedence(v, w)
		holds := map[string]bool{"<": order < 0, "<=": order <= 0, ">": order > 0, ">=": order >= 0, "=": order == 0,
			"": order == 0}
		if !holds[strings.TrimSuffix(comparison, text)] {
			return false
		}
	}
	return true
}
