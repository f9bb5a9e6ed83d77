package importer

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/serin-flags/serin/ci/internal/compose"
	"github.com/serin-flags/serin/ci/internal/share"
	"github.com/serin-flags/serin/ci/internal/source"
	"github.com/serin-flags/serin/evaluator"
)

// file returns a flag as YAML.
func (f *Flag) file(files map[string][]byte, silences map[string]string) []byte {
	l := &lists{f.Key, files}
	n := compose.Block(compose.Map())
	if f.Description != "" {
		n.With("description", source.Text(oneLine(f.Description)))
	}
	if f.Owner != "" {
		n.With("owner", source.Text(oneLine(f.Owner)))
	}
	n.With("type", source.Text(f.Type))
	if !f.onOff() {
		variants := compose.Block(compose.Map())
		for _, v := range f.Variants {
			variants.With(v.Name, jsonNode(v.Value))
		}
		n.With("variants", variants)
	}
	f.Body.write(n, f, l)
	if len(f.Overlays) > 0 {
		environments := compose.Block(compose.Map())
		for _, o := range f.Overlays {
			body := compose.Block(compose.Map())
			o.Body.write(body, f, l)
			if body.Get("rules") == nil && len(f.Rules) > 0 {
				body.With("rules", compose.List())
			}
			environments.With(o.Environment, body)
		}
		n.With("environments", environments)
	}
	if len(silences) > 0 {
		lint := compose.Block(compose.Map())
		for _, name := range slices.Sorted(maps.Keys(silences)) {
			lint.With(name, source.Text(silences[name]))
		}
		n.With("lint", lint)
	}
	return []byte(compose.YAML(n, nil))
}

// onOff reports whether the flag has no other variants than those that boolean flags have
// anyway.
func (f *Flag) onOff() bool {
	return f.Type == "boolean" && !slices.ContainsFunc(f.Variants, func(v Variant) bool {
		return v != Variant{"on", "true"} && v != Variant{"off", "false"}
	})
}

// oneLine returns text without line breaks and white space around it.
func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }

// write adds the body's keys to the mapping of a flag, or of an environment.
func (b *Body) write(n *source.Node, f *Flag, l *lists) {
	n.With("default", source.Text(b.Default))
	if b.Disabled {
		n.With("enabled", compose.Plain("false"))
	}
	if b.Off != "" && b.Off != b.Default {
		n.With("off_variant", source.Text(b.Off))
	}
	rules := compose.Block(compose.List())
	names := make(map[string]bool)
	for _, r := range b.Rules {
		if r.When.IsNever() {
			continue
		}
		for _, plain := range r.plain() {
			plain.Name = uniqueName(plain.Name, names)
			rules.Items = append(rules.Items, plain.node(l))
		}
	}
	if len(rules.Items) > 0 {
		n.With("rules", rules)
	}
}

// uniqueName returns the name of a rule, with a number if there is one of that name.
func uniqueName(name string, names map[string]bool) string {
	name = oneLine(name)
	if len(name) > 150 {
		name = strings.ToValidUTF8(name[:150], "")
	}
	if name == "" {
		name = "rule"
	}
	for base, i := name, 2; names[name]; i++ {
		name = base + " " + strconv.Itoa(i)
	}
	names[name] = true
	return name
}

// node returns a rule's mapping.
func (r Rule) node(l *lists) *source.Node {
	n := compose.Block(compose.Map()).With("name", source.Text(r.Name))
	if !r.When.IsAlways() {
		n.With("when", r.When.node(l))
	}
	if r.Split == nil {
		return n.With("serve", source.Text(r.Serve))
	}
	s := r.Split
	n.With("by", source.Text(s.By))
	if s.By != Chance {
		n.With("salt", source.Text(s.Salt)).With("hash", source.Text(s.Hash))
		if s.Positions != 0 {
			n.With("positions", compose.Plain(strconv.FormatUint(s.Positions, 10)))
		}
	}
	if s.Grows != nil {
		return n.With("serve", s.ramp())
	}
	serve := compose.Map()
	start := uint64(0)
	for i, e := range s.Ends {
		portion, _ := s.portion(start, e.At)
		text := share.Format(portion)
		if s.By == Chance && i == len(s.Ends)-1 {
			text = share.Rest
		}
		serve.With(e.Variant, compose.Plain(text))
		start = e.At
	}
	return n.With("serve", serve)
}

// ramp returns a share that grows.
func (s *Split) ramp() *source.Node {
	g := s.Grows
	from, _ := s.portion(0, g.From)
	to, _ := s.portion(0, g.To)
	times := func(t time.Time) *source.Node { return source.Text(t.UTC().Format(time.RFC3339)) }
	linear := compose.Map().With("start", times(g.Start)).With("end", times(g.End)).
		With("from", compose.Plain(share.Format(from))).With("to", compose.Plain(share.Format(to)))
	return compose.Map().With("ramp", source.Text(g.Variant)).With("linear", linear)
}

// total returns the number of positions.
func (s *Split) total() uint64 {
	if s.By == Chance {
		return s.Ends[len(s.Ends)-1].At
	}
	return evaluator.Bucketing{Hash: s.Hash, Positions: s.Positions}.Total()
}

// portion returns the share of the positions from start to end, and whether it is exact.
func (s *Split) portion(start, end uint64) (portion int64, exact bool) {
	total := s.total()
	portion = share.Nearest(end-start, total)
	return portion, share.IsExact(portion, total)
}

// plain returns the rule as rules that the language has: a split stays one if its shares can
// be written exactly, and otherwise becomes a rule for each variant.
func (r Rule) plain() []Rule {
	s := r.Split
	if s == nil || s.Grows != nil {
		return []Rule{r}
	}
	seen, exact := make(map[string]bool), true
	start, sum := uint64(0), int64(0)
	for _, e := range s.Ends {
		portion, fine := s.portion(start, e.At)
		sum += portion
		exact = exact && fine && sum <= share.Whole && share.Boundary(sum, s.total()) == e.At && !seen[e.Variant] &&
			e.Variant != "ramp"
		seen[e.Variant] = true
		start = e.At
	}
	if s.By == Chance || exact && sum == share.Whole && start == s.total() {
		return []Rule{r}
	}
	var list []Rule
	start = 0
	for _, e := range s.Ends {
		if e.At > start {
			list = append(list, Rule{Name: r.Name + ": " + e.Variant, Serve: e.Variant,
				When: All(r.When, Bucket(s.By, s.Hash, s.Salt, s.Positions, start, e.At))})
		}
		start = e.At
	}
	return list
}

// HasPosition holds if the attribute is a non-empty text or an integer.
func HasPosition(attribute, hash, salt string, positions uint64) Condition {
	return Bucket(attribute, hash, salt, positions, 0, evaluator.Bucketing{Hash: hash, Positions: positions}.Total())
}

// context returns context.yaml.
func (i *Import) context(attributes []*attribute) []byte {
	list := compose.Block(compose.Map())
	for _, a := range attributes {
		n := compose.Map().With("type", source.Text(a.typ))
		if a.typ == versionV {
			n = compose.Map().With("type", source.Text("semver")).With("v", compose.Plain("true"))
		}
		if a.unit && (a.typ == "string" || a.typ == "integer") {
			n.With("unit", compose.Plain("true"))
		}
		if places := i.From[a.name]; len(places) > 0 {
			n.With("from", fromNode(places))
		}
		list.With(a.name, n)
	}
	return []byte(compose.YAML(compose.Block(compose.Map()).With("attributes", list), nil))
}

// fromNode returns where an attribute comes from.
func fromNode(places []Place) *source.Node {
	list := compose.List()
	for _, p := range places {
		if p.Name == "" {
			list.Items = append(list.Items, source.Text(p.Kind))
		} else {
			list.Items = append(list.Items, compose.Map().With(p.Kind, source.Text(p.Name)))
		}
	}
	if len(places) == 1 {
		return list.Items[0]
	}
	return list
}

// config returns serin.yaml.
func (i *Import) config() []byte {
	n := compose.Block(compose.Map()).With("environments", compose.Texts(i.Environments...)).With("unit",
		source.Text(i.Unit))
	return []byte(compose.YAML(n, nil))
}

// file returns a segment as YAML.
func (s *Segment) file(files map[string][]byte) []byte {
	n := compose.Block(compose.Map())
	if s.Description != "" {
		n.With("description", source.Text(oneLine(s.Description)))
	}
	l := &lists{s.Name, files}
	if name := l.add(unique(s.Include), false); name != "" {
		n.With("include", compose.Map().With("list", source.Text(name)))
	} else {
		n.With("include", compose.Texts(unique(s.Include)...))
	}
	return []byte(compose.YAML(n, nil))
}
