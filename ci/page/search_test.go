package page

import (
	"slices"
	"testing"
)

// TestFind holds what searches find. The browser's test holds that the script finds the same.
func TestFind(t *testing.T) {
	v := newView(testModel(t), nil, testTime)
	for query, want := range searches {
		var got []string
		for _, e := range find(v.index, query) {
			got = append(got, e.Key)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%q finds %q, not %q", query, got, want)
		}
	}
}

var searches = map[string][]string{
	"owner:team-search": {"broken-index", "new-index", "ramp"},
	"OWNER:结账":          {"cart"},
	"ramping":           {"broken-index", "new-index", "ramp"},
	"stale":             {"cart"},
	"disabled":          {"off"},
	"rolled-back":       {"broken-index"},
	"attr:city":         {"cart", "hidden-flag", "hostile"},
	"attr:city 购物车":     {"cart"},
	"segment:testers":   {"cart"},
	"拉萨":                {"cart"},
	"hidden-id":         nil,
	"nothing-like-it":   nil,
}
