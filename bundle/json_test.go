package bundle

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"

	"github.com/secure-systems-lab/go-securesystemslib/cjson"
)

func TestParseJSON(t *testing.T) {
	for _, c := range []struct {
		in        string
		canonical string // empty: refused
	}{
		{`null`, `null`}, {` true `, `true`}, {"\r\n\tfalse", `false`},
		{`0`, `0`}, {`-1`, `-1`}, {`9007199254740992`, `9007199254740992`}, {`-9007199254740992`, `-9007199254740992`},
		{`""`, `""`}, {`"a\/b"`, `"a/b"`}, {`"\"\\"`, `"\"\\"`}, {`"\b\f\n\r\t"`, "\"\b\f\n\r\t\""},
		{`"\u00e9é"`, `"éé"`}, {`"\u0000"`, "\"\x00\""}, {`"\uD83D\uDE00"`, `"😀"`}, {`"\uFFFD"`, `"�"`},
		{`[]`, `[]`}, {`[ 1 , "x" , [ ] ]`, `[1,"x",[]]`},
		{`{}`, `{}`}, {` { "b" : 1 , "a" : { } } `, `{"a":{},"b":1}`}, {`{"é":1,"z":2,"":3}`, `{"":3,"z":2,"é":1}`},
		{`{"a":1,"A":2}`, `{"A":2,"a":1}`},
		{strings.Repeat("[", maxDepth) + "1" + strings.Repeat("]", maxDepth),
			strings.Repeat("[", maxDepth) + "1" + strings.Repeat("]", maxDepth)},

		{``, ``}, {` `, ``}, {`nul`, ``}, {`True`, ``}, {`1 2`, ``}, {`{}{}`, ``}, {"\ufeff1", ``}, {"1\x00", ``},
		{`1.0`, ``}, {`1e3`, ``}, {`01`, ``}, {`-0`, ``}, {`+1`, ``}, {`-`, ``}, {`1-1`, ``}, {`9007199254740993`,
			``}, {`-9007199254740993`, ``},
		{`99999999999999999999`, ``}, {`NaN`, ``}, {`0x10`, ``},
		{`"`, ``}, {`"a`, ``}, {`"\`, ``}, {`"\"`, ``}, {`"\x"`, ``}, {`"\u12"`, ``}, {`"\u12g4"`, ``}, {"\"\n\"",
			``}, {"\"\x00\"", ``}, {"\"\\\x00\"", ``},
		{`"\ud83d"`, ``}, {`"\ude00"`, ``}, {`"\ud83d\u0041"`, ``}, {`"\ud83d\ud83d"`, ``}, {`"\ud83dx"`,
			``}, {`"\ud83d\n"`, ``},
		{"\"\xff\"", ``}, {"\"\xc0\x80\"", ``}, {"\"\xed\xa0\x80\"", ``}, {"\"\\n\xff\"", ``},
		{`[`, ``}, {`[1`, ``}, {`[1,`, ``}, {`[1,]`, ``}, {`[,1]`, ``}, {`[1 2]`, ``}, {`]`, ``},
		{`{`, ``}, {`{"a"`, ``}, {`{"a":`, ``}, {`{"a":1`, ``}, {`{"a":1,`, ``}, {`{"a":1,}`, ``},
		{`{a:1}`, ``}, {`{1:1}`,
			``}, {`{"a" 1}`, ``}, {`{,}`, ``},
		{`{"a":1,"a":1}`, ``}, {`{"a":1,"b":2,"\u0061":3}`, ``}, {`[{"a":{"x":1,"x":2}}]`, ``},
		{strings.Repeat("[", maxDepth+1) + "1" + strings.Repeat("]", maxDepth+1), ``},
		{"[" + strings.Repeat("1,", maxNodes) + "1]", ``},
	} {
		n, err := parseJSON([]byte(c.in))
		short := c.in[:min(len(c.in), 40)]
		if c.canonical == "" {
			if err == nil {
				t.Errorf("%q is accepted", short)
			}
			continue
		}
		if err != nil {
			t.Errorf("%q: %v", short, err)
		} else if got := string(appendCanonical(nil, n)); got != c.canonical {
			t.Errorf("%q gives %q, want %q", short, got, c.canonical)
		}
	}
}

// TestErrorsDoNotQuote feeds text that errors about unverified data must not repeat.
func TestErrorsDoNotQuote(t *testing.T) {
	for _, in := range []string{`sesame`, `"sesame`, `{"sesame":sesame}`, `{"sesame":1,"sesame":2}`, `[1.5,"sesame"]`,
		`"sesame\q"`} {
		_, err := parseJSON([]byte(in))
		if err == nil || strings.Contains(err.Error(), "sesame") {
			t.Errorf("%q: %v", in, err)
		}
	}
}

// toAny converts a node to what encoding/json makes of it.
func toAny(n node) any {
	switch n.kind {
	case kindBool:
		return n.integer != 0
	case kindInteger:
		return float64(n.integer)
	case kindString:
		return n.text
	case kindArray:
		list := []any{}
		for _, e := range n.list {
			list = append(list, toAny(e))
		}
		return list
	case kindObject:
		o := object{}
		for i, key := range n.keys {
			o[key] = toAny(n.list[i])
		}
		return o
	}
	return nil
}

// hasControls reports whether canonical text would not be JSON: canonical JSON
// does not escape control characters.
func hasControls(b []byte) bool {
	return bytes.ContainsFunc(b, func(r rune) bool { return r < ' ' })
}

func FuzzParseJSON(f *testing.F) {
	for _, data := range newRepo().objects {
		f.Add(data)
	}
	for _, s := range []string{
		`{"a":[1,-2,true,false,null,"x\u00e9\ud83d\ude00\n\"\\"],"A":{}}`, `{"a":1,"\u0061":2}`, `"\ud800"`,
		"\"\xff\"", `1e2`, `-0`,
		`9007199254740993`, `[[[[[]]]]]`, "\ufeff{}", ` {} x`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		n, err := parseJSON(data)
		if err != nil {
			return
		}
		// Others read the same value.
		var want any
		if err := json.Unmarshal(data, &want); err != nil {
			t.Fatalf("accepted, but encoding/json says: %v", err)
		}
		if got := toAny(n); !reflect.DeepEqual(got, want) {
			t.Fatalf("parsed as %v, by encoding/json as %v", got, want)
		}
		// Others sign the same bytes.
		canonical := appendCanonical(nil, n)
		theirs, err := cjson.EncodeCanonical(json.RawMessage(data))
		if err != nil {
			t.Fatalf("accepted, but cjson says: %v", err)
		}
		if !bytes.Equal(canonical, theirs) {
			t.Fatalf("canonical form is %q, by cjson %q", canonical, theirs)
		}
		// The canonical form is a fixed point.
		if hasControls(canonical) {
			return
		}
		again, err := parseJSON(canonical)
		if err != nil {
			t.Fatalf("the canonical form %q is refused: %v", canonical, err)
		}
		if !bytes.Equal(appendCanonical(nil, again), canonical) {
			t.Fatalf("the canonical form of %q is another", canonical)
		}
	})
}

func TestLimitsOfIntegers(t *testing.T) {
	for _, i := range []int64{math.MaxInt64, math.MinInt64, maxInteger + 1, -maxInteger - 1} {
		if _, err := parseJSON(fmt.Append(nil, i)); err == nil {
			t.Errorf("%d is accepted", i)
		}
	}
}
