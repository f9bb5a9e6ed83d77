package evaluator

import (
	"fmt"
	"math/bits"
	"strconv"
	"strings"
)

// String returns the trace as text for people, one step on a line. ✓ marks what holds or
// matches, ✗ what doesn't, and – rules that weren't reached.
func (t Trace) String() string {
	var b strings.Builder
	t.write(&b, "")
	return b.String()
}

// write writes the trace of a flag. The traces of its prerequisites are indented below the
// conditions that ask for them.
func (t Trace) write(b *strings.Builder, indent string) {
	if t.Reason == ReasonError {
		fmt.Fprintf(b, "%sthere is no such flag\n", indent)
		return
	}
	fmt.Fprintf(b, "%s%s = %s (variant %q, %v", indent, t.Flag, shortJSON(t.Value), t.Variant, t.Reason)
	if t.Rule != "" {
		fmt.Fprintf(b, " by rule %q", t.Rule)
	}
	b.WriteString(")\n")
	indent += "  "
	if t.Stale != nil {
		t.Stale.write(b, indent)
	}
	if t.Reserved != nil {
		t.Reserved.write(b, indent)
	}
	for _, r := range t.Rules {
		r.write(b, indent)
	}
}

// write says how old the flags are and how old they may be.
func (s *StaleTrace) write(b *strings.Builder, indent string) {
	fmt.Fprintf(b, "%s%s flags are at most %s old: they are %s old\n",
		indent, mark(!s.Stale), seconds(int64(s.After)), seconds(s.Age))
}

// seconds prints a duration in the largest unit of which it is a multiple.
func seconds(n int64) string {
	for _, unit := range []struct {
		seconds int64
		name    string
	}{{86_400, "d"}, {3600, "h"}, {60, "m"}} {
		if n != 0 && n%unit.seconds == 0 {
			return strconv.FormatInt(n/unit.seconds, 10) + unit.name
		}
	}
	return strconv.FormatInt(n, 10) + "s"
}

// write writes a rule, what its condition was, and where its split put the unit. Of a rule that
// wasn't reached, nothing but its name is known.
func (r RuleTrace) write(b *strings.Builder, indent string) {
	if !r.Reached {
		fmt.Fprintf(b, "%s– rule %q\n", indent, r.Name)
		return
	}
	fmt.Fprintf(b, "%s%s rule %q\n", indent, mark(r.Matched), r.Name)
	if r.When != nil {
		r.When.write(b, indent+"  ")
	}
	if r.Draw != nil {
		r.Draw.write(b, indent+"  ")
	}
}

// write writes what a condition asks, what the context has instead of or for it, and below that
// the conditions that it combines. "Unfit" values are of the wrong type, which is a mistake of the
// program: so it is said, and not only that the condition doesn't hold.
func (t ConditionTrace) write(b *strings.Builder, indent string) {
	fmt.Fprintf(b, "%s%s ", indent, mark(t.Holds))
	switch {
	case t.Op != comparison:
		b.WriteString(t.Op)
	case t.Attribute == "":
		fmt.Fprintf(b, "%s: it is %s", t.Asked, shortJSON(t.Value))
	case t.Value.Kind() == KindNone:
		fmt.Fprintf(b, "%s %s: it is missing", t.Attribute, t.Asked)
	default:
		fmt.Fprintf(b, "%s %s: it is %s", t.Attribute, t.Asked, shortJSON(t.Value))
	}
	switch t.Unfit {
	case "":
	case AttrIP.String():
		b.WriteString(", which is no IP address")
	case AttrSemver.String(), AttrSemverV.String():
		b.WriteString(", which is no semantic version")
	case AttrString.String():
		b.WriteString(", which is no text")
	default:
		b.WriteString(", which is no " + t.Unfit)
	}
	if t.Draw != nil && !t.Draw.Missing {
		fmt.Fprintf(b, ", at position %d", t.Draw.Position)
	}
	if t.Found != "" {
		fmt.Fprintf(b, ", on the list %q", t.Found)
	}
	b.WriteByte('\n')
	for _, part := range t.Of {
		part.write(b, indent+"  ")
	}
	if t.Prerequisite != nil {
		t.Prerequisite.write(b, indent+"  ")
	}
}

// write says which position the unit has, and which range of positions it is in. Positions of most
// hashes say nothing to people, so it prints shares next to them.
func (d *Draw) write(b *strings.Builder, indent string) {
	b.WriteString(indent)
	switch {
	case d.Missing && d.Unit.Kind() == KindNone:
		fmt.Fprintf(b, "✗ %sby %s: it is missing\n", d.prefix(), d.By)
		return
	case d.Missing:
		fmt.Fprintf(b, "✗ %sby %s: %s can't be hashed\n", d.prefix(), d.By, shortJSON(d.Unit))
		return
	case d.By == "":
		b.WriteString("by chance")
	default:
		if d.Layer != "" {
			b.WriteString(mark(d.Within) + " ")
		}
		fmt.Fprintf(b, "%sby %s %s, salt %q", d.prefix(), d.By, shortJSON(d.Unit), d.Salt)
		if d.Hash != HashMurmur3 {
			fmt.Fprintf(b, ", hash %s", d.Hash)
		}
	}
	fmt.Fprintf(b, ": position %d (%s), in %s to %s",
		d.Position, d.percent(d.Position), d.percent(d.From), d.percent(d.To))
	switch {
	case d.Variant != "":
		fmt.Fprintf(b, ": %q", d.Variant)
	case d.Within:
		b.WriteString(": reserved for this flag")
	default:
		b.WriteString(": not for this flag")
	}
	switch {
	case d.Ramp == nil:
	case d.Ramp.Next == "":
		b.WriteString(", the end of a ramp")
	default:
		fmt.Fprintf(b, ", of a ramp that reaches %s at %s", d.percent(d.Ramp.Level), d.Ramp.Next)
	}
	b.WriteByte('\n')
}

// prefix names the layer, if the draw is for one.
func (d *Draw) prefix() string {
	if d.Layer == "" {
		return ""
	}
	return "layer " + strconv.Quote(d.Layer) + " "
}

func mark(holds bool) string {
	if holds {
		return "✓"
	}
	return "✗"
}

// percent prints a number of positions as a share of all.
func (d *Draw) percent(positions uint64) string {
	const digits = 1_000_000 // 100% with four digits after the point
	hi, lo := bits.Mul64(positions, digits)
	lo, carry := bits.Add64(lo, d.Positions/2, 0)
	share, _ := bits.Div64(hi+carry, lo, max(d.Positions, 1))
	text := fmt.Sprintf("%d.%04d", share/10_000, share%10_000)
	return strings.TrimSuffix(strings.TrimRight(text, "0"), ".") + "%"
}

// shortJSON prints a value as JSON, and truncates long ones.
func shortJSON(v Value) string {
	const most = 80
	text := []rune(string(v.JSON()))
	if len(text) <= most {
		return string(text)
	}
	return string(text[:most]) + "…"
}
