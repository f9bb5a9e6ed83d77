package sdktest

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"

	"github.com/serin-flags/serin/evaluator"
)

// namespace is the namespace of all flags that are defined by a value.
const namespace = "test"

// flagsOf returns flags that serve each value to everyone.
func flagsOf(values map[string]any) (map[string]evaluator.Flag, error) {
	flags := make(map[string]evaluator.Flag, len(values))
	var errs []error
	for _, key := range slices.Sorted(maps.Keys(values)) {
		flag, err := flagOf(key, values[key])
		if err != nil {
			errs = append(errs, err)
		}
		flags[key] = flag
	}
	return flags, errors.Join(errs...)
}

// flagOf returns a flag that serves a value to everyone.
func flagOf(key string, value any) (evaluator.Flag, error) {
	if on, ok := value.(bool); ok {
		flag := evaluator.Flag{Key: key, Type: evaluator.KindBool, Variants: []evaluator.Variant{
			{Name: "on", Value: evaluator.BoolValue(true)}, {Name: "off", Value: evaluator.BoolValue(false)},
		}}
		if !on {
			flag.Default = 1
		}
		return flag, nil
	}
	typ, v, err := valueOf(value)
	if err != nil {
		return evaluator.Flag{}, fmt.Errorf("flag %q: %w", key, err)
	}
	return evaluator.Flag{Key: key, Type: typ, Variants: []evaluator.Variant{{Name: "value", Value: v}}}, nil
}

// valueOf converts any value but a bool, and returns its flag's type too.
func valueOf(value any) (evaluator.Kind, evaluator.Value, error) {
	v := reflect.ValueOf(value)
	switch v.Kind() {
	case reflect.String:
		return evaluator.KindString, evaluator.StringValue(v.String()), nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return evaluator.KindInt, evaluator.IntValue(v.Int()), nil
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		if v.Uint() > math.MaxInt64 {
			return 0, evaluator.Value{},
				fmt.Errorf("%d is larger than the largest integer of a flag, %d", v.Uint(), int64(math.MaxInt64))
		}
		return evaluator.KindInt, evaluator.IntValue(int64(v.Uint())), nil
	case reflect.Float32, reflect.Float64:
		if math.IsNaN(v.Float()) || math.IsInf(v.Float(), 0) {
			return 0, evaluator.Value{}, fmt.Errorf("a flag can't have the value %v", v.Float())
		}
		return evaluator.KindFloat, evaluator.FloatValue(v.Float()), nil
	case reflect.Struct, reflect.Map, reflect.Slice, reflect.Array, reflect.Pointer:
		return objectOf(value)
	}
	return 0, evaluator.Value{}, fmt.Errorf("a flag can't have a value of type %T: "+
		"use bool, string, an integer, a float, or a type that encoding/json encodes as an object or a list", value)
}

func objectOf(value any) (evaluator.Kind, evaluator.Value, error) {
	data, err := json.Marshal(value)
	if err != nil {
		return 0, evaluator.Value{}, err
	}
	if data[0] != '{' && data[0] != '[' {
		return 0, evaluator.Value{},
			fmt.Errorf("a value of type %T is encoded as %.20s, which is neither an object nor a list", value, data)
	}
	return evaluator.KindObject, evaluator.ObjectValue(string(data)), nil
}

// rulesetOf returns a ruleset with these flags.
func rulesetOf(flags map[string]evaluator.Flag) map[string]evaluator.Ruleset {
	r := evaluator.Ruleset{
		Unit:       "user",
		Attributes: []evaluator.Attribute{{Name: "user", Type: evaluator.AttrString}},
	}
	for _, key := range slices.Sorted(maps.Keys(flags)) {
		r.Flags = append(r.Flags, flags[key])
	}
	return map[string]evaluator.Ruleset{namespace: r}
}
