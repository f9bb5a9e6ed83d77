package openfeature

import (
	"cmp"
	"reflect"
	"slices"

	of "github.com/open-feature/go-sdk/openfeature"

	"github.com/serin-flags/serin/evaluator"
)

// Limits of nested attributes, as [evaluator.DecodeContext] has them.
const (
	maxLevels = 10  // objects in objects, the context included
	maxPath   = 200 // bytes of a name
)

// isObject reports whether a value is a structure of OpenFeature, an object in JSON: a map
// whose keys are strings.
func isObject(value any) bool {
	switch value.(type) {
	case nil, string, bool, int, int64, float64: // no reflection for what there is most
		return false
	case map[string]any:
		return true
	}
	t := reflect.TypeOf(value)
	return t.Kind() == reflect.Map && t.Key().Kind() == reflect.String
}

// nesting adds the members of nested objects to the attributes of a context.
type nesting struct {
	program *evaluator.Program
	attrs   []evaluator.Attr
	unused  func(name string)
	seen    map[string]bool // names that members which come first have
}

// flatten returns the attributes that are in the objects of a context.
func flatten(flat of.FlattenedContext, program *evaluator.Program, unused func(name string)) []evaluator.Attr {
	n := nesting{program: program, unused: unused, seen: make(map[string]bool)}
	var objects []object
	for name, value := range flat {
		if name == of.TargetingKey {
			continue
		}
		n.seen[name] = true
		if isObject(value) {
			objects = append(objects, object{name, reflect.ValueOf(value)})
		}
	}
	n.inside("", objects, 2)
	return n.attrs
}

// An object is a member that is an object.
type object struct {
	name    string
	members reflect.Value
}

// inside adds the members of objects whose paths begin with prefix. Longer names come
// first, so what has a path already has it from a member that precedes.
func (n *nesting) inside(prefix string, objects []object, level int) {
	if level > maxLevels {
		return
	}
	slices.SortFunc(objects, func(a, b object) int {
		return cmp.Or(cmp.Compare(len(b.name), len(a.name)), cmp.Compare(a.name, b.name))
	})
	for _, o := range objects {
		prefix := prefix + o.name + "."
		var inside []object
		for members := o.members.MapRange(); members.Next(); {
			name, value := members.Key().String(), members.Value().Interface()
			if len(prefix)+len(name) > maxPath {
				continue
			}
			n.add(prefix+name, value)
			if isObject(value) {
				inside = append(inside, object{name, reflect.ValueOf(value)})
			}
		}
		n.inside(prefix, inside, level+1)
	}
}

// add adds an attribute, unless one that precedes has its name.
func (n *nesting) add(name string, value any) {
	if n.seen[name] {
		return
	}
	n.seen[name] = true
	if isObject(value) {
		return
	}
	if _, ok := n.program.AttributeType(name); !ok {
		n.unused(name)
		return
	}
	if v := valueOf(value); v.Kind() != evaluator.KindNone {
		n.attrs = append(n.attrs, evaluator.Attr{Name: name, Value: v})
	}
}
