package lint

import (
	"fmt"
	"slices"
	"strings"

	"github.com/serin-flags/serin/ci/internal/problem"
	"github.com/serin-flags/serin/ci/internal/source"
	"github.com/serin-flags/serin/evaluator"
)

// A saltUse is the use of a salt by the splits of a flag, or by a layer.
type saltUse struct {
	what    string // flag "x"
	owner   *source.File
	by      string       // "" if a flag has no split yet
	written *source.Node // nil if the salt is the flag's key or derived from the layer's name
}

// A saltedHash is what decides where units are. The same salt gives unrelated
// positions under another hash.
type saltedHash struct{ salt, hash string }

// salts warns about flags and layers that share a salt and a hash: the first tenth of
// the units is the same for both.
func (l *linter) salts() {
	all := make(map[saltedHash][]saltUse)
	add := func(b evaluator.Bucketing, use saltUse) {
		use.by = b.By
		key := saltedHash{b.Salt, b.Hash}
		all[key] = append(all[key], use)
	}
	for _, f := range l.estate.Flags {
		what := fmt.Sprintf("flag %q", f.Key)
		keyed := false
		for i := range f.Bodies {
			b := &f.Bodies[i]
			for j, r := range b.Rules {
				split := b.Flag.Rules[j].Split
				if split == nil || split.By == "" {
					continue
				}
				keyed = keyed || r.SaltAt == nil
				add(split.Bucketing, saltUse{what: what, owner: f.File, written: r.SaltAt})
			}
		}
		if !keyed { // a future split would use the key, and the default hash
			add(evaluator.Bucketing{Salt: f.Key, Hash: evaluator.HashMurmur3}, saltUse{what: what, owner: f.File})
		}
	}
	for _, y := range l.estate.SortedLayers() {
		add(y.Bucketing, saltUse{what: fmt.Sprintf("layer %q", y.Name), owner: y.File,
			written: y.File.Root.Get("salt")})
	}
	for shared, uses := range all {
		for _, use := range uses {
			if use.written == nil {
				continue
			}
			i := slices.IndexFunc(uses, func(other saltUse) bool {
				return other.owner != use.owner && (other.by == use.by || other.by == "")
			})
			if i >= 0 {
				l.warn(problem.LintSharedSalt, use.owner, use.written,
					"the salt %q is %s of %s too: by %s both choose the same units first",
					problem.Shorten(shared.salt), saltKind(uses[i]), uses[i].what, use.by)
			}
		}
	}
}

func saltKind(use saltUse) string {
	if use.written == nil && strings.HasPrefix(use.what, "flag") {
		return "the key"
	}
	return "the salt"
}
