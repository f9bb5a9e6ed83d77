package evaluator_test

import (
	"math"
	"reflect"

	"github.com/serin-flags/serin/evaluator"
)

// spoil overwrites some fields of rulesets, whatever they mean, so that hardly
// anything stays valid. It finds them by reflection: new ones too.
func (g *generator) spoil(sets *[]evaluator.Ruleset, changes int) {
	for range changes {
		if len(*sets) > 0 && g.rarely(4) {
			g.drop(&(*sets)[0])
			continue
		}
		var fields []reflect.Value
		settable(reflect.ValueOf(sets).Elem(), func(v reflect.Value) { fields = append(fields, v) })
		g.overwrite(pick(g, fields))
	}
}

// drop takes away all of what conditions may refer to by name.
func (g *generator) drop(set *evaluator.Ruleset) {
	switch g.next(4) {
	case 0:
		set.Segments = nil
	case 1:
		set.Zones = nil
	case 2:
		set.Prerequisites = nil
	default:
		set.Attributes = set.Attributes[:g.next(len(set.Attributes)+1)]
	}
}

// settable yields all fields and elements below v.
func settable(v reflect.Value, yield func(reflect.Value)) {
	yield(v)
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			settable(v.Elem(), yield)
		}
	case reflect.Slice:
		for i := range v.Len() {
			settable(v.Index(i), yield)
		}
	case reflect.Struct:
		if opaque(v.Type()) {
			return // of what it holds it keeps the rules itself
		}
		for i := range v.NumField() {
			settable(v.Field(i), yield)
		}
	}
}

// opaque reports whether a type has no fields of its own to set.
func opaque(t reflect.Type) bool {
	return t == reflect.TypeFor[evaluator.Value]() || t == reflect.TypeFor[evaluator.List]()
}

func (g *generator) overwrite(v reflect.Value) {
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(!v.Bool())
	case reflect.String:
		v.SetString(pick(g, []string{"", "user", "uid", "version", "ip", "tags", "s0", "f0", "f1", "v0", "r0", "UTC",
			"10.0.0.0/8", "1.2", "a", "(", "\xff", "md5", evaluator.HashMurmur3}))
	case reflect.Int, reflect.Int64:
		v.SetInt(pick(g, []int64{0, 1, -1, 2, 127, 128, 86399, 86400, 86401, -86400, 1 << 32, math.MaxInt64,
			math.MinInt64}))
	case reflect.Uint8:
		v.SetUint(uint64(g.next(30)))
	case reflect.Uint64:
		v.SetUint(pick(g, []uint64{0, 1, 1 << 31, evaluator.Positions - 1, evaluator.Positions,
			evaluator.Positions + 1, math.MaxUint64}))
	case reflect.Pointer:
		if v.IsNil() {
			v.Set(reflect.New(v.Type().Elem()))
		} else {
			v.SetZero()
		}
	case reflect.Slice:
		g.reslice(v)
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[evaluator.Value]() {
			v.Set(reflect.ValueOf(pick(g, g.pools.odd)))
		} else {
			v.SetZero()
		}
	}
}

// reslice leaves a list without its end, with an element twice, or two of them
// the other way round.
func (g *generator) reslice(v reflect.Value) {
	n := v.Len()
	if n == 0 {
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		return
	}
	i, j := g.next(n), g.next(n)
	switch g.next(3) {
	case 0:
		v.SetLen(i)
	case 1:
		list := reflect.MakeSlice(v.Type(), 0, n+1)
		v.Set(reflect.Append(reflect.AppendSlice(list, v), v.Index(i)))
	default:
		list := reflect.AppendSlice(reflect.MakeSlice(v.Type(), 0, n), v)
		list.Index(i).Set(v.Index(j))
		list.Index(j).Set(v.Index(i))
		v.Set(list)
	}
}

// sizeOf returns how many bytes rulesets take.
func sizeOf(sets []evaluator.Ruleset) uint64 {
	var size uint64
	settable(reflect.ValueOf(sets), func(v reflect.Value) {
		size += uint64(v.Type().Size())
		switch {
		case v.Kind() == reflect.String:
			size += uint64(v.Len())
		case v.Type() == reflect.TypeFor[evaluator.Value]():
			size += uint64(len(v.Interface().(evaluator.Value).JSON()))
		}
	})
	return size
}
