package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/serin-flags/serin/evaluator"
	"github.com/serin-flags/serin/internal/suggest"
	"github.com/spf13/cobra"
)

// maxContextLine is the longest line of --contexts, in bytes.
const maxContextLine = 1 << 20

// questionFlags are the flags of commands that evaluate: what, for whom and when.
type questionFlags struct {
	sourceFlags
	from, context, contexts string
	at                      string
	age                     time.Duration
	pairs                   []string
	all                     bool
}

func (q *questionFlags) register(cmd *cobra.Command) {
	q.sourceFlags.register(cmd)
	registerFrom(cmd, &q.from)
	cmd.Args = oneWordAtMost("FLAG")
	cmd.Flags().StringVar(&q.context, "context", "", "the context, a JSON object")
	cmd.Flags().StringArrayVarP(&q.pairs, "attribute", "c", nil, "an attribute of the context, name=value; may repeat")
	cmd.Flags().StringVar(&q.contexts, "contexts", "",
		`a file of contexts, one JSON object per line; "-" is standard input`)
	cmd.Flags().StringVar(&q.at, "at", "", "the time, as 2026-12-01T02:00:00Z or in Unix seconds (default: now)")
	cmd.Flags().DurationVar(&q.age, "age", 0,
		"how long ago the program confirmed that its flags are current, such as 2h, for flags with max_stale")
	cmd.Flags().BoolVar(&q.all, "all", false, "every flag")
}

// answerFunc writes what comes of one flag in one context.
type answerFunc func(io.Writer, content, *evaluator.CompiledFlag, evaluator.Context) error

// ask calls answer for each flag in each context, with the time and a draw in it.
func (q *questionFlags) ask(cmd *cobra.Command, args []string, answer answerFunc) error {
	if q.all == (len(args) == 1) {
		return usagef("name one FLAG, or give --all")
	}
	if q.contexts != "" && (q.context != "" || len(q.pairs) > 0) {
		return usagef("--contexts can't be combined with --context or -c")
	}
	if q.age < 0 {
		return usagef("--age must not be negative")
	}
	now, err := parseTime(q.at)
	if err != nil {
		return err
	}
	if q.from, err = sourceOr(cmd, q.from); err != nil {
		return err
	}
	c, err := q.open(cmd.Context(), q.from)
	if err != nil {
		return err
	}
	flags, err := q.flags(c.program, args)
	if err != nil {
		return err
	}
	notes := attributeNotes{w: cmd.ErrOrStderr(), from: c, quotes: q.contexts == "", about: make(map[string]bool)}
	w := bufio.NewWriter(cmd.OutOrStdout())
	err = q.each(cmd.InOrStdin(), c.program, func(ctx evaluator.Context) error {
		notes.check(ctx)
		ctx.Now, ctx.Age = now, int64(q.age/time.Second)
		for _, f := range flags {
			ctx.Chance = rand.Uint32()
			if err := answer(w, c, f, ctx); err != nil {
				return err
			}
		}
		return nil
	})
	if flushErr := w.Flush(); err == nil {
		err = flushErr
	}
	return err
}

// flags returns the flags asked for.
func (q *questionFlags) flags(p *evaluator.Program, args []string) ([]*evaluator.CompiledFlag, error) {
	if q.all {
		return slices.Collect(p.Flags()), nil
	}
	f := p.Flag(args[0])
	if f == nil {
		return nil, fmt.Errorf("there is no flag %q in %s%s", args[0], shown(q.from),
			suggest.DidYouMean(args[0], slices.Values(p.Keys())))
	}
	return []*evaluator.CompiledFlag{f}, nil
}

// maxSeconds is the year 5138 in Unix seconds, and 1973 in milliseconds.
const maxSeconds = 100_000_000_000

// parseTime returns the Unix time in seconds that text names: RFC 3339, without
// seconds too, or Unix seconds. Without text it is the present.
func parseTime(text string) (int64, error) {
	if text == "" {
		return time.Now().Unix(), nil
	}
	if seconds, err := strconv.ParseInt(text, 10, 64); err == nil {
		if seconds > maxSeconds {
			return 0, usagef("--at takes Unix seconds, and %d looks like milliseconds; in seconds it is %d, which is %s",
				seconds, seconds/1000, time.Unix(seconds/1000, 0).UTC().Format(time.RFC3339))
		}
		return seconds, nil
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04Z07:00"} {
		if at, err := time.Parse(layout, text); err == nil {
			return at.Unix(), nil
		}
	}
	return 0, usagef("--at takes a time with its offset, such as 2026-12-01T02:00:00Z or 2026-12-01T10:00+08:00, or Unix seconds, not %q", text)
}

// targetingKey is the name that OpenFeature gives to the unit of a context.
const targetingKey = "targetingKey"

// each calls f with every context that the flags name: one, or one a line.
func (q *questionFlags) each(stdin io.Reader, p *evaluator.Program, f func(evaluator.Context) error) error {
	if q.contexts == "" {
		ctx, err := q.one(p)
		if err != nil {
			return err
		}
		return f(ctx)
	}
	in := stdin
	if q.contexts != "-" {
		file, err := os.Open(q.contexts)
		if err != nil {
			return &hintedError{fmt.Errorf("reading contexts: %w", err),
				`--contexts takes a file with one JSON object per line, or "-" for standard input`}
		}
		defer file.Close()
		in = file
	}
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, maxContextLine+1) // with its end
	n := 1
	for ; lines.Scan(); n++ {
		if len(bytes.TrimSpace(lines.Bytes())) == 0 {
			continue
		}
		ctx, err := evaluator.DecodeContext(lines.Bytes())
		if err != nil {
			return fmt.Errorf("%s:%d: %w", q.contexts, n, err)
		}
		if err := f(ctx); err != nil {
			return err
		}
	}
	switch err := lines.Err(); {
	case errors.Is(err, bufio.ErrTooLong):
		return fmt.Errorf("%s:%d: the line is longer than 1 MiB; write one JSON object per line", q.contexts, n)
	case err != nil:
		return fmt.Errorf("reading %s: %w", q.contexts, err)
	}
	return nil
}

// one returns the context of --context and -c.
func (q *questionFlags) one(p *evaluator.Program) (evaluator.Context, error) {
	var ctx evaluator.Context
	if q.context != "" {
		var err error
		if ctx, err = evaluator.DecodeContext([]byte(q.context)); err != nil {
			return ctx, usagef("--context: %v; write it as '{\"targetingKey\": \"u-1\"}', in quotes for the shell", err)
		}
	}
	for _, pair := range q.pairs {
		name, value, ok := strings.Cut(pair, "=")
		if !ok || name == "" {
			return ctx, usagef("-c takes name=value, not %q", pair)
		}
		if name == targetingKey || name == p.Unit() {
			ctx.Key = value
			continue
		}
		attr, err := parseAttribute(p, name, value)
		if err != nil {
			return ctx, err
		}
		ctx.Attrs = append(ctx.Attrs, attr)
	}
	return ctx, nil
}

// parseAttribute makes an attribute of the declared type from text. An attribute that
// no rule uses is text, which makes no difference.
func parseAttribute(p *evaluator.Program, name, value string) (evaluator.Attr, error) {
	switch t, _ := p.AttributeType(name); t {
	case evaluator.AttrInteger:
		n, err := strconv.ParseInt(value, 10, 64)
		if err != nil {
			return evaluator.Attr{}, usagef("-c %s: %q is not a 64-bit integer such as 42", name, value)
		}
		return evaluator.NewAttr(name, n), nil
	case evaluator.AttrBoolean:
		if value != "true" && value != "false" {
			return evaluator.Attr{}, usagef("-c %s: %q is neither true nor false", name, value)
		}
		return evaluator.NewAttr(name, value == "true"), nil
	case evaluator.AttrTime:
		if n, err := strconv.ParseInt(value, 10, 64); err == nil {
			return evaluator.NewAttr(name, n), nil
		}
	case evaluator.AttrList:
		var texts []string
		if value != "" {
			texts = strings.Split(value, ",")
		}
		return evaluator.NewAttr(name, texts), nil
	}
	return evaluator.NewAttr(name, value), nil
}
