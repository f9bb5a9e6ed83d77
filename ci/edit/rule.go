package edit

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/serin-flags/serin/ci"
	"github.com/serin-flags/serin/ci/internal/compose"
	"github.com/serin-flags/serin/ci/internal/share"
	"github.com/serin-flags/serin/ci/internal/source"
	"github.com/serin-flags/serin/ci/internal/splice"
	"github.com/serin-flags/serin/internal/suggest"
)

// rule returns the path of a rule that is written for the environment of the edit.
func (e *editing) rule(f *ci.EffectiveFlag, doc *splice.Doc, name string) (splice.Path, error) {
	path := e.in(e.environment, "rules")
	rules := doc.Get(path)
	if rules == nil && e.environment != "" {
		return nil, fmt.Errorf(
			"%s has no rules of its own in %s: it uses the flag's. Edit those without \"in %s\", or write rules below environments.%s in %s",
			f.Key, e.environment, e.environment, e.environment, f.File)
	}
	var names []string
	for i, r := range items(rules) {
		if names = append(names, r.Get("name").Text); names[i] == name {
			return append(path, i), nil
		}
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("flag %q has no rules", f.Key)
	}
	return nil, fmt.Errorf("flag %q has no rule %q%s; it has %s",
		f.Key, name, suggest.DidYouMean(name, slices.Values(names)), list(names))
}

func items(n *source.Node) []*source.Node {
	if n == nil {
		return nil
	}
	return n.Items
}

// removeRule is "remove rule FLAG RULE".
func (e *editing) removeRule(words []string) error {
	f, doc, name, err := e.flag(words[2], e.environment)
	if err != nil {
		return err
	}
	path, err := e.rule(&f, doc, words[3])
	if err != nil {
		return err
	}
	if err := doc.Remove(path); err != nil {
		return err
	}
	e.save(name, doc)
	return nil
}

// A portion is a variant of a split, and its share as it is written.
type portion struct{ variant, share string }

// share is "share FLAG RULE VARIANT=SHARE…".
func (e *editing) share(words []string) error {
	f, doc, name, err := e.flag(words[1], e.environment)
	if err != nil {
		return err
	}
	path, err := e.rule(&f, doc, words[2])
	if err != nil {
		return err
	}
	var given []portion
	for _, word := range words[3:] {
		p, err := parsePortion(word)
		if err != nil {
			return err
		}
		if err := e.checkVariant(&f.Compiled, doc, p.variant); err != nil {
			return err
		}
		if slices.ContainsFunc(given, func(other portion) bool { return other.variant == p.variant }) {
			return fmt.Errorf("%q is named twice", p.variant)
		}
		given = append(given, p)
	}
	serve := append(path, "serve")
	old, err := portions(doc.Get(serve))
	if err != nil {
		return err
	}
	split, err := merge(old, given)
	if err != nil {
		return err
	}
	if err := write(doc, serve, split); err != nil {
		return err
	}
	e.save(name, doc)
	return nil
}

// parsePortion reads VARIANT=SHARE.
func parsePortion(word string) (portion, error) {
	i := strings.LastIndexByte(word, '=')
	if i <= 0 {
		return portion{}, fmt.Errorf("%q isn't a variant and its share, such as on=30%%", word)
	}
	p := portion{word[:i], word[i+1:]}
	if p.share == share.Rest {
		return p, nil
	}
	if _, err := share.Parse(p.share); err != nil {
		return portion{}, fmt.Errorf("share %q of %q: %w", p.share, p.variant, err)
	}
	return p, nil
}

// portions returns what a rule serves. One that serves a single variant is a split in
// which that has everything.
func portions(serve *source.Node) ([]portion, error) {
	switch {
	case serve.Kind == source.Scalar:
		return []portion{{serve.Text, "100%"}}, nil
	case serve.Get("ramp") != nil:
		return nil, errors.New(
			"the rule is a ramp, whose share follows its schedule; edit the schedule in the file, or disable the flag")
	}
	list := make([]portion, len(serve.Fields))
	for i, f := range serve.Fields {
		list[i] = portion{f.Key.Text, f.Value.Text}
	}
	return list, nil
}

// merge returns a split with the given shares. What is missing to a whole goes to the
// variant that has the rest or, if there is only one more, to that one.
func merge(old, given []portion) ([]portion, error) {
	split := slices.Clone(old)
	for _, p := range given {
		i := slices.IndexFunc(split, func(other portion) bool { return other.variant == p.variant })
		if i < 0 {
			split = append(split, p)
		} else {
			split[i] = p
		}
	}
	var sum int64
	var others []int // that aren't given
	rest := false
	for i, p := range split {
		if p.share == share.Rest {
			rest = true
			continue
		}
		n, err := share.Parse(p.share)
		if err != nil {
			return nil, err
		}
		sum += n
		if !slices.Contains(given, p) {
			others = append(others, i)
		}
	}
	switch {
	case rest && sum <= share.Whole, sum == share.Whole:
		return split, nil
	case !rest && len(others) == 1:
		n, err := share.Parse(split[others[0]].share)
		if err != nil {
			return nil, err
		}
		if left := share.Whole - sum + n; left >= 0 {
			split[others[0]].share = share.Format(left)
			return split, nil
		}
	}
	var names []string
	for _, i := range others {
		names = append(names, split[i].variant)
	}
	if len(names) > 1 {
		return nil, fmt.Errorf("the shares would come to %s, not 100%%; name the shares of %s too", share.Format(sum),
			list(names))
	}
	return nil, fmt.Errorf("the shares would come to %s, not 100%%", share.Format(sum))
}

// write makes a split what a rule serves. Shares that stay the same aren't touched.
func write(doc *splice.Doc, serve splice.Path, split []portion) error {
	if doc.Get(serve).Kind == source.Scalar {
		m := &source.Node{Kind: source.Mapping}
		for _, p := range split {
			m.Fields = append(m.Fields, source.Field{Key: compose.Word(p.variant), Value: compose.Word(p.share)})
		}
		return doc.Set(serve, m)
	}
	for _, p := range split {
		if n := doc.Get(serve).Get(p.variant); n != nil && sameShare(n.Text, p.share) {
			continue
		}
		if err := doc.Set(append(slices.Clone(serve), p.variant), compose.Word(p.share)); err != nil {
			return err
		}
	}
	return nil
}

func sameShare(a, b string) bool {
	x, errX := share.Parse(a)
	y, errY := share.Parse(b)
	return a == b || errX == nil && errY == nil && x == y
}
