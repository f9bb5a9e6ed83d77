package ci

import (
	"maps"
	"slices"

	"github.com/serin-flags/serin/evaluator"
	"github.com/serin-flags/serin/internal/suggest"
)

// A layer is a layer file that has been checked: traffic that flags share
// without overlap.
type layer struct {
	name           string
	source         *source
	by, salt, hash string
	entries        []entry // those of flags
	parts          []part  // all, in the order written; they come to a whole
}

// An entry names a flag of a layer.
type entry struct {
	flag string
	at   *node // the flag's key
}

// What of a layer belongs to no flag. No flag's key has such characters.
const (
	heldOut = "(holdout)"
	free    = "(free)"
)

// readLayers reads the layer files, without asking whether their flags exist.
func (l *loader) readLayers() {
	for _, s := range l.files.byRole[layerFile] {
		y := &layer{name: s.stem(), source: s}
		if other, dup := l.known.layers[y.name]; dup {
			s.problem("layer %q is defined in %s too", y.name, other.source.shown)
			continue
		}
		l.known.layers[y.name] = y
		l.known.checker(s).readLayer(y)
	}
}

// readLayer reads a layer file into y.
func (c checker) readLayer(y *layer) {
	if why := checkKey(y.name); why != "" {
		c.source.problem("the file's name is not a valid name of a layer: %s", why)
	}
	n := c.source.root
	if n == nil || !c.keys(n, "a layer", "description", "by", "salt", "hash", "holdout", "shares", "lint") {
		return
	}
	c.optionalText(n.get("description"), "\"description\"")
	c.silences(n.get("lint"))
	y.by = c.known.unit
	if by := n.get("by"); by != nil {
		if by.text == "chance" {
			c.errorf(by, "a layer is not by chance: nobody would stay in one flag")
		} else if _, ok := c.name(by, "\"by\""); ok {
			c.unitAttribute(by)
		}
		y.by = by.text
	}
	// No flag's key has a colon, so no flag splits by the same positions
	// unless it is told to.
	y.salt = "layer:" + y.name
	if salt := n.get("salt"); salt != nil {
		y.salt, _ = c.name(salt, "\"salt\"")
	}
	y.hash = c.hash(n.get("hash"))
	c.shares(n, y)
}

// shares reads who has which positions: first the holdout, then the shares as
// they are listed.
func (c checker) shares(n *node, y *layer) {
	var sum int64
	if holdout := n.get("holdout"); holdout != nil {
		sum, _ = c.plainShare(holdout, "\"holdout\"")
		y.parts = append(y.parts, part{heldOut, sum})
	}
	list := n.get("shares")
	if list == nil {
		c.errorf(n, "the layer has no \"shares\", a list such as [{flag: new-ranker, share: 10%%}, {free: 40%%}]")
		return
	}
	if !c.list(list, "\"shares\"") {
		return
	}
	ok := true
	for _, item := range list.items {
		key, portion, fine := c.entry(item)
		ok = ok && fine
		sum += portion
		switch {
		case !fine || sum > whole: // which is an error, see below
		case key == nil:
			y.parts = append(y.parts, part{free, portion})
		default:
			y.parts = append(y.parts, part{key.text, portion})
			y.entries = append(y.entries, entry{key.text, key})
		}
	}
	if ok && sum > whole {
		c.errorf(list, "the holdout and the shares come to %s, more than 100%%", formatShare(sum))
	}
	y.parts = append(y.parts, part{free, max(0, whole-sum)})
}

// entry reads an entry of a layer: a flag and its share, or a share that is
// free, in which case key is nil.
func (c checker) entry(n *node) (key *node, portion int64, ok bool) {
	const what = "an entry of \"shares\""
	if !c.keys(n, what, "flag", "share", "free") {
		return nil, 0, false
	}
	key, of, free := n.get("flag"), n.get("share"), n.get("free")
	switch {
	case free != nil && key == nil && of == nil:
		portion, ok = c.plainShare(free, "\"free\"")
		return nil, portion, ok
	case free != nil || key == nil || of == nil:
		c.errorf(n, "%s is {flag: KEY, share: 10%%} or {free: 10%%}", what)
		return nil, 0, false
	}
	_, ok = c.name(key, "\"flag\"")
	portion, fine := c.plainShare(of, "\"share\"")
	if fine && portion == 0 {
		c.errorf(of, "the share of %q is nothing; leave the entry out", key.text)
	}
	return key, portion, ok && fine && portion > 0
}

// exclusive reads which layer a flag is in, nil if none.
func (c checker) exclusive(n *node) *layer {
	if n == nil {
		return nil
	}
	name, ok := c.name(n, "\"exclusive\"")
	if !ok {
		return nil
	}
	y, ok := c.known.layers[name]
	if !ok {
		names := slices.Values(slices.Sorted(maps.Keys(c.known.layers)))
		c.errorf(n, "there is no layer %q%s; a layer is a file such as layers/search.yaml", name, suggest.DidYouMean(name, names))
	}
	return y
}

// reserve gives the flags of layers their positions, after it has seen that
// flags and layers agree on who is where.
func (l *loader) reserve(e *estate) {
	listed := make(map[*flag]bool)
	for _, name := range slices.Sorted(maps.Keys(l.known.layers)) {
		y := l.known.layers[name]
		c := reader{source: y.source}
		has := make(map[string]*flag)
		for _, entry := range y.entries {
			f, ok := e.byKey[entry.flag]
			switch {
			case !ok:
				c.errorf(entry.at, "there is no flag %q%s", entry.flag, suggest.DidYouMean(entry.flag, slices.Values(e.keys())))
			case f.layer == y:
				has[f.key] = f
				listed[f] = true
			case f.layer != nil:
				c.errorf(entry.at, "flag %q is in another layer, %q; a flag is in one layer at most", f.key, f.layer.name)
			case f.source.root.get("exclusive") == nil && f.source.root != nil:
				c.errorf(entry.at, "flag %q doesn't say that it is in the layer; write in %s: exclusive: %s", f.key, f.source.shown, y.name)
			}
		}
		var from uint64
		for _, p := range l.known.piecesOf(y) {
			if f := has[p.name]; f != nil {
				f.reserve(evaluator.Span{From: from, To: p.to})
			}
			from = p.to
		}
	}
	for _, f := range e.flags {
		if y := f.layer; y != nil && !listed[f] && len(y.source.problems) == 0 {
			c := reader{source: f.source}
			c.errorf(f.source.root.get("exclusive"), "layer %q doesn't list the flag; write in %s, below \"shares\": {flag: %s, share: 10%%}", y.name, y.source.shown, f.key)
		}
	}
}

// reserve gives a flag positions of its layer, above those it has. They
// are the same in all environments, or flags could overlap in one.
func (f *flag) reserve(span evaluator.Span) {
	f.base.Reserved = f.reservation(&f.base, span)
	for name, o := range f.overrides {
		o.Reserved = f.reservation(&o, span)
		f.overrides[name] = o
	}
}

// reservation returns what a flag has of its layer, with one more span. A flag
// without rules serves one variant whatever its share is, and has none.
func (f *flag) reservation(to *evaluator.Flag, span evaluator.Span) *evaluator.Reservation {
	if len(to.Rules) == 0 {
		return nil
	}
	r := to.Reserved
	if r == nil {
		r = &evaluator.Reservation{Layer: f.layer.name, Bucketing: evaluator.Bucketing{By: f.layer.by, Salt: f.layer.salt, Hash: f.layer.hash}}
	}
	if last := len(r.Spans) - 1; last >= 0 && r.Spans[last].To == span.From {
		r.Spans[last].To = span.To
	} else {
		r.Spans = append(r.Spans, span)
	}
	return r
}
