package sdk

import (
	"fmt"
	"strings"
	"testing"

	"github.com/serin-flags/serin/evaluator"
)

// TestDecodedIsBounded checks that a handle doesn't keep all that it ever served,
// but as much as it may.
func TestDecodedIsBounded(t *testing.T) {
	for length, want := range map[int]int{10: maxDecoded, 200_000: 20, maxDecodedSize: 1} {
		var o objects[map[string]string]
		most := 0
		for i := range want + 3 {
			text := fmt.Sprintf(`{"x":"%d%s"}`, i, strings.Repeat("x", length))
			v, ok := o.read(evaluator.ObjectValue(text))
			if !ok || len(v["x"]) < length {
				t.Fatalf("a text of %d bytes is not decoded", length)
			}
			most = max(most, len(*o.decoded.Load()))
		}
		if most != want {
			t.Errorf("of texts of %d bytes %d are kept, want %d", length, most, want)
		}
	}
}
