package decide

import (
	"net/netip"
	"regexp/syntax"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/serin-flags/serin/evaluator"
)

// texts adds the classes of text.
func (d *domain) texts() {
	families := 0
	has := func(typ evaluator.AttributeType) bool {
		if d.has(typ) {
			families++
			return true
		}
		return false
	}
	isText, isVersion, isVersionV, isAddress := has(evaluator.AttrString), has(evaluator.AttrSemver),
		has(evaluator.AttrSemverV), has(evaluator.AttrIP)
	isTime, isNumber := has(evaluator.AttrTime), has(evaluator.AttrNumber)
	if isVersion && isVersionV { // both know each version, and one of them also those with a "v"
		families--
	}
	if families > 1 || (isTime || isNumber) && d.has(evaluator.AttrInteger) { // the attribute's type differs: how the comparisons go together isn't known
		d.complete = false
	}
	if families == 0 && !d.hasMembership() && !d.unit {
		return
	}
	cost := d.cost(evaluator.AttrString, evaluator.AttrSemver, evaluator.AttrSemverV, evaluator.AttrIP,
		evaluator.AttrTime, evaluator.AttrNumber)
	for _, text := range d.named {
		d.addNamed(evaluator.StringValue(text), cost)
	}
	texts := func(list []string) {
		for _, text := range list {
			d.add(evaluator.StringValue(text), cost, nil)
		}
	}
	if isVersion || isVersionV {
		texts(d.versions())
	}
	if isVersion && isVersionV {
		for _, text := range d.versions() {
			d.add(evaluator.StringValue("v"+text), cost, nil)
		}
	}
	if isAddress {
		texts(d.addresses())
	}
	if isTime {
		d.times(cost)
	}
	if isNumber {
		d.numbers(cost)
	}
	if !isText {
		d.plainText(cost)
		return
	}
	p := newPatterns(d, cost)
	p.each(p.add)
	d.add(evaluator.StringValue(""), cost+1, nil)
	d.longMembers(func(s string) (evaluator.Value, bool) { return evaluator.StringValue(s), true }, cost)
}

// plainText adds text that nothing is known of but membership.
func (d *domain) plainText(cost int) {
	d.addSimilar([]string{"x-1", "u-1", "another"}, cost)
	d.add(evaluator.StringValue(""), cost+1, nil)
	d.longMembers(func(s string) (evaluator.Value, bool) { return evaluator.StringValue(s), true }, cost)
	d.supposeLong([]byte(d.signature(evaluator.StringValue("x-1"))), true)
}

// addSimilar adds texts that aren't looked at by themselves, with those that are
// made of them and a number.
func (d *domain) addSimilar(list []string, cost int) {
	for _, text := range list {
		if text == "" || d.isNamed(text) {
			continue
		}
		d.add(evaluator.StringValue(text), cost, func(i int) (evaluator.Value, bool) {
			n := strconv.Itoa(i / 3)
			forms := [...]string{text + "-" + n, n + "-" + text, text[:len(text)/2] + n + text[len(text)/2:]}
			return evaluator.StringValue(forms[i%3]), !d.isNamed(forms[i%3])
		})
	}
}

// versions returns versions of all classes: those that comparisons name, those right
// after them, and the least one. Of versions between two neighbours of the former,
// each is like the one right after the lesser.
func (d *domain) versions() []string {
	var named, near []string
	for _, a := range d.atoms {
		if a.typ != evaluator.AttrSemver && a.typ != evaluator.AttrSemverV {
			continue
		}
		for _, text := range a.cond.Strings {
			for _, word := range strings.FieldsFunc(text, func(r rune) bool { return r == ' ' || r == ',' }) {
				word, _, _ = strings.Cut(strings.TrimLeft(word, "<>="), "+")
				named = append(named, word)
				near = append(near, versionsAfter(word)...)
			}
		}
	}
	list := append(named, near...)
	return append(list, "0.0.0-0", "0.0.1", "no version")
}

// versionsAfter returns the version right after another, which may be one that
// nobody has, behind one that somebody might.
func versionsAfter(text string) []string {
	core, pre, isPre := strings.Cut(text, "-")
	parts := strings.Split(core, ".")
	for len(parts) < 3 {
		parts = append(parts, "0")
	}
	if isPre {
		return []string{strings.Join(parts, ".") + "-" + pre + ".0"}
	}
	for i := 2; i >= 0; i-- {
		n, err := strconv.ParseUint(parts[i], 10, 64)
		if next := strconv.FormatUint(n+1, 10); err == nil && len(next) <= 19 {
			parts[i] = next
			after := strings.Join(parts, ".")
			return []string{after, after + "-0"}
		}
		parts[i] = "0"
	}
	return nil
}

// The first and the last second that is a time of an attribute.
const (
	firstSecond = -62_135_596_800
	lastSecond  = 253_402_300_799
)

// times adds times of all classes: where a comparison begins or ceases to hold, and the
// first of all. Between two neighbours of these all are alike.
func (d *domain) times(cost int) {
	starts := []int64{firstSecond}
	for _, a := range d.atoms {
		if a.typ != evaluator.AttrTime || a.cond.Op != evaluator.OpBetween {
			continue
		}
		from, to := a.cond.Ints[0], a.cond.Ints[1]
		if firstSecond < from && from <= lastSecond {
			starts = append(starts, from)
		}
		if firstSecond <= to && to < lastSecond {
			starts = append(starts, to+1)
		}
	}
	slices.Sort(starts)
	starts = slices.Compact(starts)
	for i, from := range starts {
		if i == 0 && len(starts) > 1 { // rather a time that somebody might have
			from = max(from, starts[1]-86_400)
		}
		d.add(evaluator.StringValue(time.Unix(from, 0).UTC().Format(time.RFC3339)), cost, nil)
	}
	d.add(evaluator.StringValue("no time"), cost, nil)
}

// addresses returns addresses of all classes: where a comparison begins or ceases to
// hold, and the first of each family.
func (d *domain) addresses() []string {
	list := []string{"no address", "0.0.0.0", "::"}
	add := func(first, last netip.Addr) {
		for _, a := range []netip.Addr{first, last.Next(), first.Prev(), last} {
			if a.IsValid() {
				list = append(list, a.String())
			}
		}
	}
	for _, a := range d.atoms {
		if a.typ != evaluator.AttrIP {
			continue
		}
		var ends []netip.Addr
		for _, text := range a.cond.Strings {
			if addr, err := netip.ParseAddr(text); err == nil {
				ends = append(ends, addr.Unmap())
			} else if p, err := netip.ParsePrefix(text); err == nil {
				add(p.Masked().Addr(), lastOf(p))
			}
		}
		if a.cond.Op == evaluator.OpIPBetween && len(ends) == 2 {
			add(ends[0], ends[1])
			continue
		}
		for _, addr := range ends {
			add(addr, addr)
		}
	}
	return append(list, "::1:0:0:0") // the first after the IPv4 addresses in IPv6 form
}

// lastOf returns the last address of a network.
func lastOf(p netip.Prefix) netip.Addr {
	bytes := p.Masked().Addr().AsSlice()
	for bit := p.Bits(); bit < len(bytes)*8; bit++ {
		bytes[bit/8] |= 0x80 >> (bit % 8)
	}
	last, _ := netip.AddrFromSlice(bytes)
	return last
}

// Patterns are all ways in which text can meet the comparisons of an attribute, as
// far as isn't known to be impossible. Prefixes that one text has are prefixes of
// the longest of them, so they are told by that one, and suffixes likewise. Of
// texts to contain and of expressions, those that the same atoms name are one
// group, which is met or not.
type patterns struct {
	d                    *domain
	cost                 int
	prefixes, suffixes   [2][]string // the second: folded; each with ""
	equal                []string    // folded, with ""
	contained, expressed []group
}

type group struct {
	texts  []string // folded, if fold
	folded []string
	fold   bool
	atoms  []int
}

// A pattern is one of patterns.
type pattern struct {
	prefix, suffix [2]string // the longest, as it is and folded
	equal          string    // what the whole text is when folded; "": another
	contained      []bool    // by group
	expressed      []bool
}

func newPatterns(d *domain, cost int) *patterns {
	p := &patterns{d: d, cost: cost, equal: []string{""}}
	p.prefixes = [2][]string{{""}, {""}}
	p.suffixes = [2][]string{{""}, {""}}
	add := func(list *[]string, text string) {
		if !slices.Contains(*list, text) {
			*list = append(*list, text)
		}
	}
	for _, a := range d.atoms {
		for _, o := range a.operands() {
			switch {
			case a.cond.Op == evaluator.OpPrefix:
				add(&p.prefixes[o.fold], o.text)
			case a.cond.Op == evaluator.OpSuffix:
				add(&p.suffixes[o.fold], o.text)
			case a.isFoldedSet() && o.fold == 1:
				add(&p.equal, o.text)
			}
		}
	}
	p.contained = d.groups(evaluator.OpContains)
	d.complete = d.complete && !d.cutsCharacters()
	p.expressed = d.groups(evaluator.OpMatches)
	return p
}

// cutsCharacters reports whether comparisons of text as it is and folded meet in
// texts that begin or end within a character: what these become when they are folded
// depends on what stands beside them.
func (d *domain) cutsCharacters() bool {
	raw, folded, cut := false, false, false
	for _, a := range d.atoms {
		switch a.cond.Op {
		case evaluator.OpPrefix, evaluator.OpSuffix, evaluator.OpContains:
			raw, folded = raw || !a.cond.Fold, folded || a.cond.Fold
			cut = cut || slices.ContainsFunc(a.cond.Strings, func(s string) bool { return !utf8.ValidString(s) })
		case evaluator.OpOneOf:
			folded = folded || a.cond.Fold
		}
	}
	return raw && folded && cut
}

// groups returns the operands of an operator, those together that the same atoms
// name.
func (d *domain) groups(op evaluator.Op) []group {
	var list []group
	var order []operand
	atoms := make(map[operand][]int)
	for i, a := range d.atoms {
		if a.cond.Op != op {
			continue
		}
		for _, o := range a.operands() {
			if atoms[o] == nil {
				order = append(order, o)
			}
			if !slices.Contains(atoms[o], i) {
				atoms[o] = append(atoms[o], i)
			}
		}
	}
	for _, o := range order {
		at := slices.IndexFunc(list,
			func(g group) bool { return g.fold == (o.fold == 1) && slices.Equal(g.atoms, atoms[o]) })
		if at < 0 {
			at = len(list)
			list = append(list, group{fold: o.fold == 1, atoms: atoms[o]})
		}
		g := &list[at]
		g.texts, g.folded = append(g.texts, o.text), append(g.folded, fold1(o.text))
	}
	return list
}

// each calls f for every pattern that isn't known to be impossible.
func (p *patterns) each(f func(*pattern)) {
	room := maxCases
	for _, equal := range p.equal {
		for _, prefix := range pairs(p.prefixes, strings.HasPrefix) {
			for _, suffix := range pairs(p.suffixes, strings.HasSuffix) {
				q := pattern{prefix: prefix, suffix: suffix, equal: equal}
				if equal != "" && !p.fits(&q) {
					continue
				}
				sets := len(p.contained) + len(p.expressed)
				if sets > 12 {
					p.d.complete, sets = false, 12
				}
				for set := range 1 << sets {
					if room--; room < 0 {
						p.d.complete = false
						return
					}
					q.contained, q.expressed = bitsOf(set, len(p.contained)),
						bitsOf(set>>len(p.contained), len(p.expressed))
					if p.possible(&q) {
						f(&q)
					}
				}
			}
		}
	}
}

func bitsOf(set, n int) []bool {
	list := make([]bool, n)
	for i := range list {
		list[i] = set>>i&1 == 1
	}
	return list
}

// pairs returns the longest prefixes, or suffixes, that a text can have, as it is and
// folded.
func pairs(lists [2][]string, begins func(s, with string) bool) [][2]string {
	var list [][2]string
	for _, raw := range lists[0] {
		fold := fold1(raw)
		for _, folded := range lists[1] {
			if !begins(folded, fold) && !begins(fold, folded) {
				continue
			}
			longer := func(other string) bool { return begins(fold, other) && len(other) > len(folded) }
			if !slices.ContainsFunc(lists[1], longer) {
				list = append(list, [2]string{raw, folded})
			}
		}
	}
	return list
}

// fits reports whether text that is q.equal when folded can have its prefix and
// suffix.
func (p *patterns) fits(q *pattern) bool {
	longest := func(list []string, is func(s, with string) bool, than string) bool {
		return is(q.equal, than) &&
			!slices.ContainsFunc(list, func(s string) bool { return len(s) > len(than) && is(q.equal, s) })
	}
	return longest(p.prefixes[1], strings.HasPrefix, q.prefix[1]) &&
		longest(p.suffixes[1], strings.HasSuffix, q.suffix[1]) &&
		strings.HasPrefix(q.equal, fold1(q.prefix[0])) && strings.HasSuffix(q.equal, fold1(q.suffix[0]))
}

// possible reports whether text of a pattern could contain what the pattern says. It
// does if it isn't known.
func (p *patterns) possible(q *pattern) bool {
	parts := []string{q.prefix[1], q.suffix[1], fold1(q.prefix[0]), fold1(q.suffix[0])}
	contains := func(list, texts []string) bool { // one of the texts is in one of the list
		return slices.ContainsFunc(texts, func(text string) bool {
			return slices.ContainsFunc(list, func(s string) bool { return strings.Contains(s, text) })
		})
	}
	for i, g := range p.contained {
		switch {
		case q.equal != "" && g.fold:
			if q.contained[i] != contains([]string{q.equal}, g.texts) {
				return false
			}
		case q.equal != "" && q.contained[i] && !contains([]string{q.equal}, g.folded):
			return false
		}
		if q.contained[i] {
			continue
		}
		if g.fold && contains(parts, g.texts) || !g.fold && contains([]string{q.prefix[0], q.suffix[0]}, g.texts) {
			return false
		}
		for j, other := range p.contained {
			if !q.contained[j] || other.fold && !g.fold {
				continue
			}
			texts := other.texts
			if g.fold {
				texts = other.folded
			}
			if !slices.ContainsFunc(texts, func(text string) bool { return !contains([]string{text}, g.texts) }) {
				return false
			}
		}
	}
	return true
}

// signature returns which atoms hold for text of a pattern that isn't looked at by
// itself.
func (p *patterns) signature(q *pattern) []byte {
	sig := make([]byte, len(p.d.atoms))
	for i, a := range p.d.atoms {
		holds := a.cond.Op == evaluator.OpExists || a.cond.Op == evaluator.OpInSegment && a.members == nil
		for _, o := range a.operands() {
			switch a.cond.Op {
			case evaluator.OpPrefix:
				holds = holds || strings.HasPrefix(q.prefix[o.fold], o.text)
			case evaluator.OpSuffix:
				holds = holds || strings.HasSuffix(q.suffix[o.fold], o.text)
			case evaluator.OpOneOf:
				holds = holds || a.isFoldedSet() && o.fold == 1 && q.equal == o.text
			}
		}
		if holds {
			sig[i] = 1
		}
	}
	mark := func(groups []group, met []bool) {
		for i, g := range groups {
			for _, a := range g.atoms {
				if met[i] {
					sig[a] = 1
				}
			}
		}
	}
	mark(p.contained, q.contained)
	mark(p.expressed, q.expressed)
	return sig
}

// add adds texts made after a pattern, whatever they turn out to be, and supposes
// that there are some as it says.
func (p *patterns) add(q *pattern) {
	p.d.addSimilar(p.examples(q), p.cost)
	p.d.supposeLong(p.signature(q), true)
}

// examples returns texts that could be after a pattern.
func (p *patterns) examples(q *pattern) []string {
	either := func(pair [2]string) string {
		if len(pair[1]) > len(fold1(pair[0])) {
			return pair[1]
		}
		return pair[0]
	}
	if q.equal != "" {
		return casings(q.equal)
	}
	pre, post := either(q.prefix), either(q.suffix)
	mid := ""
	for i, g := range p.contained {
		if q.contained[i] && !strings.Contains(pre+mid+post, g.texts[0]) {
			mid += g.texts[0]
		}
	}
	for i, g := range p.expressed {
		if re, err := syntax.Parse(g.texts[0], syntax.Perl); err == nil && q.expressed[i] {
			mid += example(re.Simplify(), 0)
		}
	}
	if pre+mid+post == "" {
		return []string{"another", "x", "0", "Z~", "~"}
	}
	begin, end := "", ""
	if pre == "" {
		begin = "x"
	}
	if post == "" {
		end = "1"
	}
	var list []string
	for _, text := range []string{begin + pre + mid + post + end, pre + mid + post, pre + "x" + mid + post,
		pre + mid + "x" + post, pre + "~" + mid + "~" + post, "x" + mid + "x"} {
		list = append(list, casings(text)...)
	}
	return list
}

// casings returns a text in several letter cases.
func casings(text string) []string {
	first, size := utf8.DecodeRuneInString(text)
	list := []string{text, strings.ToUpper(text), strings.ToLower(text), string(unicode.ToUpper(first)) + text[size:]}
	return slices.Compact(list)
}

// fold1 folds text as the evaluator does.
func fold1(s string) string {
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && size <= 1 {
			b = append(b, s[i])
			i++
			continue
		}
		least := r
		for other := unicode.SimpleFold(r); other != r; other = unicode.SimpleFold(other) {
			least = min(least, other)
		}
		if 'A' <= least && least <= 'Z' {
			least += 'a' - 'A'
		}
		b = utf8.AppendRune(b, least)
		i += size
	}
	return string(b)
}

// hasCase reports whether text, or a regular expression, has characters that there are
// others of in another letter case.
func hasCase(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return unicode.SimpleFold(r) != r }) || !utf8.ValidString(s)
}

// maxExample bounds the text that is made for a regular expression.
const maxExample = 200

// example returns a text that a regular expression is likely to match.
func example(re *syntax.Regexp, depth int) string {
	if depth > 100 {
		return ""
	}
	var b strings.Builder
	switch re.Op {
	case syntax.OpLiteral:
		b.WriteString(string(re.Rune))
	case syntax.OpCharClass:
		if len(re.Rune) > 0 {
			b.WriteRune(re.Rune[0])
		}
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		b.WriteByte('a')
	case syntax.OpCapture, syntax.OpPlus:
		b.WriteString(example(re.Sub[0], depth+1))
	case syntax.OpRepeat:
		for range min(re.Min, maxExample) {
			b.WriteString(example(re.Sub[0], depth+1))
		}
	case syntax.OpConcat:
		for _, sub := range re.Sub {
			if b.Len() > maxExample {
				break
			}
			b.WriteString(example(sub, depth+1))
		}
	case syntax.OpAlternate:
		b.WriteString(example(re.Sub[0], depth+1))
	}
	return b.String()
}
