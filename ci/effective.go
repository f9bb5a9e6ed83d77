package ci

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/serin-flags/serin/evaluator"
	"github.com/serin-flags/serin/internal/suggest"
)

// An EffectiveFlag is a flag as it is in one environment.
type EffectiveFlag struct {
	Key, Namespace string
	Environment    string // "" for none: what stands in the file, without what environments replace
	File           string // the file, as in [Problem]
	// Description, Owner and Expires are what the file says to readers; "" if
	// it doesn't.
	Description, Owner, Expires string
	// Replaced are the keys that the environment has in the place of the
	// flag's, in the order of the file. They are nil if there are none.
	Replaced []string
	// Compiled is the flag as it is published. It shares memory with the
	// estate; don't modify it.
	Compiled evaluator.Flag

	root *node // a mapping
}

// Effective returns a flag as it is in an environment, or as it stands without
// one, which is "". It is an error if there is no such flag or environment.
func (e *Estate) Effective(key, environment string) (EffectiveFlag, error) {
	f, ok := e.flags.byKey[key]
	if !ok {
		return EffectiveFlag{}, fmt.Errorf("there is no flag %q%s", key, suggest.DidYouMean(key, slices.Values(e.Keys())))
	}
	if err := e.CheckEnvironment(environment); err != nil {
		return EffectiveFlag{}, err
	}
	base := f.source.root
	override := base.get("environments").get(environment)
	out := EffectiveFlag{
		Key: f.key, Namespace: f.namespace, Environment: environment, File: f.source.shown,
		Compiled: f.in(environment),
		root:     &node{kind: mapping},
	}
	for _, text := range []struct {
		key string
		to  *string
	}{{"description", &out.Description}, {"owner", &out.Owner}, {"expires", &out.Expires}} {
		if n := base.get(text.key); n != nil {
			*text.to = n.text
		}
	}
	for _, own := range base.fields {
		if own.key.text != "environments" {
			own.value = cmp.Or(override.get(own.key.text), own.value)
			out.root.fields = append(out.root.fields, own)
		}
	}
	if override != nil {
		for _, other := range override.fields {
			out.Replaced = append(out.Replaced, other.key.text)
			if base.get(other.key.text) == nil {
				out.root.fields = append(out.root.fields, other)
			}
		}
	}
	return out, nil
}

// YAML returns the flag as a flag file, which in the place of the one that it is
// from is the same flag in any environment. Keys that the environment replaces
// say so. Other comments are gone.
func (f EffectiveFlag) YAML() string {
	comments := make(map[string]string, len(f.Replaced))
	for _, key := range f.Replaced {
		comments[key] = "environments." + f.Environment
	}
	return formatYAML(f.root, comments)
}
