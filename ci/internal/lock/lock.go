package lock

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/serin-flags/serin/ci/internal/share"
	"github.com/serin-flags/serin/ci/internal/source"
	"github.com/serin-flags/serin/evaluator"
	"github.com/serin-flags/serin/internal/suggest"
)

// A Division is a split by a unit or a layer, as the flag files have it. The lock file
// records its positions.
type Division struct {
	File  *source.File // where it is written
	ID    ID
	Draw  evaluator.Bucketing
	Parts []share.Part
	At    *source.Node
}

// Pieces returns the positions that the file records for d, nil if it has none or they
// don't fit.
func (l *File) Pieces(d *Division) []share.Piece {
	if e := l.byID[d.ID]; e != nil && e.Draw == d.Draw && share.Fit(e.pieces, d.Parts) {
		return e.pieces
	}
	return nil
}

// Check compares the lock file with the divisions of flag files that have no other
// problems, and records what doesn't fit. dir is the folder, for messages.
func (l *File) Check(divisions []*Division, dir string) {
	used := make(map[ID]bool, len(l.byID))
	for _, d := range divisions {
		used[d.ID] = true
		if why := l.misfit(d); why != "" {
			d.File.ProblemAt(d.At.Line(), d.At.Column(),
				fmt.Sprintf("%s%s; run 'serin lock %s' and commit that file too",
					d.place(), why, dir))
		}
	}
	for id, entry := range l.byID {
		if !used[id] {
			l.File.ProblemAt(entry.line,
				1, fmt.Sprintf("%s is no longer a split of the flags; run 'serin lock %s'", id, dir))
		}
	}
}

// place is the start of messages about d.
func (d *Division) place() string {
	switch _, isLayer := d.ID.layer(); {
	case isLayer:
		return ""
	case d.ID.Environment != "":
		return fmt.Sprintf("environment %q: rule %q: ", d.ID.Environment, d.ID.Rule)
	}
	return fmt.Sprintf("rule %q: ", d.ID.Rule)
}

// misfit returns why the lock file doesn't fit d, "" if it does.
func (l *File) misfit(d *Division) string {
	what := "the split"
	if _, ok := d.ID.layer(); ok {
		what = "the layer"
	}
	e := l.byID[d.ID]
	switch {
	case e == nil:
		return fmt.Sprintf("%s doesn't know %s", l.Shown, what)
	case e.Draw != d.Draw:
		return fmt.Sprintf("%s has %s by %q with the salt %q, and not by %q with the salt %q", l.Shown, what, e.Draw.By,
			e.Draw.Salt, d.Draw.By, d.Draw.Salt)
	case !share.Fit(e.pieces, d.Parts):
		return fmt.Sprintf("%s has other shares of %s: %s", l.Shown, what, shareList(partsOf(e.pieces)))
	}
	return ""
}

// partsOf returns the shares of pieces, rounded to a billionth, in their order.
func partsOf(list []share.Piece) []share.Part {
	have := share.Positions(list)
	var parts []share.Part
	for _, p := range list {
		if n, ok := have[p.Name]; ok {
			delete(have, p.Name)
			parts = append(parts, share.Part{Name: p.Name, Share: share.Nearest(n, list[len(list)-1].To)})
		}
	}
	return parts
}

// shareList returns parts in words, twelve at most.
func shareList(parts []share.Part) string {
	var list []string
	for _, p := range parts {
		if len(list) == 12 {
			list = append(list, "…")
			break
		}
		list = append(list, share.Format(p.Share)+" "+p.Name)
	}
	return strings.Join(list, ", ")
}

// An Update is a new content for the lock file, and what changes.
type Update struct {
	File    string   // the path, as a user would type it
	Before  []byte   // what is in the file; nil if there is none
	After   []byte   // what is to be in it
	Changes []Change // sorted by what they are about
	Splits  int      // how many splits and layers After keeps
	Renames []Rename // sorted by the old key
}

// A Change is a line of the lock file that is added, removed or changed.
type Change struct {
	// What names the split or layer, for people.
	What string
	// Flag and Rule are the split's; Environment is "" if the rule is the flag's
	// own. Of a layer there is its name alone.
	Flag, Environment, Rule, Layer string

	Kind Kind
	// Shares are in words, such as "20% on, 80% off". If the line is removed, they
	// are those that it had.
	Shares string
	// Moves are the positions that change hands, largest first. They are empty if
	// the unit, the salt or the hash changes: then every unit has another position.
	Moves []share.Move
	// Pieces is how many ranges the split has. Editing shares adds some; more than
	// 64 beyond the number of shares are refused.
	Pieces int
}

// Kind says what happens to a line.
type Kind uint8

// The kinds of changes.
const (
	Added   Kind = iota + 1
	Changed      // shares
	Renamed      // the flag or the rule, and perhaps shares
	Anew         // the unit, the salt or the hash is another, or it was asked for
	Removed
)

// String returns a word such as "added".
func (k Kind) String() string {
	switch k {
	case Added:
		return "added"
	case Changed:
		return "changed"
	case Renamed:
		return "renamed"
	case Anew:
		return "anew"
	case Removed:
		return "removed"
	}
	return fmt.Sprintf("LockChangeKind(%d)", uint8(k))
}

// Update returns the update that makes the file fit the divisions. The divisions of
// owners in restart get their positions in the order of the files; the others keep as many
// as possible.
func (l *File) Update(divisions []*Division, restart []string) (*Update, error) {
	return l.update(relocking{lock: l, divisions: divisions, restart: restart})
}

// UpdateLike is Update, but the splits of a flag in the environment to get the positions that
// those of the same rules have in the environment from, where they have the same shares.
func (l *File) UpdateLike(divisions []*Division, flag, from, to string) (*Update, error) {
	model := make(map[ID]*Entry)
	for id, e := range l.byID {
		if id.Owner == flag && id.Environment == from && from != "" {
			model[ID{flag, to, id.Rule}] = e
		}
	}
	return l.update(relocking{lock: l, divisions: divisions, model: model})
}

func (l *File) update(r relocking) (*Update, error) {
	r.used = make(map[ID]bool)
	slices.SortFunc(r.divisions, func(a, b *Division) int { return a.ID.compare(b.ID) })
	if err := r.checkAnew(); err != nil {
		return nil, err
	}
	r.match()
	for i, d := range r.divisions {
		if err := r.update(d, r.from[i]); err != nil {
			return nil, err
		}
	}
	for id, entry := range l.byID {
		if !r.used[id] {
			r.changes = append(r.changes, newChange(id, Removed, partsOf(entry.pieces)))
		}
	}
	slices.SortFunc(r.changes, func(a, b Change) int { return cmp.Compare(a.What, b.What) })
	u := &Update{File: l.Shown, After: Format(l.header(), r.entries), Changes: r.changes, Splits: len(r.entries),
		Renames: r.renames()}
	if l.File != nil {
		u.Before = l.File.Data
	}
	return u, nil
}

func newChange(id ID, kind Kind, parts []share.Part) Change {
	c := Change{What: id.String(), Kind: kind, Shares: shareList(parts)}
	if layer, ok := id.layer(); ok {
		c.Layer = layer
	} else {
		c.Flag, c.Environment, c.Rule = id.Owner, id.Environment, id.Rule
	}
	return c
}

// A relocking finds the line of the lock file that each division continues.
type relocking struct {
	lock      *File
	restart   []string
	divisions []*Division
	model     map[ID]*Entry // lines whose positions others get
	from      []*Entry      // for each division, nil for none
	used      map[ID]bool
	entries   []*Entry
	changes   []Change
}

// checkAnew returns an error if restart names something that doesn't exist.
func (r *relocking) checkAnew() error {
	owners := func(yield func(string) bool) {
		for _, d := range r.divisions {
			if !yield(d.ID.Owner) {
				return
			}
		}
	}
	for _, key := range r.restart {
		if !slices.Contains(slices.Collect(owners), key) {
			return fmt.Errorf("there is no flag %q with a split by a unit%s", key, suggest.DidYouMean(key, owners))
		}
	}
	return nil
}

// match finds the line that each division continues: its own, if there is one.
// Otherwise, so that flags and rules can be renamed, it is the only unused line in the
// same environment with the same unit, salt and hash, first among those of the same
// rule and then among all. A new rule of an environment continues the flag's own.
func (r *relocking) match() {
	r.from = make([]*Entry, len(r.divisions))
	known := make(map[ID]bool, len(r.divisions))
	for i, d := range r.divisions {
		known[d.ID] = true
		r.from[i] = r.lock.byID[d.ID]
		r.used[d.ID] = r.from[i] != nil
	}
	gone := make([]*Entry, 0)
	for id, e := range r.lock.byID {
		if !known[id] {
			gone = append(gone, e)
		}
	}
	slices.SortFunc(gone, func(a, b *Entry) int { return a.ID.compare(b.ID) })
	r.rename(gone, true)
	r.rename(gone, false)
	for i, d := range r.divisions {
		if r.from[i] == nil && d.ID.Environment != "" {
			base := r.lock.byID[ID{d.ID.Owner, "", d.ID.Rule}]
			if base != nil && base.Draw == d.Draw {
				r.from[i] = base
			}
		}
	}
}

// A likeness is what an unused line and a new division have in common if one is the
// other under another name.
type likeness struct {
	draw              evaluator.Bucketing
	environment, rule string
	layer             bool
}

func like(id ID, d evaluator.Bucketing, byRule bool) likeness {
	_, isLayer := id.layer()
	l := likeness{draw: d, environment: id.Environment, layer: isLayer}
	if byRule {
		l.rule = id.Rule
	}
	return l
}

// rename pairs unused lines and new divisions that are alike, if exactly one of each is.
func (r *relocking) rename(gone []*Entry, byRule bool) {
	lines := make(map[likeness][]*Entry)
	for _, e := range gone {
		if !r.used[e.ID] {
			k := like(e.ID, e.Draw, byRule)
			lines[k] = append(lines[k], e)
		}
	}
	added := make(map[likeness][]int)
	for i, d := range r.divisions {
		if r.from[i] == nil {
			k := like(d.ID, d.Draw, byRule)
			added[k] = append(added[k], i)
		}
	}
	for k, list := range added {
		if e := lines[k]; len(list) == 1 && len(e) == 1 {
			r.from[list[0]] = e[0]
			r.used[e[0].ID] = true
		}
	}
}

// update makes the line of d, which continues from, or nothing if that is nil.
func (r *relocking) update(d *Division, from *Entry) error {
	before := share.InOrder(d.Parts, d.Draw.Total()) // what there is, or what to start from
	shares, start, kind := before, before, Changed
	switch {
	case from == nil:
		kind = Added
	case from.Draw != d.Draw:
		kind = Anew
	case slices.Contains(r.restart, d.ID.Owner):
		kind, before = Anew, from.pieces
	case from.ID.Environment != d.ID.Environment:
		kind = Added
		before, start = from.pieces, from.pieces
	default:
		before, start = from.pieces, from.pieces
		if from.ID != d.ID {
			kind = Renamed
		}
	}
	if model := r.model[d.ID]; model != nil && model.Draw == d.Draw {
		start = model.pieces
	}
	after := share.Rebalance(start, d.Parts)
	if n := len(after); n > maxPieces+len(d.Parts) {
		return fmt.Errorf("%s would have %d ranges for its %d shares, and the limit is %d more ranges than shares; "+
			"run 'serin lock --anew %s' to divide it again; that moves users", d.ID, n, len(d.Parts), maxPieces, d.ID.Owner)
	}
	r.entries = append(r.entries, &Entry{ID: d.ID, Draw: d.Draw, pieces: after})
	if kind != Changed || !slices.Equal(before, after) {
		change := newChange(d.ID, kind, partsOf(shares))
		change.Moves, change.Pieces = share.Moves(before, after), len(after)
		r.changes = append(r.changes, change)
	}
	return nil
}
