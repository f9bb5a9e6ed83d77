package suggest

import (
	"strings"
	"testing"
)

func TestDidYouMean(t *testing.T) {
	const keys = "banner by-chance cart-limit cart-limits new-checkout x"
	tests := []struct{ name, candidates, want string }{
		{"citty", "country city uid", "city"},
		{"ctiy", "city", "city"},
		{"of", "on off", "off"},
		{"bool", "boolean string", "boolean"},
		{"bo", "boolean string", ""},
		{"Staff", "staff", "staff"},
		{"x", "y", ""},
		{"region", "city uid", ""},
		{"", "a", ""},
		{"ramp", "rules", ""},
		{strings.Repeat("a", 65), strings.Repeat("a", 64), ""},
		{strings.Repeat("a", 64), strings.Repeat("a", 63) + "b", strings.Repeat("a", 63) + "b"},
		{strings.Repeat("a", 64), strings.Repeat("a", 65), ""},
		{strings.Repeat("x", 1e5), keys, ""},
		{"bannner", keys, "banner"},
		{"bannre", keys, "banner"},
		{"cart_limit", keys, "cart-limit"},
		{"cart-limitz", keys, "cart-limit"},
		{"cart-limitss", keys, "cart-limits"},
		{"new-chekcuot", keys, "new-checkout"},
		{"New-Checkout", keys, "new-checkout"},
		{"nwe-chekcuots", keys, ""},
		{"checkout", keys, ""},
		{"by-chance-of-somebody", keys, ""},
		{"xx", keys, "x"},
		{"xyz", keys, ""},
		{"\xff\x00", keys, ""},
	}
	for _, tt := range tests {
		want := tt.want
		if want != "" {
			want = ` (did you mean "` + want + `"?)`
		}
		if got := DidYouMean(tt.name, strings.FieldsSeq(tt.candidates)); got != want {
			t.Errorf("DidYouMean(%.70q) = %q, want %q", tt.name, got, want)
		}
	}
}
