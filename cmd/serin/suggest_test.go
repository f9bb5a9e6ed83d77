package main

import (
	"strings"
	"testing"
)

func TestDidYouMean(t *testing.T) {
	keys := []string{"banner", "by-chance", "cart-limit", "cart-limits", "new-checkout", "x"}
	for name, want := range map[string]string{
		"bannner":                 "banner",
		"baner":                   "banner",
		"bannre":                  "banner",
		"cart_limit":              "cart-limit",
		"cart-limitz":             "cart-limit",
		"cart-limitss":            "cart-limits",
		"new-chekcuot":            "new-checkout",
		"new-chekcuots":           "",
		"bar":                     "",
		"y":                       "",
		"":                        "",
		"xyz":                     "",
		strings.Repeat("x", 1e5):  "",
		"checkout":                "",
		"by-chance-of-somebody":   "",
		"xx":                      "x",
		"\xff\x00":                "",
		"New-Checkout":            "new-checkout",
		"cart-limit-of-customers": "",
	} {
		if want != "" {
			want = ` (did you mean "` + want + `"?)`
		}
		if got := didYouMean(name, keys); got != want {
			t.Errorf("%.30q: %q, want %q", name, got, want)
		}
	}
}
