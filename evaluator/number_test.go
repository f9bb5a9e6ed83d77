package evaluator

import (
	"math"
	"math/big"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
)

// TestDecimals holds comparisons of random decimals, and of the values that they have in
// contexts, to rational numbers.
func TestDecimals(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	digits := func(most int) string {
		b := make([]byte, 1+rnd.IntN(most))
		for i := range b {
			b[i] = "00019"[rnd.IntN(5)]
		}
		return string(b)
	}
	number := func() string {
		s := strings.TrimLeft(digits(20), "0")
		if s == "" {
			s = "0"
		}
		s = []string{"", "-"}[rnd.IntN(2)] + s
		if rnd.IntN(2) == 0 {
			s += "." + digits(20)
		}
		if rnd.IntN(3) == 0 {
			s += []string{"e", "E+", "e-"}[rnd.IntN(3)] + strconv.Itoa(rnd.IntN(20))
		}
		return s
	}
	equal := 0
	for range 50_000 {
		a, b := number(), number()
		if rnd.IntN(4) == 0 {
			b = a + "0"
		}
		if !strings.ContainsAny(b, ".eE") || strings.ContainsAny(b, "eE") {
			b = a
		}
		v, err := ParseNumber(a)
		if err != nil {
			t.Fatal(err)
		}
		var room [3][maxNumber]byte
		x, okX := parseDecimal(&room[0], a)
		y, okY := parseDecimal(&room[1], b)
		z, okZ := decimalOf(&room[2], v)
		r, _ := new(big.Rat).SetString(a)
		s, _ := new(big.Rat).SetString(b)
		if want := r.Cmp(s); !okX || !okY || !okZ || x.compare(y) != want || y.compare(x) != -want ||
			z.compare(y) != want {
			t.Fatalf("%s and %s: got %d, %d and %d, want %d", a, b, x.compare(y), y.compare(x), z.compare(y), want)
		} else if want == 0 {
			equal++
		}
	}
	if equal < 1000 || equal > 49_000 {
		t.Errorf("%d pairs are equal", equal)
	}
}

// TestParseNumber holds which texts are kept, and that the value is otherwise that of the float.
func TestParseNumber(t *testing.T) {
	for text, want := range map[string]Value{
		"12.5": FloatValue(12.5), "1e3": IntValue(1000), "-0.0": IntValue(0), "0.1": FloatValue(0.1),
		"0.1000000000000000055511151231257827": {kind: KindFloat, num: math.Float64bits(0.1),
			str: "0.1000000000000000055511151231257827"},
		"3.00000000000000000001":        {kind: KindInt, num: 3, str: "3.00000000000000000001"},
		"1e-400":                        {kind: KindInt, str: "1e-400"},
		"0.100000000000000000000":       FloatValue(0.1),
		"0." + strings.Repeat("1", 200): FloatValue(1.0 / 9),
	} {
		if got, err := ParseNumber(text); err != nil || got != want {
			t.Errorf("%s: got %+v, %v, want %+v", text, got, err, want)
		}
	}
	for _, text := range []string{"1e400", "-1e400", "x", "", "Inf", "NaN", "1e99999", "+1", "01", "-", "1.", "1.e5",
		".5", "0x1p3", "1_0", "1e", "1e+", "1.2.3", " 1", "1-2", "-+1"} {
		if v, err := ParseNumber(text); err == nil {
			t.Errorf("%q is %+v", text, v)
		}
	}
}

func TestNumberAllocates(t *testing.T) {
	test, err := (&Condition{Op: OpNumber, Strings: []string{">=0.5 <20"}}).test(AttrNumber)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range []Value{FloatValue(12.5), IntValue(7), StringValue("12.50")} {
		if n := testing.AllocsPerRun(100, func() {
			if !holds(test, v, nil) {
				t.Errorf("%s isn't in the range", v.JSON())
			}
		}); n != 0 {
			t.Errorf("%s: a comparison takes %v allocations", v.JSON(), n)
		}
	}
}
