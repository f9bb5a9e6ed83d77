package page

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/serin-flags/serin/ci"
	"github.com/serin-flags/serin/ci/plans"
	"github.com/serin-flags/serin/evaluator"
	"github.com/serin-flags/serin/internal/display"
	"github.com/serin-flags/serin/internal/served"
)

// A view is what one viewer sees of a model at a time.
type view struct {
	*Model
	all   bool // the viewer sees every flag
	sees  func(key string) bool
	flags []*flag // those that the viewer sees
	index []entry // of these
	lints *lints
	now   time.Time
}

// newView returns a view of those flags that sees reports; nil: of all.
func newView(m *Model, sees func(key string) bool, now time.Time) *view {
	is := m.at(now)
	v := &view{Model: m, all: sees == nil, sees: sees, flags: m.flags, index: is.index, lints: is.lints, now: now}
	if sees == nil {
		v.sees = func(string) bool { return true }
		return v
	}
	v.flags, v.index = nil, nil
	for i, f := range m.flags {
		if sees(f.Key) {
			v.flags, v.index = append(v.flags, f), append(v.index, is.index[i])
		}
	}
	return v
}

func (v *view) speaker() speaker { return speaker{v.Model, v.sees} }

// servesWords says what a flag serves now to those whom no rule with a condition matches.
func servesWords(f *evaluator.Flag, now int64) string {
	conditional, shares := served.Now(f, now)
	text := served.Words(shares)
	switch {
	case f.Disabled:
		return text + " (disabled)"
	case len(conditional) > 0:
		text = counted(len(conditional), "%d rule", "%d rules") + ", else " + text
	}
	if f.Reserved != nil {
		text += " (in layer " + f.Reserved.Layer + ")"
	}
	return display.Line(text)
}

// nextChange returns when a variation next changes by itself, in Unix seconds, or 0.
func nextChange(v *variation, now time.Time) int64 {
	if v.plan != nil {
		if c := planCurve(v.plan, v.line, now); !c.NextAt.IsZero() {
			return c.NextAt.Unix()
		}
		return 0
	}
	return served.NextChange(v.flag, now.Unix())
}

// rows is how many flags are on a page of a list.
const rows = 200

// A listing is a page of the list of flags.
type listing struct {
	Query  string
	Rows   []row
	Total  int
	Found  int
	Page   int
	Pages  []pageLink
	States []string
	First  string // the environment whose shares are shown, "" if there is one only
	Next   []row  // the flags that change next, the first one first
}

// A pageLink leads to a page of a list.
type pageLink struct {
	Number  int
	Href    string
	Current bool
}

// A row is a flag in the list.
type row struct {
	Key, Description, Owner, Serves string
	Bar                             bar
	Next                            time.Time
	Where                           string // the environment that changes next
	States                          []string
}

// pageLinks returns the links of a list of so many rows. name is the first page's.
func pageLinks(name string, total, current int) []pageLink {
	if total <= rows {
		return nil
	}
	var links []pageLink
	for n := 1; (n-1)*rows < total; n++ {
		links = append(links, pageLink{n, numbered(name, n), n == current})
	}
	return links
}

// numbered returns the name of the nth page of a list.
func numbered(name string, n int) string {
	if n == 1 {
		return name + ".html"
	}
	return fmt.Sprintf("%s-%d.html", name, n)
}

// pageOf returns the part of a list on a page, and whether there is such a page.
func pageOf[T any](list []T, page int) ([]T, bool) {
	from := (page - 1) * rows
	if page < 1 || from >= len(list) && page > 1 {
		return nil, false
	}
	return list[from:min(len(list), from+rows)], true
}

// list returns a page of the flags that a query finds.
func (v *view) list(query string, page int) (listing, bool) {
	found := v.index
	if query != "" {
		found = find(v.index, query)
	}
	shown, ok := pageOf(found, page)
	l := listing{Query: query, Total: len(v.index), Found: len(found), Page: page, States: states}
	if len(v.source.Environments) > 1 {
		l.First = v.source.Environments[0].Name
	}
	if query == "" {
		l.Pages = pageLinks("index", len(found), page)
	}
	if query == "" && page == 1 {
		l.Next = v.soonest()
	}
	for _, e := range shown {
		f := v.byKey[e.Key]
		conditional, shares := served.Now(f.variants[0].flag, v.now.Unix())
		r := row{Key: f.Key, Description: display.Line(f.Description), Owner: display.Line(f.Owner), Serves: e.Serves, States: e.States}
		if len(shares) > 1 {
			r.Bar = shareBar(f.variants[0].flag, shares)
			if len(conditional) == 0 {
				r.Serves = "" // the bar says it
			}
		}
		v.setNext(&r, e)
		l.Rows = append(l.Rows, r)
	}
	return l, ok
}

// setNext says when and where a flag changes next.
func (v *view) setNext(r *row, e entry) {
	if e.Changes == 0 {
		return
	}
	r.Next = time.Unix(e.Changes, 0).UTC()
	if len(v.source.Environments) > 1 {
		r.Where = e.Where
	}
}

// maxNext is how many flags are said to change next.
const maxNext = 5

// soonest returns the flags that change next.
func (v *view) soonest() []row {
	var next []entry
	for _, e := range v.index {
		if e.Changes == 0 {
			continue
		}
		at, _ := slices.BinarySearchFunc(next, e.Changes+1, func(e entry, at int64) int { return cmp.Compare(e.Changes, at) })
		if at < maxNext {
			next = slices.Insert(next, at, e)
			next = next[:min(len(next), maxNext)]
		}
	}
	rows := make([]row, len(next))
	for i, e := range next {
		rows[i].Key = e.Key
		v.setNext(&rows[i], e)
	}
	return rows
}

// A matrix shows flags by environments.
type matrix struct {
	Environments []string
	Rows         []matrixRow
	Pages        []pageLink
}

type matrixRow struct {
	Key   string
	Cells []cell
	Mixed bool // not all cells are the same
}

// A cell is a flag in an environment. Differs says that it isn't as in the first one.
type cell struct {
	In      string
	Serves  string
	Missing bool
	Differs bool
}

func (v *view) matrix(page int) (matrix, bool) {
	m := matrix{Environments: v.environments(), Pages: pageLinks("matrix", len(v.flags), page)}
	shown, ok := pageOf(v.flags, page)
	for _, f := range shown {
		r := matrixRow{Key: f.Key}
		first := f.in(m.Environments[0])
		for _, env := range m.Environments {
			is := f.in(env)
			c := cell{In: cmp.Or(env, "all"), Missing: is == nil, Differs: is != first && (is == nil || first == nil || !sameFlag(is.flag, first.flag))}
			if is != nil {
				c.Serves = servesWords(is.flag, v.now.Unix())
			}
			r.Mixed = r.Mixed || c.Differs
			r.Cells = append(r.Cells, c)
		}
		m.Rows = append(m.Rows, r)
	}
	return m, ok
}

// privateLints are those whose words quote what a list holds.
var privateLints = []string{"confusing-character", "duplicate-id", "email-address", "list-format", "secret", "stray-space"}

// warning returns the words of a warning, unless they may have IDs in them, or the names of
// flags that the viewer may not see.
func (v *view) warning(p ci.Problem) string {
	if !v.all || slices.Contains(privateLints, p.Lint) {
		return "'serin check' says more."
	}
	return display.Line(p.Message)
}

// A concern is something that needs attention.
type concern struct {
	Key  string // of a flag, "" for none
	What string
	Text string
	File string
}

// An ownership is what needs the attention of an owner.
type ownership struct {
	Owner    string
	Concerns []concern
}

// attention returns what needs attention, by owners.
func (v *view) attention() []ownership {
	byOwner := make(map[string][]concern)
	put := func(f *flag, what, text, file string) {
		byOwner[f.Owner] = append(byOwner[f.Owner], concern{f.Key, what, display.Line(text), file})
	}
	for _, f := range v.flags {
		for _, p := range v.lints.of[f.Key] {
			put(f, p.Lint, v.warning(p), fmt.Sprintf("%s:%d", p.File, p.Line))
		}
		for _, is := range f.variants {
			env := strings.Join(is.environments, ", ")
			switch is.line.State {
			case ci.ReleaseHeld:
				put(f, "held plan", fmt.Sprintf("In %s the plan is held at %v: %s", env, is.line.Share, is.line.Why), "")
			case ci.ReleaseBack:
				put(f, "rolled back", fmt.Sprintf("In %s the plan was rolled back to %v: %s", env, is.line.Share, is.line.Why), "")
			}
			if share, waits := awaitsApproval(is, v.now); waits {
				put(f, "approval", fmt.Sprintf("In %s the step to %v waits for an approval.", env, share), "")
			}
		}
	}
	var list []ownership
	for _, owner := range slices.Sorted(maps.Keys(byOwner)) {
		list = append(list, ownership{display.Line(owner), byOwner[owner]})
	}
	if general := v.generalConcerns(); len(general) > 0 {
		list = append([]ownership{{"The flag folder as a whole", general}}, list...)
	}
	return list
}

// awaitsApproval reports whether the next step of a running plan, to the share that it returns,
// may be taken by now but for an approval.
func awaitsApproval(is *variation, now time.Time) (to ci.Share, waits bool) {
	if is.plan == nil || !is.running() {
		return 0, false
	}
	for _, s := range plans.Stages(is.plan, is.line, now) {
		if !s.Cleared {
			return s.Share, s.Approval && !s.At.After(now)
		}
	}
	return 0, false
}

// soonExpires is how long before metadata expires it needs attention.
const soonExpires = 7 * 24 * time.Hour

// generalConcerns returns what is about no flag.
func (v *view) generalConcerns() []concern {
	var list []concern
	if at := v.source.Expires; !at.IsZero() && at.Sub(v.now) < soonExpires {
		list = append(list, concern{What: "expiring metadata", Text: fmt.Sprintf(
			"The published metadata expires at %s. Run 'serin publish --renew'.", clock(at.Unix()))})
	}
	if !v.all {
		return list // files may be about what the viewer may not see
	}
	for _, p := range v.lints.general {
		list = append(list, concern{What: p.Lint, Text: v.warning(p), File: fmt.Sprintf("%s:%d", p.File, p.Line)})
	}
	return list
}

// A used is something that flags use.
type used struct {
	Name, ID, Kind string
	Words          sentence // what it is
	Flags          []string
	Segments       []string
	More           int // flags that aren't listed
}

// maxUsers is how many flags are listed for each thing that they use.
const maxUsers = 100

// used returns what uses something. id is the anchor of that on its page.
func (v *view) used(name, id, kind string, keys []string) used {
	u := used{Name: display.Line(name), ID: id, Kind: kind}
	for _, key := range keys {
		if v.sees(key) {
			u.Flags = append(u.Flags, key)
		}
	}
	for _, segment := range v.usage.segmentsOf[id] {
		if v.seesSegment(segment) {
			u.Segments = append(u.Segments, segment)
		}
	}
	if n := len(u.Flags) - maxUsers; n > 0 {
		u.Flags, u.More = u.Flags[:maxUsers], n
	}
	return u
}

// seesSegment reports whether the viewer sees a flag that uses a segment, perhaps by way of
// others. Segments don't refer to themselves.
func (v *view) seesSegment(name string) bool {
	return v.all || slices.ContainsFunc(v.usage.segments[name], v.sees) ||
		slices.ContainsFunc(v.usage.segmentsOf["segment-"+name], v.seesSegment)
}

// A usageView is what flags use.
type usageView struct{ Attributes, Segments, Flags []used }

func (v *view) usages() usageView {
	var u usageView
	for _, name := range slices.Sorted(maps.Keys(v.attributes)) {
		a := v.used(name, "attribute-"+name, v.attributes[name].String(), v.usage.attributes[name])
		if v.all || len(a.Flags)+len(a.Segments) > 0 {
			u.Attributes = append(u.Attributes, a)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(v.segments)) {
		if v.seesSegment(name) {
			s := v.used(name, "segment-"+name, "", v.usage.segments[name])
			s.Words = v.segmentWords(v.segments[name])
			u.Segments = append(u.Segments, s)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(v.usage.flags)) {
		if v.sees(key) {
			u.Flags = append(u.Flags, v.used(key, "flag-"+key, "", v.usage.flags[key]))
		}
	}
	return u
}

// segmentWords says who is in a segment: of IDs only how many there are.
func (v *view) segmentWords(s *evaluator.Segment) sentence {
	var words sentence
	switch n := len(s.Include); {
	case s.IncludeList != nil:
		words.say("The IDs of a list")
	case n > 0:
		words.say("%s", counted(n, "%d ID", "%d IDs"))
	}
	if s.When != nil {
		if len(words) > 0 {
			words.say(", and everyone for whom ")
		} else {
			words.say("Everyone for whom ")
		}
		v.speaker().condition(&words, s.When, false)
	}
	switch n := len(s.Exclude); {
	case s.ExcludeList != nil:
		words.say(", without the IDs of a list")
	case n > 0:
		words.say(", without %s", counted(n, "%d ID", "%d IDs"))
	}
	words.say(".")
	return words
}

// A flagView is a flag with all that is known of it.
type flagView struct {
	*flag
	Owner, Description string
	Variants           []variantView
	Variations         []variationView
	Warnings           []concern
	Covered, Coverable int
	Attributes         []string // that it reads, for the form of Why
	Refs               evaluator.Refs
	Users              []string // flags whose rules ask for it
	Reads              []string // places in code
	MoreReads          int      // that aren't listed
	Code               bool     // it is known which code reads flags
	States             []string
	Disabled           bool   // in every environment
	Picks              []pick // contexts that are offered
	// The rest is a question that came from the form, and its answer.
	Asked                 bool
	Contexts, Environment string
	Answer                *why
	Wrong                 string
}

type variantView struct {
	Name, Value string
	Kind        int
}

// A variationView is a flag in some environments.
type variationView struct {
	ID, Title string
	Where     []string
	Disabled  bool
	Off       string
	Layer     string
	Stale     string
	Rules     []ruleView
	Default   string
	Curves    []curveView
	Serves    string
	Bar       bar
}

// A ruleView is a rule as people read it.
type ruleView struct {
	Number     int
	ID, Name   string
	Words      sentence
	Bar        bar
	Warnings   []string
	Test       string // "" if nothing is known of tests
	Untested   bool
	Conditions bool
}

// A curveView is a ramp or a plan with its verdicts.
type curveView struct {
	*curve
	Rule    string
	Plan    bool
	State   string
	Why     string
	By      string
	Since   time.Time
	Records []*plans.Record
}

// flagView returns a flag, or nil if the viewer doesn't see it.
func (v *view) flagView(key string) *flagView {
	f := v.byKey[key]
	if f == nil || !v.sees(key) {
		return nil
	}
	w := &flagView{flag: f, Owner: display.Line(f.Owner), Description: display.Line(f.Description), States: f.states(v.lints, v.now.Unix())}
	for _, c := range f.coverage {
		w.Coverable++
		if c.Reached {
			w.Covered++
		}
	}
	for _, p := range v.lints.of[f.Key] {
		w.Warnings = append(w.Warnings, concern{What: p.Lint, Text: v.warning(p), File: fmt.Sprintf("%s:%d", p.File, p.Line)})
	}
	for i, variant := range f.variants[0].flag.Variants {
		w.Variants = append(w.Variants, variantView{display.Line(variant.Name), clip(display.Line(string(variant.Value.JSON()))), i % kinds})
	}
	w.Refs = f.refs()
	w.Refs.Flags = slices.DeleteFunc(w.Refs.Flags, func(key string) bool { return !v.sees(key) })
	w.Users = slices.DeleteFunc(slices.Clone(v.usage.flags[key]), func(key string) bool { return !v.sees(key) })
	w.Attributes = v.reads(f)
	w.Picks = []pick{v.blankPick(w.Attributes)}
	w.Disabled = !slices.ContainsFunc(f.variants, func(is *variation) bool { return !is.flag.Disabled })
	w.Code, w.Reads = v.source.Reads != nil, v.source.Reads[key]
	if n := len(w.Reads) - maxUsers; n > 0 {
		w.Reads, w.MoreReads = w.Reads[:maxUsers], n
	}
	for i, is := range f.variants {
		w.Variations = append(w.Variations, v.variation(f, is, i))
	}
	return w
}

// reads returns the names of the attributes that answers may depend on, in any environment. A
// viewer who doesn't see every flag is told those of the flag itself: others may be of flags
// that it asks for.
func (v *view) reads(f *flag) []string {
	if !v.all {
		return f.refs().Attributes
	}
	var names []string
	for _, is := range f.variants {
		program, err := v.program(is.environments[0])
		if err != nil || program == nil {
			continue
		}
		names = append(names, program.Flag(f.Key).Reads()...)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func (v *view) variation(f *flag, is *variation, number int) variationView {
	c := is.flag
	w := variationView{
		ID: fmt.Sprintf("in-%d", number+1), Title: is.title(len(v.source.Environments)), Where: is.environments, Disabled: c.Disabled,
		Off: display.Line(c.Variants[c.Off].Name), Default: display.Line(c.Variants[c.Default].Name), Serves: servesWords(c, v.now.Unix()),
	}
	_, shares := served.Now(c, v.now.Unix())
	w.Bar = shareBar(c, shares)
	if c.Reserved != nil {
		w.Layer = display.Line(c.Reserved.Layer)
	}
	if c.Stale != nil {
		w.Stale = fmt.Sprintf("If the flags are older than %s, it serves %s.", seconds(int64(c.Stale.After)), display.Line(c.Variants[c.Stale.Variant].Name))
	}
	for i := range c.Rules {
		w.Rules = append(w.Rules, v.rule(f, is, i, w.ID))
		if curve := v.curve(f, is, &c.Rules[i]); curve != nil {
			w.Curves = append(w.Curves, *curve)
		}
	}
	return w
}

func (v *view) rule(f *flag, is *variation, i int, id string) ruleView {
	r := &is.flag.Rules[i]
	w := ruleView{
		Number: i + 1, ID: fmt.Sprintf("%s-rule-%d", id, i+1), Name: display.Line(r.Name),
		Words: v.speaker().rule(is.flag, r, v.now.Unix()), Bar: shareBar(is.flag, served.OfRule(is.flag, r, v.now.Unix())),
	}
	for _, p := range v.lints.of[f.Key] {
		if about(p.Message, r.Name, is.environments) {
			w.Warnings = append(w.Warnings, v.warning(p))
		}
	}
	// An environment may have rules of its own, which are covered for themselves.
	for _, c := range f.coverage {
		if c.Rule != r.Name || c.Environment != "" && !slices.Contains(is.environments, c.Environment) {
			continue
		}
		w.Test, w.Untested = "A test reaches this rule.", false
		if !c.Reached {
			w.Test, w.Untested = "No test reaches this rule.", true
		}
		if c.Environment != "" {
			break
		}
	}
	return w
}

// about reports whether a warning is about a rule in one of some environments. It names both
// at its start, the environment only if there is one.
func about(message, rule string, environments []string) bool {
	if place, rest, ok := strings.Cut(message, ": rule "); ok && strings.HasPrefix(place, "environment ") {
		if !slices.ContainsFunc(environments, func(e string) bool { return place == fmt.Sprintf("environment %q", e) }) {
			return false
		}
		message = "rule " + rest
	}
	return strings.HasPrefix(message, fmt.Sprintf("rule %q", rule))
}

// curve returns the ramp or the plan of a rule, nil if it has none.
func (v *view) curve(f *flag, is *variation, r *evaluator.Rule) *curveView {
	if p := is.plan; p != nil && p.Rule == r.Name {
		w := &curveView{
			curve: planCurve(p, is.line, v.now), Rule: display.Line(r.Name), Plan: true, State: string(is.line.State),
			Why: display.Line(is.line.Why), By: display.Line(is.line.By), Since: is.line.Since.UTC(),
		}
		for _, record := range f.records {
			if slices.Contains(is.environments, record.Environment) && len(w.Records) < maxVerdicts {
				w.Records = append(w.Records, record)
			}
		}
		return w
	}
	if r.Split == nil || r.Split.Ramp == nil || r.Split.Ramp.Points[0].At < 0 {
		return nil // it has no ramp, or one that a guard advances by a plan that isn't known
	}
	return &curveView{curve: rampCurve(r.Split.Ramp, r.Split.Total(), v.now), Rule: display.Line(r.Name)}
}

// maxVerdicts is how many decisions about a plan are shown.
const maxVerdicts = 10
