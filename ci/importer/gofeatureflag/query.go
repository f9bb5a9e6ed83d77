package gofeatureflag

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"

	"github.com/serin-flags/serin/ci/importer"
	"github.com/serin-flags/serin/ci/importer/internal/jsonlogic"
)

const targetingKey = "targetingKey"

// trim removes the line breaks of a query, and the spaces before each line.
func trim(query string) string {
	lines := strings.Split(query, "\n")
	for i := range lines {
		lines[i] = strings.TrimLeft(lines[i], " ")
	}
	return strings.Join(lines, "")
}

// query returns the condition of a rule.
func (r *reader) query(rule placedRule) (importer.Condition, error) {
	if rule.Query == nil {
		return importer.Never, importer.Refusef(rule.at+".query", "each rule has a query")
	}
	at, text := rule.at+".query", trim(*rule.Query)
	if text == "" {
		return importer.Always, nil
	}
	if strings.HasPrefix(text, "{") {
		logic := jsonlogic.Reader{Flag: r.flag, Attribute: r.variable}
		return logic.Condition(json.RawMessage(text), at)
	}
	p := &parser{text: strings.TrimRight(text, " "), at: at, flag: r.flag}
	cond, err := p.query()
	if err == nil && p.pos < len(p.text) {
		err = p.refuse("expected \" and \", \" or \" or the end")
	}
	return cond, err
}

// variable returns the attribute that a variable of JsonLogic is here.
func (r *reader) variable(name, place string) (string, error) {
	switch name {
	case targetingKey:
		return unit, nil
	case "anonymous":
		r.flag.Approximate(place,
			"a context without \"anonymous\" has it as false in GO Feature Flag; here it is missing")
	}
	return name, nil
}

// A parser parses queries in the format of nikunjy/rules, in which and and or bind equally
// strongly.
type parser struct {
	text     string
	pos      int
	at       string
	flag     *importer.Flag
	depth    int
	compared bool // another attribute, before
}

// maxDepth is how deep parentheses may nest.
const maxDepth = 40

func (p *parser) refuse(format string, args ...any) error {
	rest := p.text[p.pos:]
	if len(rest) > 30 {
		rest = strings.ToValidUTF8(rest[:30], "") + "…"
	}
	return importer.Refusef(p.at, "at %q: "+format, append([]any{rest}, args...)...)
}

// eat skips what the expression matches, and returns it.
func (p *parser) eat(expression *regexp.Regexp) (text string, ok bool) {
	loc := expression.FindStringIndex(p.text[p.pos:])
	if loc == nil {
		return "", false
	}
	text = p.text[p.pos : p.pos+loc[1]]
	p.pos += loc[1]
	return text, true
}

var (
	and       = regexp.MustCompile(`^ and `)
	or        = regexp.MustCompile(`^ or `)
	not       = regexp.MustCompile(`^(not|NOT) ?\( ?`)
	parenthes = regexp.MustCompile(`^\( ?`)
	closing   = regexp.MustCompile(`^ ?\)`)
	path      = regexp.MustCompile(`^[A-Za-z][-A-Za-z0-9_:]*(\.[A-Za-z][-A-Za-z0-9_:]*)*`)
	present   = regexp.MustCompile(`^ pr\b`)
	operator  = regexp.MustCompile(`^ (eq|EQ|==|ne|NE|!=|ge|GE|>=|le|LE|<=|gt|GT|>|lt|LT|<|co|CO|sw|SW|ew|EW|in|IN) `)
)

// words can't be the names of attributes, because queries read them as something else.
var words = strings.Fields(
	"not NOT and or true false null IN in eq EQ ne NE gt GT lt LT ge GE le LE co CO sw SW ew EW pr")

func (p *parser) query() (importer.Condition, error) {
	left, err := p.term()
	for err == nil {
		var right importer.Condition
		if _, ok := p.eat(and); ok {
			right, err = p.term()
			left = importer.All(left, right)
		} else if _, ok := p.eat(or); ok {
			right, err = p.term()
			left = importer.Any(left, right)
		} else {
			break
		}
	}
	return left, err
}

// term reads a comparison, or a query in parentheses.
func (p *parser) term() (importer.Condition, error) {
	_, negated := p.eat(not)
	if !negated {
		if _, ok := p.eat(parenthes); !ok {
			return p.comparison()
		}
	}
	if p.depth++; p.depth > maxDepth {
		return importer.Never, p.refuse("parentheses nest deeper than %d", maxDepth)
	}
	cond, err := p.query()
	p.depth--
	if err != nil {
		return cond, err
	}
	if _, ok := p.eat(closing); !ok {
		return cond, p.refuse("expected a closing parenthesis")
	}
	if negated {
		cond = importer.Not(cond)
	}
	return cond, nil
}

func (p *parser) comparison() (importer.Condition, error) {
	name, ok := p.eat(path)
	parts := strings.Split(name, ".")
	if !ok || slices.ContainsFunc(parts, func(s string) bool { return slices.Contains(words, s) }) {
		return importer.Never, p.refuse("expected the name of an attribute")
	}
	if name == targetingKey {
		name = unit
	}
	if len(parts) > 1 && p.compared {
		p.flag.Approximate(p.at,
			"if there is no object %q, GO Feature Flag compares the attribute before it in the query; here the comparison is false", parts[0])
	}
	p.compared = true
	if _, ok := p.eat(present); ok {
		if name == unit || name == "anonymous" { // which are always there
			return importer.Always, nil
		}
		return importer.Exists(name).At(p.at), nil
	}
	op, ok := p.eat(operator)
	if !ok {
		return importer.Never, p.refuse("expected an operator with a space on each side")
	}
	v, err := p.value()
	if err != nil {
		return importer.Never, err
	}
	cond, err := p.compare(name, sign(strings.TrimSpace(op)), v)
	return cond.At(p.at), err
}

// sign returns one of the ways to write an operator.
func sign(op string) string {
	switch op = strings.ToLower(op); op {
	case "==":
		return "eq"
	case "!=":
		return "ne"
	case "ge":
		return ">="
	case "le":
		return "<="
	case "gt":
		return ">"
	case "lt":
		return "<"
	}
	return op
}
