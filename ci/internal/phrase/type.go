package phrase

import (
	"fmt"
	"slices"
	"strings"

	"github.com/serin-flags/serin/ci/internal/problem"
	"github.com/serin-flags/serin/ci/internal/source"
	"github.com/serin-flags/serin/internal/suggest"
)

// otherTypes are what other systems call our types.
var otherTypes = map[string]string{
	"json": "object", "map": "object", "dict": "object", "float": "number", "double": "number", "decimal": "number",
	"number": "integer", "long": "integer",
	"date": "time", "datetime": "time", "timestamp": "time",
	"array": "list", "set": "list", "version": "semver", "text": "string", "address": "ip", "flag": "boolean",
}

// TypeOf reads a "type", which must be one of types. What has the type, and where it
// is, say what and place.
func TypeOf[T fmt.Stringer](r Reader, n, place *source.Node, what string, types []T) (t T) {
	names := make([]string, len(types))
	for i, t := range types {
		names[i] = t.String()
	}
	last := len(names) - 1
	known := strings.Join(names[:last], ", ") + " or " + names[last]
	if n == nil {
		r.Errorf(place, "%s has no \"type\": %s", what, known)
		return t
	}
	name, ok := r.Text(n, "\"type\"")
	if !ok {
		return t
	}
	i := slices.Index(names, name)
	if i < 0 {
		hint := suggest.DidYouMean(name, slices.Values(names))
		if ours := otherTypes[name]; slices.Contains(names, ours) {
			hint = fmt.Sprintf(" (did you mean %q?)", ours)
		}
		r.Errorf(n, "unknown type %q%s; the types are %s", problem.Shorten(name), hint, known)
		return t
	}
	return types[i]
}
