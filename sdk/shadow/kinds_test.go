package shadow

import (
	"fmt"
	"testing"

	"github.com/serin-flags/serin/sdk"
)

// TestKindAddedTwice has two calls meet the last kind that is counted apart at the same
// moment: the later one to add it counts it apart, too.
func TestKindAddedTwice(t *testing.T) {
	c := Compare(new(sdk.Flag[bool]), func(sdk.Context) (bool, error) { return false, nil }, Config{})
	last := kind{rule: fmt.Sprint("rule-", maxKinds-1)}
	for i := range maxKinds {
		c.add(kind{rule: fmt.Sprint("rule-", i)})
	}
	if first := c.of(last); c.add(last) != first {
		t.Error("it counts as one of the others")
	}
	if others := c.of(kind{rule: "rule-256"}); others == c.of(last) || others != c.add(kind{rule: "rule-257"}) {
		t.Error("the others aren't one kind")
	}
}
