package lang

import (
	"maps"
	"slices"

	"github.com/serin-flags/serin/ci/internal/phrase"
	"github.com/serin-flags/serin/ci/internal/share"
	"github.com/serin-flags/serin/ci/internal/source"
	"github.com/serin-flags/serin/evaluator"
	"github.com/serin-flags/serin/internal/suggest"
)

// A layer is a layer file that has been checked: traffic that flags share
// without overlap.
type layer struct {
	Name string
	File *source.File
	evaluator.Bucketing
	entries []entry      // those of flags
	parts   []share.Part // all, in the order written; they come to a whole
}

// An entry names a flag of a layer.
type entry struct {
	flag string
	at   *source.Node // the flag's key
}

// Parts of a layer that belong to no flag. No flag's key contains such characters.
const (
	heldOut = "(holdout)"
	free    = "(free)"
)

// readLayers reads the layer files, without asking whether their flags exist.
func (l *loader) readLayers() {
	for _, s := range l.files.ByRole[source.LayerFile] {
		y := &layer{Name: s.Stem(), File: s}
		if other, dup := l.known.layers[y.Name]; dup {
			s.Problem("layer %q is defined in %s too", y.Name, other.File.Shown)
			continue
		}
		l.known.layers[y.Name] = y
		l.known.Checker(s).readLayer(y)
	}
}

// LayerNames returns the names of the layers, sorted.
func (v *Vocabulary) LayerNames() []string { return slices.Sorted(maps.Keys(v.layers)) }

var layerKeys = []string{"description", "by", "salt", "hash", "positions", "holdout", "shares", "lint"}

// readLayer reads a layer file into y.
func (c Checker) readLayer(y *layer) {
	if why := phrase.CheckKey(y.Name); why != "" {
		c.File.Problem("the file's name is not a valid name of a layer: %s", why)
	}
	n := c.File.Root
	if n == nil || !c.Keys(n, "a layer", layerKeys...) {
		return
	}
	c.OptionalText(n.Get("description"), "\"description\"")
	c.Silences(n.Get("lint"))
	y.By = c.Known.Unit
	if by := n.Get("by"); by != nil {
		if by.Text == "chance" {
			c.Errorf(by, "a layer can't be by chance: nobody would stay in one flag")
		} else if _, ok := c.Name(by, "\"by\""); ok {
			c.UnitAttribute(by)
		}
		y.By = by.Text
	}
	// No flag's key has a colon, so no flag splits by the same positions
	// unless it is told to.
	y.Salt = "layer:" + y.Name
	if salt := n.Get("salt"); salt != nil {
		y.Salt, _ = c.Name(salt, "\"salt\"")
	}
	c.Hash(n, &y.Bucketing)
	c.shares(n, y)
}

// shares reads who has which positions: first the holdout, then the shares as
// they are listed.
func (c Checker) shares(n *source.Node, y *layer) {
	var sum int64
	if holdout := n.Get("holdout"); holdout != nil {
		sum, _ = c.PlainShare(holdout, "\"holdout\"")
		c.Exact(holdout, sum, y.Bucketing)
		y.parts = append(y.parts, share.Part{Name: heldOut, Share: sum})
	}
	list := n.Get("shares")
	if list == nil {
		c.Errorf(n, "the layer has no \"shares\", a list such as [{flag: new-ranker, share: 10%%}, {free: 40%%}]")
		return
	}
	if !c.List(list, "\"shares\"") {
		return
	}
	ok := true
	for _, item := range list.Items {
		key, portion, fine := c.entry(item)
		fine = fine && c.Exact(item, portion, y.Bucketing)
		ok = ok && fine
		sum += portion
		switch {
		case !fine || sum > share.Whole: // which is an error, see below
		case key == nil:
			y.parts = append(y.parts, share.Part{Name: free, Share: portion})
		default:
			y.parts = append(y.parts, share.Part{Name: key.Text, Share: portion})
			y.entries = append(y.entries, entry{key.Text, key})
		}
	}
	if ok && sum > share.Whole {
		c.Errorf(list, "the holdout and the shares come to %s, more than 100%%", share.Format(sum))
	}
	y.parts = append(y.parts, share.Part{Name: free, Share: max(0, share.Whole-sum)})
}

// entry reads an entry of a layer: a flag and its share, or a share that is
// free, in which case key is nil.
func (c Checker) entry(n *source.Node) (key *source.Node, portion int64, ok bool) {
	const what = "an entry of \"shares\""
	if !c.Keys(n, what, "flag", "share", "free") {
		return nil, 0, false
	}
	key, of, free := n.Get("flag"), n.Get("share"), n.Get("free")
	switch {
	case free != nil && key == nil && of == nil:
		portion, ok = c.PlainShare(free, "\"free\"")
		return nil, portion, ok
	case free != nil || key == nil || of == nil:
		c.Errorf(n, "%s is {flag: KEY, share: 10%%} or {free: 10%%}", what)
		return nil, 0, false
	}
	_, ok = c.Name(key, "\"flag\"")
	portion, fine := c.PlainShare(of, "\"share\"")
	if fine && portion == 0 {
		c.Errorf(of, "the share of %q is 0; remove the entry", key.Text)
	}
	return key, portion, ok && fine && portion > 0
}

// exclusive reads which layer a flag is in, nil if none.
func (c Checker) exclusive(n *source.Node) *layer {
	if n == nil {
		return nil
	}
	name, ok := c.Name(n, "\"exclusive\"")
	if !ok {
		return nil
	}
	y, ok := c.Known.layers[name]
	if !ok {
		names := slices.Values(c.Known.LayerNames())
		c.Errorf(n, "there is no layer %q%s; a layer is a file such as layers/search.yaml", name,
			suggest.DidYouMean(name, names))
	}
	return y
}

// reserve gives the flags of layers their positions, after it has seen that
// flags and layers agree on who is where.
func (l *loader) reserve(e *Estate) {
	listed := make(map[*Flag]bool)
	for _, name := range slices.Sorted(maps.Keys(l.known.layers)) {
		y := l.known.layers[name]
		c := phrase.Reader{File: y.File}
		has := make(map[string]*Flag)
		for _, entry := range y.entries {
			f, ok := e.ByKey[entry.flag]
			switch {
			case !ok:
				c.Errorf(entry.at, "there is no flag %q%s", entry.flag,
					suggest.DidYouMean(entry.flag, slices.Values(e.Keys())))
			case f.layer == y:
				has[f.Key] = f
				listed[f] = true
			case f.layer != nil:
				c.Errorf(entry.at, "flag %q is in another layer, %q; a flag is in one layer at most", f.Key,
					f.layer.Name)
			case f.File.Root.Get("exclusive") == nil && f.File.Root != nil:
				c.Errorf(entry.at, "flag %q doesn't say that it is in the layer; write in %s: exclusive: %s", f.Key,
					f.File.Shown, y.Name)
			}
		}
		var from uint64
		for _, p := range l.known.piecesOf(y) {
			if f := has[p.Name]; f != nil {
				f.reserve(evaluator.Span{From: from, To: p.To})
			}
			from = p.To
		}
	}
	for _, f := range e.Flags {
		if y := f.layer; y != nil && !listed[f] && len(y.File.Problems) == 0 {
			c := phrase.Reader{File: f.File}
			c.Errorf(f.File.Root.Get("exclusive"),
				"layer %q doesn't list the flag; write in %s, below \"shares\": {flag: %s, share: 10%%}", y.Name,
				y.File.Shown, f.Key)
		}
	}
}

// reserve gives a flag positions of its layer, above those it has. They
// are the same in all environments, or flags could overlap in one.
func (f *Flag) reserve(span evaluator.Span) {
	for i := range f.Bodies {
		b := &f.Bodies[i].Flag
		b.Reserved = f.reservation(b, span)
	}
}

// reservation returns what a flag has of its layer, with one more span. A flag
// without rules serves one variant whatever its share is, and has none.
func (f *Flag) reservation(to *evaluator.Flag, span evaluator.Span) *evaluator.Reservation {
	if len(to.Rules) == 0 {
		return nil
	}
	r := to.Reserved
	if r == nil {
		r = &evaluator.Reservation{Layer: f.layer.Name, Bucketing: f.layer.Bucketing}
	}
	if last := len(r.Spans) - 1; last >= 0 && r.Spans[last].To == span.From {
		r.Spans[last].To = span.To
	} else {
		r.Spans = append(r.Spans, span)
	}
	return r
}
