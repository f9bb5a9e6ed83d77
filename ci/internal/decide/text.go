package decide

import (
	"strconv"

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
	if families > 1 || (isTime || isNumber) && d.has(evaluator.AttrInteger) {
		// The attribute's type differs: how the comparisons go together isn't known.
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
