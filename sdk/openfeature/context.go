package openfeature

import (
	"encoding/json"
	"math"
	"reflect"
	"time"

	of "github.com/open-feature/go-sdk/openfeature"

	"github.com/serin-flags/serin/evaluator"
)

// inlineAttrs is how many attributes fit without an allocation. Few contexts have more
// that flags declare.
const inlineAttrs = 16

// contextOf converts a flattened context for a program's flags. It appends the attributes
// to attrs, except for those that the program doesn't use, with which it calls unused:
// conditions search all attributes, so many useless ones would slow each condition down.
func contextOf(flat of.FlattenedContext, program *evaluator.Program, attrs []evaluator.Attr,
	unused func(name string)) evaluator.Context {
	var ctx evaluator.Context
	nested := false
	for name, value := range flat {
		if name == of.TargetingKey {
			ctx.Key, _ = value.(string)
			continue
		}
		if isObject(value) {
			nested = true
			continue
		}
		if _, ok := program.AttributeType(name); !ok {
			unused(name)
			continue
		}
		if v := valueOf(value); v.Kind() != evaluator.KindNone {
			attrs = append(attrs, evaluator.Attr{Name: name, Value: v})
		}
	}
	if nested {
		attrs = append(attrs, flatten(flat, program, unused)...)
	}
	ctx.Attrs = attrs
	return ctx
}

// valueOf returns the value of an attribute, the zero Value if it has none.
func valueOf(value any) evaluator.Value {
	switch v := value.(type) {
	case nil:
		return evaluator.Value{}
	case string:
		return evaluator.StringValue(v)
	case bool:
		return evaluator.BoolValue(v)
	case int:
		return evaluator.IntValue(int64(v))
	case int64:
		return evaluator.IntValue(v)
	case float64:
		return numberOf(v)
	case []string:
		return evaluator.ListValue(v...)
	case []any:
		return listOf(v)
	case time.Time:
		return evaluator.StringValue(v.Format(time.RFC3339Nano)) // as it is in JSON
	case json.Number:
		return parseNumber(string(v))
	}
	return reflected(value)
}

// reflected returns the value of a derived type.
func reflected(value any) evaluator.Value {
	v := reflect.ValueOf(value)
	switch v.Kind() {
	case reflect.String:
		return evaluator.StringValue(v.String())
	case reflect.Bool:
		return evaluator.BoolValue(v.Bool())
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return evaluator.IntValue(v.Int())
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		if v.Uint() > math.MaxInt64 {
			return evaluator.FloatValue(float64(v.Uint()))
		}
		return evaluator.IntValue(int64(v.Uint()))
	case reflect.Float32, reflect.Float64:
		return numberOf(v.Float())
	}
	return evaluator.Value{}
}

// numberOf returns the value of a float, which may stand for an integer: contexts from
// JSON contain no others. Floats below 2^53 represent integers exactly.
func numberOf(f float64) evaluator.Value {
	if f == math.Trunc(f) && math.Abs(f) < 1<<53 {
		return evaluator.IntValue(int64(f))
	}
	return evaluator.FloatValue(f)
}

func parseNumber(text string) evaluator.Value {
	v, _ := evaluator.ParseNumber(text)
	return v
}

// listOf returns the value of a list. Only its strings are used.
func listOf(elements []any) evaluator.Value {
	texts := make([]string, 0, len(elements))
	for _, e := range elements {
		if text, ok := e.(string); ok {
			texts = append(texts, text)
		}
	}
	return evaluator.ListValue(texts...)
}
