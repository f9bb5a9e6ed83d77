package evaluator

import (
	"fmt"
	"testing"
)

// TestOrder holds orders to the precedence of versions, most of all where parts
// become too large for them.
func TestOrder(t *testing.T) {
	parts := []uint64{0, 1, 2, 9, 10, 99_999, 999_999, 1_000_000, maxPart - 1, maxPart, maxPart + 1, 1 << 40,
		9_999_999_999_999_999_999}
	var versions []string
	for _, major := range parts[:3] {
		for _, minor := range parts {
			for _, patch := range parts {
				versions = append(versions, fmt.Sprintf("%d.%d.%d", major, minor, patch))
			}
		}
	}
	for _, major := range parts[3:] {
		versions = append(versions, fmt.Sprintf("%d.0.1", major), fmt.Sprintf("%d", major),
			fmt.Sprintf("%d.%d", major, major))
	}
	versions = append(versions, "1.2.0-rc.1", "1.2.0-rc.2", "1.2.1-rc.1", "1.2.0+7", "1.2.0-0+7", "0.0.0-0",
		"0.0.1-0", "2.0.0-0", "2097150.0.0-0", "1.2097151.0-0",
		"2097150.0.0-a", "2097151.0.0-a", "1.2097151.0-a", "1.0.2097151-a")
	intervals := 0
	for _, operand := range versions {
		for _, op := range []string{"=", "<", "<=", ">", ">="} {
			cs, err := parseConstraint(op + operand)
			if err != nil {
				t.Fatal(err)
			}
			i, ok := newInterval(op+operand, cs)
			if !ok {
				continue
			}
			intervals++
			for _, s := range versions {
				order, isVersion := parseOrder(s)
				v, _ := parseVersion(s)
				if want := cs[0].holds(v); !isVersion || i.has(order) != want {
					t.Fatalf("%s %s: got %v (a version: %v), want %v", s, op+operand, i.has(order), isVersion, want)
				}
			}
		}
	}
	if intervals < 1000 {
		t.Errorf("only %d constraints are intervals", intervals)
	}
	for _, s := range []string{"", ".", "1.", ".1", "1..2", "1.2.3.4", "01", "1.02", "1.2.03", "v1", "1 ", "-1",
		"1.2.x", "1.2.3-", "1.2.3+", "00"} {
		if order, ok := parseOrder(s); ok {
			t.Errorf("%q is the version %d", s, order)
		}
	}
}
