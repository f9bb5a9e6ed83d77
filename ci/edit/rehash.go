package edit

import (
	"fmt"
	"io/fs"
	"slices"

	"github.com/serin-flags/serin/ci"
	"github.com/serin-flags/serin/ci/internal/overlay"
	"github.com/serin-flags/serin/ci/internal/splice"
	"github.com/serin-flags/serin/evaluator"
)

// Rehash moves the splits and ramps of a flag that use the hash of another system to Serin's
// own, which assigns their users again. Conditions on buckets stay as they are, with a note.
// Otherwise it is as [Apply].
func Rehash(fsys fs.FS, dir, key string) (*Result, error) {
	estate, err := ci.LoadFS(fsys, dir)
	if err != nil {
		return nil, err
	}
	e := &editing{dir: dir, fsys: overlay.FS{Below: fsys}, first: estate, estate: estate}
	if err := e.rehash(key); err != nil {
		return nil, err
	}
	if err := e.reload("rehash " + key); err != nil {
		return nil, err
	}
	return e.result(estate)
}

func (e *editing) rehash(key string) error {
	f, doc, name, err := e.flag(key, "")
	if err != nil {
		return err
	}
	moved := 0
	for _, env := range append([]string{""}, f.Overriding...) {
		n, err := rehashRules(doc, e.in(env, "rules"))
		if err != nil {
			return err
		}
		moved += n
		in, err := e.estate.Effective(key, env)
		if err != nil {
			return err
		}
		for _, r := range in.Compiled.Rules {
			if hashes := hashesOf(r.When); len(hashes) > 0 {
				e.note("rule %q has a condition on a bucket by %s, which stays: edit it in %s", r.Name,
					hashes[0], f.File)
			}
		}
	}
	slices.Sort(e.notes)
	e.notes = slices.Compact(e.notes)
	if moved == 0 {
		return fmt.Errorf("flag %q has no split by the hash of another system", key)
	}
	e.save(name, doc)
	return nil
}

// rehashRules removes the hashes of the rules at a path, and returns of how many.
func rehashRules(doc *splice.Doc, rules splice.Path) (moved int, err error) {
	for i := range items(doc.Get(rules)) {
		rule := append(slices.Clone(rules), i)
		hash := doc.Get(append(slices.Clone(rule), "hash"))
		if hash == nil || hash.Text == evaluator.HashMurmur3 {
			continue
		}
		for _, key := range []string{"hash", "positions"} {
			path := append(slices.Clone(rule), key)
			if doc.Get(path) == nil {
				continue
			}
			if err := doc.Remove(path); err != nil {
				return moved, err
			}
		}
		moved++
	}
	return moved, nil
}

// hashesOf returns the hashes of other systems that a condition, which may be nil, uses.
func hashesOf(c *evaluator.Condition) (hashes []string) {
	if c == nil {
		return nil
	}
	if c.Op == evaluator.OpBucket && c.Strings[0] != evaluator.HashMurmur3 {
		hashes = append(hashes, c.Strings[0])
	}
	for i := range c.Of {
		hashes = append(hashes, hashesOf(&c.Of[i])...)
	}
	return hashes
}

// Hashes returns the hashes of other systems that a flag uses in splits and conditions, sorted.
func Hashes(f *evaluator.Flag) (hashes []string) {
	for _, r := range f.Rules {
		if r.Split != nil && r.Split.Hash != "" && r.Split.Hash != evaluator.HashMurmur3 {
			hashes = append(hashes, r.Split.Hash)
		}
		hashes = append(hashes, hashesOf(r.When)...)
	}
	slices.Sort(hashes)
	return slices.Compact(hashes)
}
