package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/serin-flags/serin/ci"
	"github.com/serin-flags/serin/evaluator"
	"github.com/serin-flags/serin/internal/suggest"
)

// maxNotes is how many attributes notes are about. Files of contexts may have any.
const maxNotes = 100

// attributeNotes prints notes about attributes of contexts that are likely mistakes, one
// for each attribute.
type attributeNotes struct {
	w    io.Writer
	from content
	// quotes allows notes to quote values: those of the command's own arguments, but
	// not those of files, which may be about people.
	quotes bool
	about  map[string]bool // attributes that there is a note about
}

// check prints what is likely wrong with a context.
func (n *attributeNotes) check(ctx evaluator.Context) {
	for _, a := range ctx.Attrs {
		if len(n.about) == maxNotes || n.about[a.Name] {
			continue
		}
		if note := n.note(a); note != "" {
			n.about[a.Name] = true
			fmt.Fprintf(n.w, "note: %s\n", note)
		}
	}
	n.unit(ctx)
}

// unit checks the targeting key, which is the value of the unit attribute.
func (n *attributeNotes) unit(ctx evaluator.Context) {
	unit := n.from.program.Unit()
	if ctx.Key == "" || n.about[unit] {
		return
	}
	if note := n.outside(evaluator.NewAttr(unit, ctx.Key)); note != "" {
		n.about[unit] = true
		fmt.Fprintf(n.w, "note: %s\n", note)
	}
}

// note returns what is likely wrong with an attribute, "" if nothing is.
func (n *attributeNotes) note(a evaluator.Attr) string {
	t, used := n.from.program.AttributeType(a.Name)
	switch {
	case a.Value.Kind() == evaluator.KindNone:
		return ""
	case !used && n.from.declared != nil && n.declaration(a.Name) < 0:
		return fmt.Sprintf("context.yaml declares no attribute %q%s", a.Name, suggest.DidYouMean(a.Name, n.names()))
	case !used && !n.quotes && n.from.declared != nil:
		return "" // files may have all attributes that there are
	case !used:
		return fmt.Sprintf("no rule uses the attribute %q%s", a.Name, suggest.DidYouMean(a.Name, n.from.attributes()))
	case !t.Accepts(a.Value):
		return fmt.Sprintf("no rule matches the attribute %q: its type is %v, %s", a.Name, t, n.isNo(t, a.Value))
	}
	return n.outside(a)
}

// declaration returns the index of an attribute's declaration, -1 if there is none.
func (n *attributeNotes) declaration(name string) int {
	return slices.IndexFunc(n.from.declared, func(d ci.Declaration) bool { return d.Name == name })
}

// isNo says that a value isn't of a type.
func (n *attributeNotes) isNo(t evaluator.AttributeType, v evaluator.Value) string {
	example := map[evaluator.AttributeType]string{
		evaluator.AttrSemver: "a version such as 2.3.0", evaluator.AttrSemverV: "a version such as v2.3.0",
		evaluator.AttrIP:     "an IP address such as 10.0.0.1",
		evaluator.AttrTime:   "a time such as 2026-12-01T09:00:00Z, or Unix time in seconds",
		evaluator.AttrNumber: "a number such as 12.50",
	}[t]
	number := v.Kind() == evaluator.KindInt && t == evaluator.AttrTime
	if v.Kind() != evaluator.KindString && !number || example == "" {
		return fmt.Sprintf("and this is of type %v", v.Kind())
	}
	return fmt.Sprintf("and %s isn't %s", n.shown(v), example)
}

// outside returns that an attribute has a value which its enum lacks, or "".
func (n *attributeNotes) outside(a evaluator.Attr) string {
	i := n.declaration(a.Name)
	if i < 0 || len(n.from.declared[i].Values) == 0 {
		return ""
	}
	values := n.from.declared[i].Values
	given := []evaluator.Value{a.Value}
	if a.Value.Kind() == evaluator.KindList {
		given = nil
		for text := range a.Value.Texts() {
			given = append(given, evaluator.StringValue(text))
		}
	}
	for _, v := range given {
		if !slices.Contains(values, v) {
			return fmt.Sprintf("context.yaml allows %s for %q, not %s", few(values), a.Name, n.shown(v))
		}
	}
	return ""
}

// shown returns a value as notes show it.
func (n *attributeNotes) shown(v evaluator.Value) string {
	if !n.quotes {
		return "this value"
	}
	return string(v.JSON())
}

// names yields the names of the attributes that are declared.
func (n *attributeNotes) names() func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for _, d := range n.from.declared {
			if !yield(d.Name) {
				return
			}
		}
	}
}

// few returns the first values of a list.
func few(values []evaluator.Value) string {
	const most = 8
	var texts []string
	for _, v := range values[:min(len(values), most)] {
		texts = append(texts, string(v.JSON()))
	}
	if len(values) > most {
		texts = append(texts, "…")
	}
	return strings.Join(texts, ", ")
}
