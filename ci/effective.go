package ci

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/serin-flags/serin/ci/internal/compose"
	"github.com/serin-flags/serin/ci/internal/source"
	"github.com/serin-flags/serin/evaluator"
	"github.com/serin-flags/serin/internal/suggest"
)

// An EffectiveFlag is a flag as it is in one environment.
type EffectiveFlag struct {
	Key, Namespace string
	Environment    string // "" for the flag itself, without what environments replace
	File           string // the file, as in [Problem]
	// Description, Owner and Expires are from the file; "" if it has none.
	Description, Owner, Expires string
	// Replaced are the keys that the environment replaces, in the order of the
	// file. They are nil if there are none.
	Replaced []string
	// Overriding are the environments that replace something of the flag, in the
	// order of the file. They are nil if there are none.
	Overriding []string
	// Compiled is the flag as it is published. It shares memory with the
	// estate; don't modify it.
	Compiled evaluator.Flag

	root *source.Node // a mapping
}

// Effective returns a flag as it is in an environment, or the flag itself if that is
// "". It is an error if there is no such flag or environment.
func (e *Estate) Effective(key, environment string) (EffectiveFlag, error) {
	f, ok := e.flags.ByKey[key]
	if !ok {
		return EffectiveFlag{},
			fmt.Errorf("there is no flag %q%s", key, suggest.DidYouMean(key, slices.Values(e.Keys())))
	}
	if err := e.CheckEnvironment(environment); err != nil {
		return EffectiveFlag{}, err
	}
	base := f.File.Root
	override := base.Get("environments").Get(environment)
	out := EffectiveFlag{
		Key: f.Key, Namespace: f.Namespace, Environment: environment, File: f.File.Shown,
		Compiled: f.In(environment),
		root:     &source.Node{Kind: source.Mapping},
	}
	for _, text := range []struct {
		key string
		to  *string
	}{{"description", &out.Description}, {"owner", &out.Owner}, {"expires", &out.Expires}} {
		if n := base.Get(text.key); n != nil {
			*text.to = n.Text
		}
	}
	if environments := base.Get("environments"); environments != nil {
		for _, other := range environments.Fields {
			out.Overriding = append(out.Overriding, other.Key.Text)
		}
	}
	for _, own := range base.Fields {
		if own.Key.Text != "environments" {
			own.Value = cmp.Or(override.Get(own.Key.Text), own.Value)
			out.root.Fields = append(out.root.Fields, own)
		}
	}
	if override != nil {
		for _, other := range override.Fields {
			out.Replaced = append(out.Replaced, other.Key.Text)
			if base.Get(other.Key.Text) == nil {
				out.root.Fields = append(out.root.Fields, other)
			}
		}
	}
	return out, nil
}

// YAML returns the flag as a flag file that, instead of the original, gives the same
// flag in every environment. Comments say which keys the environment replaces; other
// comments are gone.
func (f EffectiveFlag) YAML() string {
	comments := make(map[string]string, len(f.Replaced))
	for _, key := range f.Replaced {
		comments[key] = "environments." + f.Environment
	}
	return compose.YAML(f.root, comments)
}
