// Package flagd reads the flag definitions of flagd, whose rules are JsonLogic.
//
// Start at [Read], which follows flagd since version 0.15, or at [ReadLegacy] for versions
// before, which divide users differently.
package flagd

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"slices"
	"strconv"

	"github.com/serin-flags/serin/ci/importer"
	"github.com/serin-flags/serin/ci/importer/internal/jsonlogic"
)

// unit is what the targeting key is called here, where targetingKey is no attribute.
const unit = "user"

// flagKey is the variable that holds the flag's own key.
const flagKey = "$flagd.flagKey"

type document struct {
	Flags      map[string]*flag           `json:"flags"`
	Evaluators map[string]json.RawMessage `json:"$evaluators"`
}

type flag struct {
	State          string          `json:"state"`
	Variants       json.RawMessage `json:"variants"`
	DefaultVariant *string         `json:"defaultVariant"`
	Targeting      json.RawMessage `json:"targeting"`
}

// Read reads flag definitions in JSON, for flagd 0.15 or later.
func Read(data []byte, _ importer.Options) (*importer.Import, error) {
	return read(data, hash, "shares are those of flagd since version 0.15; earlier versions divided users differently")
}

// ReadLegacy reads flag definitions in JSON, for flagd before 0.15.
func ReadLegacy(data []byte, _ importer.Options) (*importer.Import, error) {
	return read(data, legacyHash, "shares are those of flagd before version 0.15, in which two of 2^31 users or fewer "+
		"have no variant, and get the default variant")
}

func read(data []byte, hash, shares string) (*importer.Import, error) {
	var d document
	if err := importer.Decode(data, &d); err != nil {
		return nil, err
	}
	if len(d.Flags) == 0 {
		return nil, importer.Refusef("flags", "there are no flags")
	}
	out := &importer.Import{System: "flagd", Unit: unit, Notes: []importer.Note{
		{Reason: "the targeting key is the attribute \"user\" here"},
		{Reason: shares},
		{Reason: "attributes have one type each; JsonLogic's == also finds the text \"5\" equal to the number 5"},
	}}
	for _, key := range slices.Sorted(maps.Keys(d.Flags)) {
		f := d.Flags[key]
		if f == nil {
			f = new(flag)
		}
		r := &reader{hash: hash, key: key, f: f, at: "flags." + key}
		r.flag = &importer.Flag{Key: key, Namespace: "default", Place: r.at}
		r.logic = jsonlogic.Reader{Flag: r.flag, Evaluators: d.Evaluators, Attribute: attribute, Operation: r.operation}
		if err := r.read(); err != nil {
			out.Refuse(key, err)
			continue
		}
		out.Flags = append(out.Flags, r.flag)
	}
	return out, nil
}

// A reader reads one flag.
type reader struct {
	logic   jsonlogic.Reader
	hash    string
	key, at string
	f       *flag
	flag    *importer.Flag
	names   []string
	rules   int
}

func (r *reader) read() error {
	switch r.f.State {
	case "ENABLED":
	case "DISABLED":
		return importer.Refusef(r.at+".state",
			"while a flag is disabled, flagd serves the default in the program's code")
	default:
		return importer.Refusef(r.at+".state", "the state is ENABLED or DISABLED, not %q", r.f.State)
	}
	if err := r.variants(); err != nil {
		return err
	}
	total := false
	if t := bytes.TrimSpace(r.f.Targeting); len(t) > 0 && string(t) != "null" && string(t) != "{}" {
		r.flag.Default = r.fallback()
		var err error
		if total, err = r.serve(t, importer.Always, r.at+".targeting"); err != nil {
			return err
		}
	}
	switch {
	case r.f.DefaultVariant != nil && slices.Contains(r.names, *r.f.DefaultVariant):
		r.flag.Default = *r.f.DefaultVariant
	case r.f.DefaultVariant != nil && *r.f.DefaultVariant != "":
		return importer.Refusef(r.at+".defaultVariant", "there is no variant %q", *r.f.DefaultVariant)
	case !total:
		return importer.Refusef(r.at+".defaultVariant",
			"without it, flagd serves the default in the program's code where no rule decides")
	}
	return nil
}

// fallback returns the variant served where no rule decides, which may not be there.
func (r *reader) fallback() string {
	if r.f.DefaultVariant != nil && *r.f.DefaultVariant != "" {
		return *r.f.DefaultVariant
	}
	return r.names[len(r.names)-1]
}

// variants reads the variants, in their order.
func (r *reader) variants() error {
	d := json.NewDecoder(bytes.NewReader(r.f.Variants))
	if open, err := d.Token(); err != nil || open != json.Delim('{') {
		return importer.Refusef(r.at+".variants", "expected the variants by name")
	}
	var values []json.RawMessage
	for d.More() {
		name, err := d.Token()
		var value json.RawMessage
		if err == nil {
			err = d.Decode(&value)
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return importer.Refusef(r.at+".variants", "expected the variants by name")
		}
		text, _ := name.(string)
		if text == "" || slices.Contains(r.names, text) {
			return importer.Refusef(r.at+".variants", "the variant %q has no name, or there are two", text)
		}
		r.names, values = append(r.names, text), append(values, value)
	}
	typ, list, err := importer.Values(values, r.at+".variants")
	if err != nil {
		return err
	}
	for i := range list {
		list[i].Name = r.names[i]
	}
	r.flag.Type, r.flag.Variants = typ, list
	return nil
}

// add adds a rule.
func (r *reader) add(when importer.Condition, serve string, split *importer.Split) {
	if when.IsNever() {
		return
	}
	r.rules++
	name := "rule " + strconv.Itoa(r.rules)
	r.flag.Rules = append(r.flag.Rules, importer.Rule{Name: name, When: when, Serve: serve, Split: split})
}

// serve adds the rules for an expression that yields a variant, where when holds. It reports
// whether these serve every context for which it holds.
func (r *reader) serve(expr json.RawMessage, when importer.Condition, at string) (total bool, err error) {
	if len(r.flag.Rules) > 2000 {
		return false, importer.Refusef(at, "the targeting comes to more than 2,000 rules")
	}
	op, args, literal, err := r.logic.Open(expr, at)
	if err != nil {
		return false, err
	}
	defer r.logic.Close()
	if op == "" {
		return r.serveLiteral(literal, when, at)
	}
	at += "." + op
	switch op {
	case "if", "?:":
		return r.serveIf(args, when, at)
	case "fractional":
		return r.fractional(args, when, at)
	}
	if !slices.Contains(r.names, "true") && !slices.Contains(r.names, "false") {
		return false, importer.Refusef(at, "%q yields no variant", op)
	}
	cond, err := r.logic.Condition(expr, at) // true and false are variants
	if err != nil {
		return false, err
	}
	for _, name := range []string{"true", "false"} {
		if !slices.Contains(r.names, name) {
			return false, importer.Refusef(at, "there is no variant %q", name)
		}
	}
	r.add(importer.All(when, cond), "true", nil)
	r.add(importer.All(when, importer.Not(cond)), "false", nil)
	return true, nil
}

// serveLiteral adds the rule for the name of a variant. Null stands for the default variant.
func (r *reader) serveLiteral(literal json.RawMessage, when importer.Condition, at string) (bool, error) {
	var name string
	switch {
	case string(literal) == "null":
		return false, nil
	case literal[0] == '"':
		if err := json.Unmarshal(literal, &name); err != nil {
			return false, importer.Refusef(at, "%v", err)
		}
	case string(literal) == "true" || string(literal) == "false":
		name = string(literal)
	default:
		return false, importer.Refusef(at, "expected the name of a variant, not %.40s", literal)
	}
	if !slices.Contains(r.names, name) {
		return false, importer.Refusef(at, "there is no variant %q", name)
	}
	r.add(when, name, nil)
	return true, nil
}

// serveIf adds the rules for if: pairs of a condition and what holds then, and at last what
// holds otherwise.
func (r *reader) serveIf(args []json.RawMessage, when importer.Condition, at string) (bool, error) {
	for i := 0; i+1 < len(args); i += 2 {
		cond, err := r.logic.Condition(args[i], at+"["+strconv.Itoa(i)+"]")
		if err != nil {
			return false, err
		}
		then := importer.All(when, cond)
		total, err := r.serve(args[i+1], then, at+"["+strconv.Itoa(i+1)+"]")
		if err != nil {
			return false, err
		}
		if !total {
			if r.f.DefaultVariant == nil {
				return false, importer.Refusef(at,
					"where no variant results, flagd serves the default in the program's code")
			}
			r.add(then, r.fallback(), nil)
		}
	}
	if len(args)%2 == 1 {
		return r.serve(args[len(args)-1], when, at+"["+strconv.Itoa(len(args)-1)+"]")
	}
	return false, nil
}
