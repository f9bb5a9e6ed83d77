package bundle

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"
	"math"
	"slices"

	"github.com/serin-flags/serin/evaluator"
)

// A Fingerprint is a hash of everything that the answers of a flag depend on.
type Fingerprint [sha256.Size]byte

// Fingerprints returns, by key, the fingerprint of each flag that a payload
// serves: of the flag itself, of the unit, and of the attributes, zones,
// segments and other flags that it refers to, directly or indirectly.
// Flags with equal fingerprints give equal answers, whatever payloads they are
// in. The errors and the memory it takes are those of [DecodePayload], but it needs no
// lists: of each, its SHA-256 goes into the hash.
func Fingerprints(data []byte) (map[string]Fingerprint, error) {
	set, err := decodeHashes(data)
	if err != nil {
		return nil, fmt.Errorf("decoding payload: %w", err)
	}
	f := fingerprinter{
		unit:       set.Unit,
		attributes: make(map[string]evaluator.Attribute, len(set.Attributes)),
		zones:      make(map[string]evaluator.Zone, len(set.Zones)),
		segments:   make(map[string]*evaluator.Segment, len(set.Segments)),
		flags:      make(map[string]*evaluator.Flag, len(set.Flags)+len(set.Prerequisites)),
		known:      make(map[reference]Fingerprint, len(set.Flags)),
	}
	for _, a := range set.Attributes {
		a.From = "" // answers don't depend on it
		f.attributes[a.Name] = a
	}
	for _, z := range set.Zones {
		f.zones[z.Name] = z
	}
	for i := range set.Segments {
		f.segments[set.Segments[i].Name] = &set.Segments[i]
	}
	for _, flags := range [][]evaluator.Flag{set.Flags, set.Prerequisites} {
		for i := range flags {
			f.flags[flags[i].Key] = &flags[i]
		}
	}
	prints := make(map[string]Fingerprint, len(set.Flags))
	for i := range set.Flags {
		key := set.Flags[i].Key
		if prints[key], err = f.of(reference{flagReference, key}, 0); err != nil {
			return nil, fmt.Errorf("taking fingerprints: flag %q: %w", key, err)
		}
	}
	return prints, nil
}

// decodeHashes decodes a payload with the hashes of lists in place of their strings.
func decodeHashes(data []byte) (*evaluator.Ruleset, error) {
	l, columns, err := unpack(data)
	if err != nil {
		return nil, err
	}
	contents := make([]listContent, len(l.lists))
	for i, hash := range l.lists {
		contents[i].strings = []string{"the list\n" + hash}
	}
	set, err := decodeRuleset(&l, columns, contents...)
	return &set, err
}

// A reference is how a flag or a segment refers to what it depends on.
type reference struct {
	kind referenceKind
	name string
}

type referenceKind uint8

const (
	attributeReference referenceKind = iota
	zoneReference
	segmentReference
	flagReference
)

// A fingerprinter takes fingerprints of the flags and segments of one ruleset.
type fingerprinter struct {
	unit       string
	attributes map[string]evaluator.Attribute
	zones      map[string]evaluator.Zone
	segments   map[string]*evaluator.Segment
	flags      map[string]*evaluator.Flag
	known      map[reference]Fingerprint // of flags and segments
}

// maxReferences is how long a chain of references may be: far more than any that
// compiles, and short enough to end circles.
const maxReferences = 10_000

// of returns the fingerprint of a flag or a segment.
func (f *fingerprinter) of(r reference, depth int) (Fingerprint, error) {
	if known, ok := f.known[r]; ok {
		return known, nil
	}
	if depth > maxReferences {
		return Fingerprint{}, fmt.Errorf("a chain of more than %d references", maxReferences)
	}
	// A ruleset of it and of the attributes and zones that it refers to. Of
	// segments and other flags, the fingerprint goes into the hash.
	set := evaluator.Ruleset{Unit: f.unit}
	var refs evaluator.Refs
	if r.kind == flagReference {
		if flag := f.flags[r.name]; flag != nil {
			set.Flags = []evaluator.Flag{*flag}
			refs = flag.Refs()
		}
	} else if s := f.segments[r.name]; s != nil {
		set.Segments = []evaluator.Segment{*s}
		refs = s.When.Refs()
	}
	h := sha256.New()
	for _, ref := range references(refs) {
		switch ref.kind {
		case attributeReference:
			set.Attributes = append(set.Attributes, f.attributes[ref.name])
		case zoneReference:
			set.Zones = append(set.Zones, f.zones[ref.name])
		default:
			print, err := f.of(ref, depth+1)
			if err != nil {
				return Fingerprint{}, err
			}
			h.Write(print[:])
		}
	}
	encodeRuleset(&set).hash(h)
	print := Fingerprint(h.Sum(nil))
	f.known[r] = print
	return print, nil
}

// references returns what something refers to, sorted, each once.
func references(refs evaluator.Refs) []reference {
	var list []reference
	for kind, names := range map[referenceKind][]string{
		attributeReference: refs.Attributes, zoneReference: refs.Zones,
		segmentReference: refs.Segments, flagReference: refs.Flags,
	} {
		for _, name := range names {
			list = append(list, reference{kind, name})
		}
	}
	slices.SortFunc(list, func(a, b reference) int {
		return cmp.Or(cmp.Compare(a.kind, b.kind), cmp.Compare(a.name, b.name))
	})
	return slices.Compact(list)
}

// hash writes all columns that have something in them.
func (w *wire) hash(h hash.Hash) {
	var b []byte
	for i, c := range w.columns() {
		b = b[:0]
		switch {
		case c.text != nil:
			b = append(b, *c.text...)
		case c.uints != nil:
			b = append(b, c.uints.data...)
		case c.ints != nil:
			for _, v := range *c.ints {
				b = binary.BigEndian.AppendUint64(b, uint64(v))
			}
		case c.floats != nil:
			for _, v := range *c.floats {
				b = binary.BigEndian.AppendUint64(b, math.Float64bits(v))
			}
		}
		if len(b) == 0 {
			continue
		}
		var head [9]byte
		head[0] = byte(i)
		binary.BigEndian.PutUint64(head[1:], uint64(len(b)))
		h.Write(head[:])
		h.Write(b)
	}
}
