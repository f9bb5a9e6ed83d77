// Package values compares the values that flags serve.
package values

import (
	"bytes"
	"encoding/json"

	"github.com/serin-flags/serin/evaluator"
)

// Same reports whether two values are the same to those who are served them: the
// members of objects may be in another order.
func Same(a, b evaluator.Value) bool {
	if a == b || a.Kind() != evaluator.KindObject || b.Kind() != evaluator.KindObject {
		return a == b
	}
	return bytes.Equal(canonicalJSON(a), canonicalJSON(b))
}

// canonicalJSON returns v with its members sorted, nil if it is not JSON.
func canonicalJSON(v evaluator.Value) []byte {
	d := json.NewDecoder(bytes.NewReader(v.JSON()))
	d.UseNumber()
	var document any
	if d.Decode(&document) != nil {
		return nil
	}
	out, err := json.Marshal(document)
	if err != nil {
		return nil
	}
	return out
}
