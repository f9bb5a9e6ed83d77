package edit

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/serin-flags/serin/ci/internal/compose"
	"github.com/serin-flags/serin/ci/internal/share"
	"github.com/serin-flags/serin/ci/internal/source"
)

// stepKeys are the keys of a step besides "to", which "step FLAG RULE SHARE KEY=VALUE…" takes.
var stepKeys = []string{"at", "after", "gate"}

// step is "step FLAG RULE SHARE KEY=VALUE…": it adds a step to a ramp, before the first one
// with a larger share.
func (e *editing) step(words []string) error {
	f, doc, name, err := e.flag(words[1], e.environment)
	if err != nil {
		return err
	}
	path, err := e.rule(&f, doc, words[2])
	if err != nil {
		return err
	}
	to, err := share.Parse(words[3])
	if err != nil {
		return fmt.Errorf("share %q: %w", words[3], err)
	}
	ramp := doc.Get(append(slices.Clone(path), "serve"))
	steps := ramp.Get("steps")
	switch {
	case ramp.Get("ramp") == nil:
		return errors.New("the rule isn't a ramp; to set shares, use 'share'")
	case steps == nil:
		return errors.New("the ramp grows by \"double\" or \"linear\"; only a ramp with \"steps\" can get another one")
	}
	at := len(steps.Items)
	for i, item := range slices.Backward(steps.Items) {
		switch has, err := share.Parse(item.Get("to").Text); {
		case err != nil:
			return err
		case has == to:
			return fmt.Errorf("the ramp has a step to %s already; edit that in %s", words[3], f.File)
		case has > to:
			at = i
		}
	}
	value, err := newStep(words[3], words[4:])
	if err != nil {
		return err
	}
	if err := doc.Insert(append(slices.Clone(path), "serve", "steps"), at, value); err != nil {
		return err
	}
	e.save(name, doc)
	return nil
}

// newStep returns a step to a share, with its time or what comes before it.
func newStep(to string, words []string) (*source.Node, error) {
	step := &source.Node{Kind: source.Mapping}
	add := func(key, value string) {
		step.Fields = append(step.Fields,
			source.Field{Key: compose.Word(key), Value: &source.Node{Text: value, Plain: true}})
	}
	values := make(map[string]string)
	for _, word := range words {
		key, value, ok := strings.Cut(word, "=")
		switch {
		case !ok || value == "" || !slices.Contains(stepKeys, key):
			return nil, fmt.Errorf(
				"%q isn't part of a step; write at=TIME or after=DURATION, and gate=approval if a person must approve it", word)
		case values[key] != "":
			return nil, fmt.Errorf("%q is given twice", key)
		}
		values[key] = value
	}
	if values["at"] != "" { // as people write steps
		add("at", values["at"])
	}
	add("to", to)
	for _, key := range []string{"after", "gate"} {
		if values[key] != "" {
			add(key, values[key])
		}
	}
	return step, nil
}
