package ci

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/serin-flags/serin/evaluator"
	"github.com/serin-flags/serin/internal/suggest"
)

// A division is what the lock file keeps the positions of, as the files have it: a
// split by a unit, or a layer.
type division struct {
	source *source // the file that it stands in
	id     lockID
	draw   draw
	parts  []part
	at     *node
}

// pieces returns who has which positions of d, nil if the file doesn't say, or if
// what it says doesn't fit.
func (l *lock) pieces(d *division) []piece {
	if e := l.byID[d.id]; e != nil && e.draw == d.draw && fit(e.pieces, d.parts) {
		return e.pieces
	}
	return nil
}

// check holds the file against what it is to keep, as files without other problems
// have it. What doesn't fit is recorded.
func (l *lock) check(divisions []*division, dir string) {
	used := make(map[lockID]bool, len(l.byID))
	for _, d := range divisions {
		used[d.id] = true
		if why := l.misfit(d); why != "" {
			d.source.problemAt(d.at.line(), d.at.column(), fmt.Sprintf("%s%s; run 'serin lock %s' and commit that file too", d.place(), why, dir))
		}
	}
	for id, entry := range l.byID {
		if !used[id] {
			l.source.problemAt(entry.line, 1, fmt.Sprintf("%s is no split of the flags any more; run 'serin lock %s'", id, dir))
		}
	}
}

// place is what messages about d start with, in the file that it stands in.
func (d *division) place() string {
	switch _, isLayer := d.id.layer(); {
	case isLayer:
		return ""
	case d.id.environment != "":
		return fmt.Sprintf("environment %q: rule %q: ", d.id.environment, d.id.rule)
	}
	return fmt.Sprintf("rule %q: ", d.id.rule)
}

// misfit says why the lock file doesn't fit d, "" if it does.
func (l *lock) misfit(d *division) string {
	what := "the split"
	if _, ok := d.id.layer(); ok {
		what = "the layer"
	}
	e := l.byID[d.id]
	switch {
	case e == nil:
		return fmt.Sprintf("%s doesn't know %s", l.shown, what)
	case e.draw != d.draw:
		return fmt.Sprintf("%s has %s by %q with the salt %q, and not by %q with the salt %q", l.shown, what, e.draw.by, e.draw.salt, d.draw.by, d.draw.salt)
	case !fit(e.pieces, d.parts):
		return fmt.Sprintf("%s has other shares of %s: %s", l.shown, what, shareList(partsOf(e.pieces)))
	}
	return ""
}

// partsOf returns the shares that pieces come to, rounded to a billionth, in their
// order.
func partsOf(list []piece) []part {
	have := positions(list)
	var parts []part
	for _, p := range list {
		if n, ok := have[p.name]; ok {
			delete(have, p.name)
			parts = append(parts, part{p.name, nearest(n)})
		}
	}
	return parts
}

// nearest returns a number of positions as a share, rounded to the nearest.
func nearest(n uint64) int64 {
	return int64((n*whole + evaluator.Positions/2) / evaluator.Positions) // below 2^62
}

// shareList returns parts in words, twelve at most.
func shareList(parts []part) string {
	var list []string
	for _, p := range parts {
		if len(list) == 12 {
			list = append(list, "…")
			break
		}
		list = append(list, formatShare(p.share)+" "+p.name)
	}
	return strings.Join(list, ", ")
}

// A LockUpdate is what brings the lock file of an estate up to date.
type LockUpdate struct {
	File    string       // the path, as a user would type it
	Before  []byte       // what is in the file; nil if there is none
	After   []byte       // what is to be in it
	Changes []LockChange // sorted by what they are about
	Splits  int          // how many splits and layers After keeps
}

// A LockChange is a line of the lock file that comes, goes or changes.
type LockChange struct {
	// What names the split or layer, for people.
	What string
	// Flag and Rule are the split's; Environment is "" if the rule is the flag's
	// own. Of a layer there is its name alone.
	Flag, Environment, Rule, Layer string

	Kind LockChangeKind
	// Shares are in words, such as "20% on, 80% off"; of one that goes, those
	// that it had.
	Shares string
	// Moves are the positions that change hands, most first. There are none if
	// the unit, the salt or the hash is another: then all units have other
	// positions.
	Moves []Move
	// Pieces is how many ranges the split has, which get more as shares are edited.
	// More than 64 beyond the shares are refused.
	Pieces int
}

// LockChangeKind says what becomes of a line.
type LockChangeKind uint8

// The kinds of changes.
const (
	LockAdded   LockChangeKind = iota + 1
	LockChanged                // shares
	LockRenamed                // the flag or the rule, and perhaps shares
	LockAnew                   // the unit, the salt or the hash is another, or it was asked for
	LockRemoved
)

// String returns a word such as "added".
func (k LockChangeKind) String() string {
	switch k {
	case LockAdded:
		return "added"
	case LockChanged:
		return "changed"
	case LockRenamed:
		return "renamed"
	case LockAnew:
		return "anew"
	case LockRemoved:
		return "removed"
	}
	return fmt.Sprintf("LockChangeKind(%d)", uint8(k))
}

// Share returns the part of all positions that moves, rounded to the nearest
// billionth, such as "10%".
func (m Move) Share() string {
	if share := nearest(m.Positions); share > 0 {
		return formatShare(share)
	}
	return fmt.Sprintf("%d of 2^32", m.Positions)
}

// update returns the update that makes the file fit the divisions. Those of the owners
// that anew names start in the order of the files.
func (l *lock) update(divisions []*division, anew []string) (*LockUpdate, error) {
	r := relocking{lock: l, divisions: divisions, anew: anew, used: make(map[lockID]bool)}
	slices.SortFunc(r.divisions, func(a, b *division) int { return a.id.compare(b.id) })
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
			r.changes = append(r.changes, newLockChange(id, LockRemoved, partsOf(entry.pieces)))
		}
	}
	slices.SortFunc(r.changes, func(a, b LockChange) int { return cmp.Compare(a.What, b.What) })
	u := &LockUpdate{File: l.shown, After: formatLock(r.entries), Changes: r.changes, Splits: len(r.entries)}
	if l.source != nil {
		u.Before = l.source.data
	}
	return u, nil
}

func newLockChange(id lockID, kind LockChangeKind, parts []part) LockChange {
	c := LockChange{What: id.String(), Kind: kind, Shares: shareList(parts)}
	if layer, ok := id.layer(); ok {
		c.Layer = layer
	} else {
		c.Flag, c.Environment, c.Rule = id.owner, id.environment, id.rule
	}
	return c
}

// relocking finds for each division which line of the lock file it goes on from.
type relocking struct {
	lock      *lock
	anew      []string
	divisions []*division
	from      []*lockEntry // for each division, nil for none
	used      map[lockID]bool
	entries   []*lockEntry
	changes   []LockChange
}

// checkAnew returns an error if what shall start anew isn't there.
func (r *relocking) checkAnew() error {
	owners := func(yield func(string) bool) {
		for _, d := range r.divisions {
			if !yield(d.id.owner) {
				return
			}
		}
	}
	for _, key := range r.anew {
		if !slices.Contains(slices.Collect(owners), key) {
			return fmt.Errorf("there is no flag %q with a split by a unit%s", key, suggest.DidYouMean(key, owners))
		}
	}
	return nil
}

// match finds where divisions go on from: from their own lines; of what isn't known,
// from the line that is gone and the only one that draws alike, in the same
// environment, first with the same rule and then with any, so that flags and rules
// may be renamed; and from the flag's own rule, if an environment's is new.
func (r *relocking) match() {
	r.from = make([]*lockEntry, len(r.divisions))
	known := make(map[lockID]bool, len(r.divisions))
	for i, d := range r.divisions {
		known[d.id] = true
		r.from[i] = r.lock.byID[d.id]
		r.used[d.id] = r.from[i] != nil
	}
	gone := make([]*lockEntry, 0)
	for id, e := range r.lock.byID {
		if !known[id] {
			gone = append(gone, e)
		}
	}
	slices.SortFunc(gone, func(a, b *lockEntry) int { return a.id.compare(b.id) })
	r.rename(gone, true)
	r.rename(gone, false)
	for i, d := range r.divisions {
		if r.from[i] == nil && d.id.environment != "" {
			base := r.lock.byID[lockID{d.id.owner, "", d.id.rule}]
			if base != nil && base.draw == d.draw {
				r.from[i] = base
			}
		}
	}
}

// A likeness is what a line that is gone and a new division have in common if one
// is the other under another name.
type likeness struct {
	draw
	environment, rule string
	layer             bool
}

func like(id lockID, d draw, byRule bool) likeness {
	_, isLayer := id.layer()
	l := likeness{draw: d, environment: id.environment, layer: isLayer}
	if byRule {
		l.rule = id.rule
	}
	return l
}

// rename finds lines that are gone and new divisions that are alike, if no others
// are like them.
func (r *relocking) rename(gone []*lockEntry, byRule bool) {
	lines := make(map[likeness][]*lockEntry)
	for _, e := range gone {
		if !r.used[e.id] {
			k := like(e.id, e.draw, byRule)
			lines[k] = append(lines[k], e)
		}
	}
	added := make(map[likeness][]int)
	for i, d := range r.divisions {
		if r.from[i] == nil {
			k := like(d.id, d.draw, byRule)
			added[k] = append(added[k], i)
		}
	}
	for k, list := range added {
		if e := lines[k]; len(list) == 1 && len(e) == 1 {
			r.from[list[0]] = e[0]
			r.used[e[0].id] = true
		}
	}
}

// update makes the line of d, going on from one that there was or nil.
func (r *relocking) update(d *division, from *lockEntry) error {
	before := piecesInOrder(d.parts) // what there is, or what to start from
	change := newLockChange(d.id, LockChanged, partsOf(before))
	start := before
	switch {
	case from == nil:
		change.Kind = LockAdded
	case from.draw != d.draw:
		change.Kind = LockAnew
	case slices.Contains(r.anew, d.id.owner):
		change.Kind, before = LockAnew, from.pieces
	case from.id.environment != d.id.environment:
		change.Kind = LockAdded
		before, start = from.pieces, from.pieces
	default:
		before, start = from.pieces, from.pieces
		if from.id != d.id {
			change.Kind = LockRenamed
		}
	}
	after := rebalanced(start, d.parts)
	change.Moves = moves(before, after)
	if change.Pieces = len(after); change.Pieces > maxPieces+len(d.parts) {
		return fmt.Errorf("%s would have %d ranges, over %d more than shares; start it anew, by 'serin lock --anew %s', which moves users", d.id, change.Pieces, maxPieces, d.id.owner)
	}
	r.entries = append(r.entries, &lockEntry{id: d.id, draw: d.draw, pieces: after})
	if change.Kind != LockChanged || !slices.Equal(before, after) {
		r.changes = append(r.changes, change)
	}
	return nil
}
