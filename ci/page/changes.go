package page

import (
	"cmp"
	"net/url"
	"slices"
	"strings"

	"github.com/serin-flags/serin/ci/diff"
	"github.com/serin-flags/serin/ci/release"
	"github.com/serin-flags/serin/internal/display"
)

// A changesView is a report of package diff.
type changesView struct {
	Old, New     string // as the viewer has asked
	From, To     string // what is compared
	Asked        bool
	Error        string
	Environments []changedEnvironment
	NotCompared  string
}

type changedEnvironment struct {
	Names []string
	Flags []changedFlag
	More  int // flags that aren't shown
}

// A changedFlag is a flag that differs, and for whom.
type changedFlag struct {
	Key, Change, Verdict string
	Linked               bool
	Edits                []string
	Groups               []changedGroup
}

type changedGroup struct {
	Who   string
	Moves []string
	Bars  []twoRows
}

// A twoRows is who is served what by position, before and after.
type twoRows struct {
	Label    string
	Old, New []part
	Legend   []part
}

// maxChanged is how many flags are shown of environments in which the same differs.
const maxChanged = 200

// changes returns a report as people see it. Without private, it leaves out what flags compare
// with, which may be IDs.
func (v *view) changes(r diff.Report, private bool) changesView {
	w := changesView{From: display.Line(r.Old), To: display.Line(r.New), Asked: true,
		NotCompared: display.Line(r.NotCompared)}
	if r.NotCompared != "" && !v.all {
		w.NotCompared = "'serin diff' says why."
	}
	for _, s := range v.visible(r).Sections() {
		e := changedEnvironment{Names: s.Names, More: max(0, len(s.Flags)-maxChanged)}
		for i := range s.Flags[:len(s.Flags)-e.More] {
			e.Flags = append(e.Flags, v.changedFlag(&s.Flags[i], private))
		}
		w.Environments = append(w.Environments, e)
	}
	return w
}

// visible returns a report without the flags that the viewer may not see. A flag that comes from
// where the viewer sees nothing is added, and one that goes there is removed.
func (v *view) visible(r diff.Report) diff.Report {
	if v.all {
		return r
	}
	r.Environments = slices.Clone(r.Environments)
	for i, e := range r.Environments {
		var flags []diff.Flag
		for _, f := range e.Flags {
			key, namespace := cmp.Or(f.Was, f.Key), cmp.Or(f.WasIn, f.Namespace)
			before := f.Change != diff.Added && v.seesIn(key, namespace)
			after := f.Change != diff.Removed && v.seesIn(f.Key, f.Namespace)
			switch {
			case before && after, after && f.Change == diff.Added, before && f.Change == diff.Removed:
				flags = append(flags, f)
			case after:
				flags = append(flags, diff.Flag{Key: f.Key, Namespace: f.Namespace, Change: diff.Added})
			case before:
				flags = append(flags, diff.Flag{Key: key, Namespace: namespace, Change: diff.Removed})
			}
		}
		r.Environments[i].Flags = flags
	}
	return r
}

func (v *view) changedFlag(f *diff.Flag, private bool) changedFlag {
	w := changedFlag{Key: f.Key, Change: string(f.Change), Verdict: verdictWords(f), Linked: v.byKey[f.Key] != nil}
	if f.Was != "" {
		w.Change += " from " + f.Was
	}
	for _, e := range f.Edits {
		words := e.String()
		if !private && e.Quotes() {
			words = string(e.Kind)
			if e.Rule != "" {
				words += " of rule “" + e.Rule + "”"
			}
		}
		if !slices.Contains(w.Edits, words) {
			w.Edits = append(w.Edits, display.Line(words))
		}
	}
	for _, g := range f.Groups {
		group := changedGroup{Who: display.Line(g.Who)}
		if !private && !g.Everybody {
			group.Who = "users of rule “" + display.Line(g.Rule) + "”"
		}
		for _, m := range g.Moves {
			group.Moves = append(group.Moves, display.Line(m.Share.String()+" "+m.From+" → "+m.To))
		}
		for _, b := range g.Bars {
			group.Bars = append(group.Bars, drawRows(b, v.byKey[f.Key]))
		}
		w.Groups = append(w.Groups, group)
	}
	return w
}

// drawRows draws a bar of package diff about a flag, which may be nil. Variants that the flag has
// are of the same colors as on its own page.
func drawRows(b diff.Bar, f *flag) twoRows {
	var names []string
	if f != nil {
		for _, variant := range f.variants[0].flag.Variants {
			names = append(names, variant.Name)
		}
	}
	var words []string
	w, kindOf := twoRows{}, make(map[string]int)
	for _, l := range b.Legend {
		at := slices.Index(names, l.Means)
		if at < 0 {
			at = len(names)
			names = append(names, l.Means)
		}
		kindOf[l.Mark] = at % kinds
		words = append(words, display.Line(l.Means))
		w.Legend = append(w.Legend, part{Kind: at % kinds, Name: display.Line(l.Means)})
	}
	w.Old, w.New = rowOf(b.Old, kindOf), rowOf(b.New, kindOf)
	w.Label = "Who gets what by position, before and after: " + strings.Join(words, ", ")
	return w
}

func verdictWords(f *diff.Flag) string {
	switch f.Verdict {
	case diff.VerdictNobody:
		return "Nobody gets a different value: that is proved."
	case diff.VerdictShare:
		return f.Moved.String() + " of the users it is about get a different value."
	case diff.VerdictCounted:
		return f.Moved.String() + " of the counted users get a different value."
	case diff.VerdictNamed:
		return counted(f.Named, "%d user named in the flags gets a different value.",
			"%d users named in the flags get a different value.")
	case diff.VerdictExample:
		return "Some users get a different value."
	case diff.VerdictUnknown:
		return "It isn't known whether anybody gets a different value."
	}
	return ""
}

// A historyView is what has been published.
type historyView struct {
	Environment string
	Flag        string // "": it is about everything
	Error       string
	Revisions   []revision
	More        bool
}

// A revision is one that was published, or an object that can't be verified.
type revision struct {
	release.Entry
	What, Author, Reason, Commit, Run string
	Verified                          bool
	Namespaces                        []string
	Change                            string // of the flag that the history is about
}

// flagChanges are the words for what a revision did to a flag.
var flagChanges = map[release.FlagChange]string{
	release.FlagAdded: "added", release.FlagChanged: "changed", release.FlagRemoved: "removed",
	release.FlagUnknown: "may have changed",
}

// history returns the history of what a viewer sees or, if it isn't nil, of a flag.
func (v *view) history(h release.History, of *flag) historyView {
	visible := make(map[string]bool)
	for _, f := range v.flags {
		visible[f.Namespace] = true
	}
	w := historyView{Environment: h.Environment, More: h.More}
	if of != nil {
		w.Flag = of.Key
	}
	for _, e := range h.Entries {
		if of != nil && e.Flag == "" {
			continue
		}
		r := revision{Entry: e, Verified: e.Standing == release.StandingPublished, What: "published",
			Change: flagChanges[e.Flag]}
		for _, change := range []struct {
			sign  string
			names []string
		}{{"+", e.Added}, {"~", e.Changed}, {"−", e.Removed}} {
			for _, name := range change.names {
				if v.all || visible[name] {
					r.Namespaces = append(r.Namespaces, change.sign+" "+display.Line(name))
				}
			}
		}
		r.describe()
		w.Revisions = append(w.Revisions, r)
	}
	return w
}

// describe says where a revision comes from.
func (r *revision) describe() {
	p := r.Provenance
	switch {
	case !r.Verified:
		r.What = r.Standing.String()
	case p.RollbackOf > 0:
		r.What = "rolls back to " + decimals([]int64{p.RollbackOf})[0]
	case p.RenewalOf > 0:
		r.What = "renews " + decimals([]int64{p.RenewalOf})[0]
	}
	r.Author, r.Reason, r.Commit = display.Line(p.Author), display.Line(p.Reason), display.Line(p.Commit)
	if len(r.Commit) > 12 {
		r.Commit = r.Commit[:12]
	}
	if u, err := url.Parse(p.RunURL); err == nil && (u.Scheme == "https" || u.Scheme == "http") {
		r.Run = p.RunURL
	}
}
