package sdktest_test

import (
	"testing"

	"github.com/serin-flags/serin/sdk"
	"github.com/serin-flags/serin/sdk/sdktest"
)

// A shop is what is tested here.
type shop struct{ flags *sdk.Client }

func (s shop) checkout(user string) string {
	if newCheckout.Get(s.flags, sdk.User(user)) {
		return "one page"
	}
	return "classic"
}

func ExampleNew() {
	var t *testing.T // as go test hands it over

	flags := sdktest.New(t, map[string]any{"new-checkout": true})
	shop := shop{flags.Client}
	if got := shop.checkout("u-42"); got != "one page" {
		t.Errorf("with the new checkout it is %q", got)
	}
	t.Run("old checkout", func(t *testing.T) {
		flags.Override(t, "new-checkout", false) // until the subtest ends
		if got := shop.checkout("u-42"); got != "classic" {
			t.Errorf("with the old checkout it is %q", got)
		}
	})
}
