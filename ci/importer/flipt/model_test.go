package flipt

import (
	"encoding/json"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/serin-flags/serin/ci/importer"
	"github.com/serin-flags/serin/ci/importer/internal/importtest"
)

// The model is the evaluation of Flipt's server (internal/server/evaluation of v1), for flags
// with one rule: segments with constraints, and a distribution or a threshold.

// says returns whether a constraint holds for a value of its property, "" if it is missing.
func (c constraint) says(v string) bool {
	trimmed := strings.TrimSpace(v)
	switch c.Operator {
	case "empty", "notpresent":
		return trimmed == ""
	case "notempty", "present":
		return trimmed != ""
	}
	if v == "" {
		return false
	}
	switch c.Type {
	case "NUMBER_COMPARISON_TYPE":
		return c.saysOfNumber(v)
	case "BOOLEAN_COMPARISON_TYPE":
		is, err := strconv.ParseBool(v)
		return err == nil && strconv.FormatBool(is) == c.Operator
	case "DATETIME_COMPARISON_TYPE":
		is, err := time.Parse(time.RFC3339, v)
		with, err2 := time.Parse(time.DateOnly, c.Value)
		return err == nil && err2 == nil && c.compares(is.Compare(with))
	}
	var list []string
	listed := json.Unmarshal([]byte(c.Value), &list) == nil
	switch c.Operator {
	case "eq":
		return v == c.Value
	case "neq":
		return v != c.Value
	case "prefix":
		return strings.HasPrefix(trimmed, c.Value)
	case "suffix":
		return strings.HasSuffix(trimmed, c.Value)
	case "contains":
		return strings.Contains(v, c.Value)
	case "notcontains":
		return !strings.Contains(v, c.Value)
	}
	return listed && slices.Contains(list, v) == (c.Operator == "isoneof")
}

func (c constraint) saysOfNumber(v string) bool {
	is, err := strconv.ParseFloat(v, 64)
	if err != nil {
		return false
	}
	var list []float64
	if strings.HasPrefix(c.Operator, "is") {
		listed := json.Unmarshal([]byte(c.Value), &list) == nil
		return listed && slices.Contains(list, is) == (c.Operator == "isoneof")
	}
	with, err := strconv.ParseFloat(c.Value, 64)
	switch {
	case err != nil:
		return false
	case is < with:
		return c.compares(-1)
	case is > with:
		return c.compares(1)
	}
	return c.compares(0)
}

// compares returns whether the operator holds for a comparison's result.
func (c constraint) compares(n int) bool {
	return map[string]bool{"eq": n == 0, "neq": n != 0, "lt": n < 0, "lte": n <= 0, "gt": n > 0,
		"gte": n >= 0}[c.Operator]
}

// in returns whether an entity is in a segment.
func (s segment) in(id string, context map[string]any) bool {
	held := 0
	for _, c := range s.Constraints {
		v, _ := context[c.Property].(string)
		if c.Type == "ENTITY_ID_COMPARISON_TYPE" {
			v = id
		}
		if c.says(v) {
			held++
		}
	}
	return held == len(s.Constraints) || s.MatchType == "ANY_MATCH_TYPE" && held > 0
}

// TestServerModel holds decisions to the model, for texts with white space, numbers with
// fractions, times, and distributions that don't add up to 100%.
func TestServerModel(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	pick := func(list ...string) string { return list[r.IntN(len(list))] }
	texts := []string{"", " ", "pro", " pro", "pro\u00a0", "pro plan", "\tx", "1", "1.50", "-0.25", "7", "true", "T",
		"0", "2026-06-01T00:00:00Z",
		"2026-06-01T01:30:00+02:00", "2025-12-31T23:59:59Z"}
	operators := map[string][]string{
		"STRING_COMPARISON_TYPE": {"eq", "neq", "empty", "notempty", "prefix", "suffix", "contains", "notcontains",
			"isoneof", "isnotoneof"},
		"NUMBER_COMPARISON_TYPE": {"eq", "neq", "lt", "lte", "gt", "gte", "present", "notpresent", "isoneof",
			"isnotoneof"},
		"BOOLEAN_COMPARISON_TYPE":   {"true", "false", "present", "notpresent"},
		"DATETIME_COMPARISON_TYPE":  {"eq", "neq", "lt", "lte", "gt", "gte"},
		"ENTITY_ID_COMPARISON_TYPE": {"eq", "neq", "prefix", "isoneof"},
	}
	decisions := 0
	for range 150 {
		s := segment{MatchType: pick("ALL_MATCH_TYPE", "ANY_MATCH_TYPE")}
		for range 1 + r.IntN(3) {
			c := constraint{Type: pick("STRING_COMPARISON_TYPE", "NUMBER_COMPARISON_TYPE", "BOOLEAN_COMPARISON_TYPE",
				"ENTITY_ID_COMPARISON_TYPE"),
				Property: pick("a", "b"), Value: pick("pro", "ro", "pro ", " x", "x", "1.5", "-.25", "1e0", "0", "[]")}
			if r.IntN(5) == 0 {
				c.Type, c.Property, c.Value = "DATETIME_COMPARISON_TYPE", "at", pick("2026-06-01", "2026-05-31", "soon")
			}
			c.Operator = pick(operators[c.Type]...)
			if strings.HasPrefix(c.Operator, "is") {
				c.Value = pick(`["pro", "u-1", "", "1"]`, `[1.5, 0]`, `nonsense`)
			}
			s.Constraints = append(s.Constraints, c)
		}
		shares := [][2]float32{{33.33, 33.33}, {12.55, 0}, {0.05, 99.95}, {100, 0}, {0, 0}}[r.IntN(5)]
		percentage := []float32{0, 0.5, 33.3, 50, 100}[r.IntN(5)]
		flags := imported(t, s, shares, percentage)
		for range 20 {
			context := map[string]any{}
			for _, name := range []string{"a", "b", "at"} {
				if r.IntN(4) > 0 {
					context[name] = pick(texts...)
				}
			}
			id := pick("u-1", "u-2", "", fmt.Sprintf("u-%d", r.IntN(10000)))
			if id != "" {
				context["entityId"] = id
			}
			if _, err := time.Parse(time.RFC3339, fmt.Sprint(context["at"])); err != nil {
				delete(context, "at") // empty text is present, as the report says
			}
			in := s.in(id, context)
			want := "z"
			position := float32(crc32.ChecksumIEEE([]byte("v"+id)) % 1000)
			first, second := float32(int(shares[0]*10)), float32(int(shares[1]*10))
			switch {
			case !in || first+second == 0:
			case position < first:
				want = "x"
			case position < first+second:
				want = "y"
			}
			check(t, flags, "v", context, want)
			on := in
			if !in {
				on = float32(crc32.ChecksumIEEE([]byte(id+"b"))%100) < percentage
			}
			check(t, flags, "b", context, map[bool]string{true: "on", false: "off"}[on])
			decisions += 2
		}
	}
	t.Logf("%d decisions", decisions)
}

// imported imports a flag v with a distribution and a boolean flag b with a threshold behind
// the segment.
func imported(t *testing.T, s segment, shares [2]float32, percentage float32) *importtest.Folder {
	t.Helper()
	var constraints []map[string]any
	for _, c := range s.Constraints {
		constraints = append(constraints, map[string]any{"type": c.Type, "property": c.Property, "operator": c.Operator,
			"value": c.Value})
	}
	data, err := json.Marshal(map[string]any{
		"flags": []any{
			map[string]any{"key": "v", "enabled": true, "variants": []any{map[string]any{"key": "x"},
				map[string]any{"key": "y"}, map[string]any{"key": "z", "default": true}},
				"rules": []any{map[string]any{"segment": "s", "distributions": []any{
					map[string]any{"variant": "x", "rollout": shares[0]},
					map[string]any{"variant": "y", "rollout": shares[1]}}}}},
			map[string]any{"key": "b", "type": "BOOLEAN_FLAG_TYPE", "rollouts": []any{
				map[string]any{"segment": map[string]any{"key": "s", "value": true}},
				map[string]any{"threshold": map[string]any{"percentage": percentage, "value": true}}}},
		},
		"segments": []any{map[string]any{"key": "s", "match_type": s.MatchType, "constraints": constraints}},
	})
	if err != nil {
		t.Fatal(err)
	}
	imp, err := Read(data, importer.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if len(imp.Refused) > 0 {
		t.Fatalf("refused: %v", imp.Refused)
	}
	return importtest.Import(t, imp)
}

func check(t *testing.T, f *importtest.Folder, key string, context map[string]any, want string) {
	t.Helper()
	got, ok := f.Ask(t, key, context, time.Time{})
	if !ok || got.Variant() != want {
		t.Errorf("%s for %q is %q, not %q", key, context, got.Variant(), want)
	}
}
