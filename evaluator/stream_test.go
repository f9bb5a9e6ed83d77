package evaluator_test

import (
	"errors"
	"fmt"
	"iter"
	"reflect"
	"slices"
	"testing"

	"github.com/serin-flags/serin/evaluator"
)

// streamed compiles rulesets flag by flag. Each flag is overwritten, with all
// lists that it has, when the next is asked for.
func streamed(sets []evaluator.Ruleset) (*evaluator.Program, error) {
	units := make([]*evaluator.Module, len(sets))
	var errs []error
	for i, set := range sets {
		s := evaluator.Stream{Flags: passing(set.Flags), Prerequisites: passing(set.Prerequisites)}
		set.Flags, set.Prerequisites = nil, nil
		var err error
		units[i], err = evaluator.CompileStream(set, s)
		errs = append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return evaluator.Link(units...)
}

// passing yields flags that last until the next.
func passing(flags []evaluator.Flag) iter.Seq[*evaluator.Flag] {
	return func(yield func(*evaluator.Flag) bool) {
		for i := range flags {
			f := copied(reflect.ValueOf(flags[i])).Interface().(evaluator.Flag)
			if !yield(&f) {
				return
			}
			var fields []reflect.Value
			settable(reflect.ValueOf(&f).Elem(), func(v reflect.Value) { fields = append(fields, v) })
			for _, v := range slices.Backward(fields) {
				v.SetZero()
			}
		}
	}
}

// copied returns a copy of v that shares nothing with it but text.
func copied(v reflect.Value) reflect.Value {
	c := reflect.New(v.Type()).Elem()
	c.Set(v)
	switch {
	case v.Kind() == reflect.Pointer && !v.IsNil():
		c.Set(reflect.New(v.Type().Elem()))
		c.Elem().Set(copied(v.Elem()))
	case v.Kind() == reflect.Slice && !v.IsNil():
		c.Set(reflect.MakeSlice(v.Type(), v.Len(), v.Len()))
		for i := range v.Len() {
			c.Index(i).Set(copied(v.Index(i)))
		}
	case v.Kind() == reflect.Struct && !opaque(v.Type()):
		for i := range v.NumField() {
			c.Field(i).Set(copied(v.Field(i)))
		}
	}
	return c
}

// boolean returns a flag that serves "on" or "off" by a condition.
func boolean(key string, when evaluator.Condition) evaluator.Flag {
	return evaluator.Flag{Key: key, Type: evaluator.KindBool, Variants: []evaluator.Variant{
		{Name: "off", Value: evaluator.BoolValue(false)}, {Name: "on", Value: evaluator.BoolValue(true)},
	}, Rules: []evaluator.Rule{{Name: "rule", When: &when, Variant: 1}}}
}

// TestStreamRefuses holds that what can be known only after the last flag is known
// of flags that come one by one.
func TestStreamRefuses(t *testing.T) {
	serves := func(texts ...string) evaluator.Condition {
		return evaluator.Condition{Op: evaluator.OpServes, Strings: texts}
	}
	always := evaluator.Condition{Op: evaluator.OpAll}
	for _, test := range []struct {
		name                 string
		flags, prerequisites []evaluator.Flag
		want                 string // "": nothing is wrong
	}{
		{"no flags", nil, nil, ""},
		{"a later flag", []evaluator.Flag{boolean("a", serves("b", "on")), boolean("b", always)}, nil, ""},
		{"a prerequisite", []evaluator.Flag{boolean("a", serves("b", "on"))}, []evaluator.Flag{boolean("b", always)}, ""},
		{"a key twice", []evaluator.Flag{boolean("a", always), boolean("a", always)}, nil, `flag "a": the key "a" is empty or not unique`},
		{"a key of a prerequisite", []evaluator.Flag{boolean("a", always)}, []evaluator.Flag{boolean("a", always)}, `flag "a": the key "a" is empty or not unique`},
		{"no such flag", []evaluator.Flag{boolean("a", serves("b", "on"))}, nil, `flag "a": rule "rule": the flag "b" is neither in the ruleset nor one of its prerequisites`},
		{"no such variant", []evaluator.Flag{boolean("a", serves("b", "off", "up")), boolean("b", always)}, nil, `flag "a": rule "rule": the flag "b" has no variant "up"`},
		{"a flag without variants",
			[]evaluator.Flag{boolean("a", serves("b", "on")), {Key: "b", Type: evaluator.KindBool}}, nil,
			"flag \"b\": a flag has 1 to 65535 variants, this one 0\nflag \"b\": there is no variant 0\nflag \"b\": there is no variant 0"},
	} {
		t.Run(test.name, func(t *testing.T) {
			set := evaluator.Ruleset{Unit: "user",
				Attributes: []evaluator.Attribute{{Name: "user", Type: evaluator.AttrString}}}
			set.Flags, set.Prerequisites = test.flags, test.prerequisites
			p, err := streamed([]evaluator.Ruleset{set})
			_, whole := evaluator.CompileModule(set)
			if got := fmt.Sprint(err); err != nil && got != test.want || err == nil && test.want != "" ||
				got != fmt.Sprint(whole) {
				t.Errorf("got error %v, as a whole %v, want %q", err, whole, test.want)
			}
			if err == nil && p.Len() != len(test.flags) {
				t.Errorf("%d flags are served, want %d", p.Len(), len(test.flags))
			}
		})
	}
	circle := evaluator.Ruleset{Unit: "user",
		Attributes: []evaluator.Attribute{{Name: "user", Type: evaluator.AttrString}},
		Flags:      []evaluator.Flag{boolean("a", serves("b", "on")), boolean("b", serves("a", "on"))}}
	_, err := streamed([]evaluator.Ruleset{circle})
	want := `flag "b": rule "rule": flag "a" refers to itself: a → b → a`
	if err == nil || err.Error() != want || !errors.Is(err, evaluator.ErrCost) {
		t.Errorf("a circle gave error %v, want the ErrCost %s", err, want)
	}
	var at *evaluator.CompileError
	if !errors.As(err, &at) || at.Flag != "b" || at.Rule != "rule" || at.Reference != "a" {
		t.Errorf("a circle is reported at %+v", at)
	}
}
