package diff

import (
	"cmp"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/serin-flags/serin/ci/internal/decide"
	"github.com/serin-flags/serin/evaluator"
)

// A verdict is stated in the strongest form that is certain. Of what package decide
// knows, a proof comes first, then the people that the flags name, then shares, which
// are exact, and then an example. An edit of metadata alone needs no proof: no answer
// depends on it.

// judge finds out who gets a different value, and sets the flag's fields. If the shares are known, it adds no
// examples.
func (c *comparison) judge(f *Flag, was, is place) {
	if !slices.ContainsFunc(f.Edits, func(e Edit) bool { return e.Kind.serves() }) {
		f.Verdict = VerdictNobody
		return
	}
	v := c.decide.Compare(decide.Side{Set: was.set, Flag: was.flag}, decide.Side{Set: is.set, Flag: is.flag})
	f.Named, f.Aside = v.Named, v.Aside
	for _, e := range v.Examples {
		f.Examples = append(f.Examples, Example{
			Context: e.Context, From: e.From, To: e.To, Timed: e.Timed, typed: c.typed(&e.Context, is.set),
			unit: is.set.Unit,
		})
	}
	switch {
	case v.Same:
		f.Verdict = VerdictNobody
	case v.Named > 0 && !v.Aside:
		f.Verdict = VerdictNamed
	case v.Shares != nil:
		f.Verdict, f.Examples = VerdictShare, nil
		for _, s := range slices.Concat(v.Shares, v.Later) {
			f.Groups = append(f.Groups, c.group(was.flag, is.flag, &s))
		}
	case len(v.Examples) > 0:
		f.Verdict = VerdictExample
	default:
		f.Verdict = VerdictUnknown
	}
}

// group returns the group of a share, with words that say exactly who it is a share of: the users of one
// rule aren't everybody, and a split never includes users without its unit.
func (c *comparison) group(old, new *evaluator.Flag, s *decide.Share) Group {
	g := Group{
		Rule: s.Rule, Old: s.Old, Everybody: s.Everybody, With: s.With, Without: s.Without, Exact: true, At: s.At,
		Who: "everybody",
	}
	switch {
	case s.Everybody:
	case s.Rule == "":
		g.Who = "those no rule serves"
	case s.Old:
		g.Who = "those rule " + quoted(s.Rule) + " was for"
	default:
		g.Who = "those rule " + quoted(s.Rule) + " is for"
	}
	comma := ","
	if s.Everybody {
		comma = ""
	}
	with := func(word string, names []string) {
		if len(names) > 0 {
			quotes := make([]string, len(names))
			for i, name := range names {
				quotes[i] = quote(name)
			}
			g.Who += comma + " " + word + " a " + strings.Join(quotes, " and a ")
			comma = ""
		}
	}
	with("with", s.With)
	with("without", s.Without)
	if s.Chance {
		g.Who += comma + " by chance, call by call"
	}
	if g.At != 0 {
		g.Who += ", at " + timeText(g.At)
	}
	for _, m := range s.Moves {
		g.Moves = append(g.Moves, Move{m.From, m.To, Share{m.Part}})
	}
	// Bars need one rule on each side. If several rules served the users who move, there is no drawing.
	at := c.now
	if s.At != 0 {
		at = s.At
	}
	if s.OldRule >= 0 && s.NewRule >= 0 {
		g.Bars = bars(old, new, s.OldRule, s.NewRule, at)
	}
	return g
}

// The command of an example has to reproduce it whatever the shell, so attributes go
// one by one only if the command line reads each of them as the type that it has, and
// otherwise as one JSON object.

// typed reports whether the attributes of a context are of the types that a ruleset
// declares, and such that the command line can have them one by one.
func (c *comparison) typed(ctx *evaluator.Context, set *evaluator.Ruleset) bool {
	types := c.new.sets[set].Attributes
	return !slices.ContainsFunc(ctx.Attrs, func(a evaluator.Attr) bool {
		switch types[a.Name] {
		case evaluator.AttrInteger:
			return a.Value.Kind() != evaluator.KindInt
		case evaluator.AttrBoolean:
			return a.Value.Kind() != evaluator.KindBool
		case evaluator.AttrTime:
			text, ok := a.Value.Text()
			_, err := strconv.ParseInt(text, 10, 64)
			return !ok || err == nil // the command line reads digits as Unix time
		case evaluator.AttrList:
			texts := slices.Collect(a.Value.Texts())
			return len(texts) == 0 || slices.ContainsFunc(texts,
				func(s string) bool { return s == "" || strings.TrimSpace(s) != s || strings.Contains(s, ",") })
		case 0:
			return true
		}
		return a.Value.Kind() != evaluator.KindString
	}) && (ctx.Key == "" || types[set.Unit] != 0)
}

// who returns who an example is, in short, and when if that isn't the present.
func (e *Example) who(now int64) string {
	var parts []string
	if e.Context.Key != "" {
		parts = append(parts, e.unit+": "+quote(e.Context.Key))
	}
	for _, a := range e.Context.Attrs {
		text, ok := a.Value.Text()
		if value := string(a.Value.JSON()); !ok {
			text = value
		} else {
			text = quote(text)
		}
		parts = append(parts, quote(a.Name)+": "+shorten(text, 80))
	}
	words := "{" + strings.Join(parts, ", ") + "}"
	if e.Context.Now != now {
		words += " at " + timeText(e.Context.Now)
	}
	if e.Context.Age > 0 {
		words += " with flags " + ageText(e.Context.Age) + " old"
	}
	return words
}

// words returns an example as one line: its context, and what it gets before and after.
func (e *Example) words(now int64) string {
	return e.who(now) + ": " + Move{From: e.From, To: e.To}.words()
}

// ageText returns an age such as 1h or 1m30s.
func ageText(seconds int64) string {
	text := (time.Duration(seconds) * time.Second).String()
	for _, zero := range []string{"m0s", "h0m"} {
		if strings.HasSuffix(text, zero) {
			text = text[:len(text)-2]
		}
	}
	return text
}

// command returns the command that shows how an example is served; "" if both sources
// are revisions, which must be checked out first.
func (r *Report) command(f *Flag, environment string, e *Example) string {
	// The command reads the new side if it can, because that is what the user is working on.
	src, key := r.New, f.Key
	if strings.HasPrefix(src, "git:") {
		src, key = r.Old, cmp.Or(f.Was, f.Key)
	}
	if src == "" || strings.HasPrefix(src, "git:") {
		return ""
	}
	words := []string{"serin", "explain", key, "--from", src}
	if environment != "" {
		words = append(words, "--env", environment)
	}
	if e.typed {
		if e.Context.Key != "" {
			words = append(words, "-c", e.unit+"="+e.Context.Key)
		}
		for _, a := range e.Context.Attrs {
			value := string(a.Value.JSON())
			if text, ok := a.Value.Text(); ok {
				value = text
			} else if a.Value.Kind() == evaluator.KindList {
				value = strings.Join(slices.Collect(a.Value.Texts()), ",")
			}
			words = append(words, "-c", a.Name+"="+value)
		}
	} else {
		words = append(words, "--context", string(e.json()))
	}
	if e.Timed {
		words = append(words, "--at", timeText(e.Context.Now))
	}
	if e.Context.Age > 0 {
		words = append(words, "--age", ageText(e.Context.Age))
	}
	for i, w := range words {
		words[i] = shellQuote(w)
	}
	return strings.Join(words, " ")
}

// json returns the context in JSON, as the command line and OpenFeature have it.
func (e *Example) json() []byte {
	members := make(map[string]json.RawMessage)
	if e.Context.Key != "" {
		members["targetingKey"], _ = json.Marshal(e.Context.Key)
	}
	for _, a := range e.Context.Attrs {
		members[a.Name] = a.Value.JSON()
	}
	data, _ := json.Marshal(members) // values are JSON
	return data
}

// shellQuote quotes a word for a shell if necessary. Keys and values come from other people's files, and the
// copied command must not run anything else.
func shellQuote(word string) string {
	plain := word != "" && !strings.ContainsFunc(word, func(r rune) bool {
		return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' ||
			strings.ContainsRune("-_./:=,@%+", r))
	})
	if plain {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// The words of summaries are what reviewers act on. They never say more than the
// verdict: "proved" only of proofs, and "somebody" where nobody knows how many.

// amount returns in a few words how many users get a different value, for a line that lists many flags.
func (f *Flag) amount() string {
	switch f.Verdict {
	case VerdictNobody:
		return "nobody, proved"
	case VerdictNamed:
		return people(f.Named) + " named"
	case VerdictUnknown:
		return "no example found"
	case VerdictExample:
		return "somebody"
	}
	return f.Moved.String() + f.whose()
}

// people counts people.
func people(n int) string {
	if n == 1 {
		return "1 person"
	}
	return strconv.Itoa(n) + " people"
}

// summary returns in a few words what happens to users. For many reviewers it is the only line they read.
func (f *Flag) summary() string {
	switch {
	case f.Change == Added:
		return "added"
	case f.Change == Removed:
		return "removed: programs that ask for it serve their own default"
	}
	const other = " a different value"
	switch f.Verdict {
	case VerdictNobody:
		return "nobody gets" + other + " (proved)"
	case VerdictNamed:
		gets := "get"
		if f.Named == 1 {
			gets = "gets"
		}
		return people(f.Named) + " named in the flags " + gets + other
	case VerdictUnknown:
		return "no example found of somebody who gets" + other + ", and no proof that nobody does"
	case VerdictExample:
		switch {
		case f.Aside && f.Examples[0].Context.Age > 0:
			return "nobody gets" + other + " while flags are fresh"
		case f.Aside:
			return "nobody gets" + other + " from now on"
		}
		return "somebody gets" + other
	}
	at := ""
	if g := f.largest(); g != nil && g.At != 0 {
		at = " at " + timeText(g.At)
	}
	return f.Moved.String() + f.whose() + " get" + other + at
}

// largest returns the group that Moved is of, nil if there is none.
func (f *Flag) largest() *Group {
	i := slices.IndexFunc(f.Groups, func(g Group) bool { return g.moved().cmp(f.Moved) == 0 })
	if i < 0 {
		return nil
	}
	return &f.Groups[i]
}

// whose says what Moved is a share of, unless it is everybody.
func (f *Flag) whose() string {
	switch g := f.largest(); {
	case g == nil:
		return ""
	case g.Everybody && len(g.Without) > 0:
		return " of those without a " + quote(g.Without[0])
	case g.Everybody:
		return ""
	case g.Rule == "":
		return " of those no rule serves"
	}
	return " of a rule's users"
}
