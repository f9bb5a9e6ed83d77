package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/serin-flags/serin/evaluator"
	"github.com/serin-flags/serin/lambda"
	"github.com/spf13/cobra"
)

// maxContextLine is the longest line of --contexts, in bytes.
const maxContextLine = 1 << 20

// evalOptions are the flags of eval.
type evalOptions struct {
	sourceFlags
	from, context, contexts string
	at                      string
	pairs                   []string
	all, asJSON             bool
}

func evalCommand() *cobra.Command {
	var o evalOptions
	cmd := &cobra.Command{
		Use:   "eval FLAG --from SRC",
		Short: "Evaluate a flag for a context",
		Long: `Eval prints what FLAG, or with --all every flag, serves. The context is a JSON
object as in OpenFeature, {"targetingKey": "u-1", "city": "shenzhen"}; -c takes
one attribute at a time, of the type that the flag files declare. With --at the
answers are those of another time.`,
		Example: `  serin eval new-checkout --from flags -c user=u-1 -c city=shenzhen
  serin eval new-year --from flags --at 2027-01-01T00:00:00+08:00
  serin eval --all --from s3://flags/production --root root.json --context '{"targetingKey": "u-1"}'`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if o.all == (len(args) == 1) {
				return usagef("name one FLAG, or give --all")
			}
			now, err := parseTime(o.at)
			if err != nil {
				return err
			}
			c, err := o.open(cmd.Context(), o.from)
			if err != nil {
				return err
			}
			keys := c.program.Keys()
			if !o.all {
				keys = args
				if c.program.Flag(keys[0]) == nil {
					return fmt.Errorf("there is no flag %q in %s", keys[0], shown(o.from))
				}
			}
			o.warn(cmd.ErrOrStderr(), c.program)
			w := bufio.NewWriter(cmd.OutOrStdout())
			err = o.each(cmd.InOrStdin(), c.program, func(ctx evaluator.Context) {
				ctx.Now = now
				for _, key := range keys {
					o.answer(w, c, key, ctx)
				}
			})
			if flushErr := w.Flush(); err == nil {
				err = flushErr
			}
			return err
		},
	}
	o.register(cmd)
	registerFrom(cmd, &o.from)
	cmd.Flags().StringVar(&o.context, "context", "", "the context, a JSON object")
	cmd.Flags().StringArrayVarP(&o.pairs, "attribute", "c", nil, "an attribute of the context, name=value; may repeat")
	cmd.Flags().StringVar(&o.contexts, "contexts", "", `a file of contexts, one JSON object a line; "-": standard input`)
	cmd.Flags().StringVar(&o.at, "at", "", "the time, as 2026-12-01T02:00:00Z or in Unix seconds; without it, the present")
	cmd.Flags().BoolVar(&o.all, "all", false, "evaluate every flag")
	cmd.Flags().BoolVar(&o.asJSON, "json", false, "print an OFREP object for each answer")
	return cmd
}

// parseTime returns the Unix time in seconds that text names: RFC 3339, or Unix
// seconds. Without text it is the present.
func parseTime(text string) (int64, error) {
	if text == "" {
		return time.Now().Unix(), nil
	}
	if seconds, err := strconv.ParseInt(text, 10, 64); err == nil {
		return seconds, nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return 0, usagef("--at takes a time such as 2026-12-01T02:00:00Z or 1796090400, not %q", text)
	}
	return at.Unix(), nil
}

// warn tells of attributes that make no difference: likely misspelt.
func (o *evalOptions) warn(w io.Writer, p *evaluator.Program) {
	for _, pair := range o.pairs {
		name, _, _ := strings.Cut(pair, "=")
		if _, ok := p.AttributeType(name); !ok && name != targetingKey {
			fmt.Fprintf(w, "note: no rule asks for %q\n", name)
		}
	}
}

// targetingKey is the name that OpenFeature gives to the unit of a context.
const targetingKey = "targetingKey"

// each calls f with every context that the flags name: one, or one a line.
func (o *evalOptions) each(stdin io.Reader, p *evaluator.Program, f func(evaluator.Context)) error {
	if o.contexts == "" {
		ctx, err := o.one(p)
		if err == nil {
			f(ctx)
		}
		return err
	}
	if o.context != "" || len(o.pairs) > 0 {
		return usagef("--contexts goes without --context and -c")
	}
	in := stdin
	if o.contexts != "-" {
		file, err := os.Open(o.contexts)
		if err != nil {
			return err
		}
		defer file.Close()
		in = file
	}
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, maxContextLine)
	for n := 1; lines.Scan(); n++ {
		if len(bytes.TrimSpace(lines.Bytes())) == 0 {
			continue
		}
		ctx, err := evaluator.DecodeContext(lines.Bytes())
		if err != nil {
			return fmt.Errorf("%s:%d: %w", o.contexts, n, err)
		}
		f(ctx)
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("reading %s: %w", o.contexts, err)
	}
	return nil
}

// one returns the context of --context and -c.
func (o *evalOptions) one(p *evaluator.Program) (evaluator.Context, error) {
	var ctx evaluator.Context
	if o.context != "" {
		var err error
		if ctx, err = evaluator.DecodeContext([]byte(o.context)); err != nil {
			return ctx, usagef("--context: %v", err)
		}
	}
	for _, pair := range o.pairs {
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

// parseAttribute makes an attribute of the declared type from text. One that no
// rule speaks of is text: it makes no difference.
func parseAttribute(p *evaluator.Program, name, value string) (evaluator.Attr, error) {
	switch t, _ := p.AttributeType(name); t {
	case evaluator.IntegerAttribute:
		n, err := strconv.ParseInt(value, 10, 64)
		if err != nil {
			return evaluator.Attr{}, usagef("-c %s: %q is not a 64-bit integer", name, value)
		}
		return evaluator.IntAttr(name, n), nil
	case evaluator.BooleanAttribute:
		if value != "true" && value != "false" {
			return evaluator.Attr{}, usagef("-c %s: %q is neither true nor false", name, value)
		}
		return evaluator.BoolAttr(name, value == "true"), nil
	}
	return evaluator.StringAttr(name, value), nil
}

// answer evaluates one flag and prints what it serves.
func (o *evalOptions) answer(w *bufio.Writer, c content, key string, ctx evaluator.Context) {
	ctx.Chance = rand.Uint32()
	result := c.program.Flag(key).Evaluate(ctx)
	if o.asJSON {
		w.Write(lambda.Answer{Key: key, Result: result, Environment: c.environment, Revision: c.revision}.AppendJSON(nil))
		w.WriteByte('\n')
		return
	}
	if o.all {
		w.WriteString(key + " = ")
	}
	text, isText := result.Value().Text()
	if !isText {
		text = string(result.Value().JSON())
	}
	w.WriteString(text + "\n")
}
