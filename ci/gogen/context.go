package gogen

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/serin-flags/serin/ci"
	"github.com/serin-flags/serin/evaluator"
)

// builder writes the type Context, a method of it for each attribute other than the unit,
// and a type for each enum.
func (g *generator) builder(unit string) {
	all := g.estate.Attributes()
	at := slices.IndexFunc(all, func(d ci.Declaration) bool { return d.Name == unit })
	key := ci.Declaration{Name: unit, Type: evaluator.AttrString}
	if at >= 0 {
		key = all[at]
		all = slices.Delete(all, at, at+1)
	}
	g.printf(`// A Context is the user and the circumstances that flags are evaluated for. It has a method
// for each attribute of context.yaml, which returns the Context; the last value that is set
// counts. The zero Context has no attributes.
type Context struct {
	key   string
	n     int
	attrs [%d]evaluator.Attr
}

`, len(all))
	param, value := parameter(key, "key")
	g.comment("For begins a Context for a targeting key, the attribute "+strconv.Quote(unit)+said(key.Description),
		`Without one, it is "".`)
	g.printf("func For(key %s) *Context { return &Context{key: %s} }\n\n", param, value)
	g.printf(`// Build returns the context, for [sdk.Flag.Get] and [sdk.Client.For]. Don't modify c while the
// context is in use.
func (c *Context) Build() sdk.Context { return sdk.Context{Key: c.key, Attrs: c.attrs[:c.n]} }

`)
	if len(all) > 0 {
		g.setter()
	}
	methods := names{"Build": "the method that returns the context"}
	for i := range all {
		if err := methods.take(exported(all[i].Name), fmt.Sprintf("attribute %q", all[i].Name)); err != nil {
			g.errs = append(g.errs, err)
		}
		g.method(&all[i])
	}
	for _, d := range append(all, key) {
		if len(d.Values) > 0 {
			g.enum(&d)
		}
	}
}

func (g *generator) setter() {
	g.printf(`// set sets an attribute, in the place that it has already or a new one.
func (c *Context) set(a evaluator.Attr) *Context {
	i := 0
	for i < c.n && c.attrs[i].Name != a.Name {
		i++
	}
	c.attrs[i] = a
	c.n = max(c.n, i+1)
	return c
}

`)
}

// goTypes are the types of attributes in Go. Versions, addresses, times and decimal numbers are
// strings.
var goTypes = map[evaluator.AttributeType]string{
	evaluator.AttrString: "string", evaluator.AttrInteger: "int64", evaluator.AttrBoolean: "bool",
	evaluator.AttrSemver: "string", evaluator.AttrIP: "string", evaluator.AttrList: "string",
	evaluator.AttrSemverV: "string", evaluator.AttrTime: "string", evaluator.AttrNumber: "string",
}

// parameter returns the type of a parameter for a value of an attribute, and an expression
// for that value. Of a list, it is that of what it holds.
func parameter(d ci.Declaration, name string) (param, value string) {
	if len(d.Values) > 0 {
		return valueType(&d), name + ".value"
	}
	return goTypes[d.Type], name
}

// valueType returns the name of the type of an attribute's values. It isn't that of the
// attribute, which a flag may have too.
func valueType(d *ci.Declaration) string { return exported(d.Name) + "Value" }

// method writes the method that sets an attribute.
func (g *generator) method(d *ci.Declaration) {
	name := exported(d.Name)
	param, value := parameter(*d, "v")
	sentence := name + " sets the attribute " + strconv.Quote(d.Name) + said(d.Description)
	switch d.Type {
	case evaluator.AttrSemver, evaluator.AttrSemverV:
		g.comment(sentence, "It is a version, such as 2.3.0.")
	case evaluator.AttrTime:
		g.comment(sentence, "It is a time in the format of RFC 3339, such as 2026-12-01T09:00:00Z.")
	case evaluator.AttrNumber:
		g.comment(sentence, "It is a decimal number, such as 12.50.")
	case evaluator.AttrIP:
		g.comment(sentence, "It is an IP address.")
	default:
		g.comment(sentence)
	}
	switch {
	case d.Type == evaluator.AttrList && len(d.Values) > 0:
		g.printf(`func (c *Context) %[1]s(values ...%[3]s) *Context {
	list := make([]string, 0, len(values))
	for _, v := range values {
		if v.set {
			list = append(list, v.value)
		}
	}
	return c.set(sdk.Attr(%[2]q, list))
}

`, name, d.Name, param)
	case d.Type == evaluator.AttrList:
		g.printf("func (c *Context) %s(values ...string) *Context { return c.set(sdk.Attr(%q, values)) }\n\n",
			name, d.Name)
	case len(d.Values) > 0:
		g.printf(`func (c *Context) %[1]s(v %[4]s) *Context {
	if !v.set {
		return c
	}
	return c.set(sdk.Attr(%[2]q, %[3]s))
}

`, name, d.Name, value, param)
	default:
		g.printf("func (c *Context) %s(v %s) *Context { return c.set(sdk.Attr(%q, %s)) }\n\n", name, param,
			d.Name, value)
	}
}

// enum writes the type of an attribute that has an enum, its values, and a function that
// finds them.
func (g *generator) enum(d *ci.Declaration) {
	name, base, attribute := exported(d.Name), goTypes[d.Type], fmt.Sprintf("attribute %q", d.Name)
	typ := valueType(d)
	g.reserve(typ, "the type of "+attribute)
	g.reserve(name+"Of", "the function that finds values of "+attribute)
	g.comment("A " + typ + " is a value of the " + attribute + ": one of those below. The zero " + typ +
		" is none of them, and leaves the attribute unset.")
	g.printf("type %s struct {\nvalue %s\nset bool\n}\n\n", typ, base)
	g.comment("Values of the " + attribute + ".")
	g.printf("var (\n")
	literals := make([]string, len(d.Values))
	for i, v := range d.Values {
		value, suffix := enumValue(v)
		literals[i] = value
		what := fmt.Sprintf("the value %s of %s", value, attribute)
		if suffix == "" {
			g.errs = append(g.errs, fmt.Errorf("%s has no letters or digits for a name in Go", what))
			continue
		}
		g.reserve(name+suffix, what)
		g.printf("%s = %s{%s, true}\n", name+suffix, typ, value)
	}
	g.printf(")\n\n")
	g.comment(name + "Of returns the value of the " + attribute + " that equals v, and whether there is one.")
	g.printf("func %[4]sOf(v %[2]s) (value %[1]s, ok bool) {\nswitch v {\ncase %[3]s:\nreturn %[1]s{v, true}, true\n}\nreturn %[1]s{}, false\n}\n\n",
		typ, base, strings.Join(literals, ", "), name)
}

// enumValue returns a value of an enum as a constant, and what its name ends with.
func enumValue(v evaluator.Value) (value, suffix string) {
	if i, ok := v.Int(); ok {
		value = strconv.FormatInt(i, 10)
		return value, strings.Replace(value, "-", "Minus", 1)
	}
	s, _ := v.Text()
	return strconv.Quote(s), exported(s)
}
