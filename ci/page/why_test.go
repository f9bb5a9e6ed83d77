package page

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"
)

// TestWhy holds how answers read.
func TestWhy(t *testing.T) {
	v := newView(testModel(t), nil, testTime)
	var b strings.Builder
	for _, q := range []question{
		{Flag: "cart", Environment: "production", Context: json.RawMessage(`{"targetingKey": "hidden-id-1"}`)},
		{Flag: "cart", Environment: "production", Context: json.RawMessage(`{"targetingKey": "u-1", "city": "拉萨", "plan": "plus", "version": "x"}`)},
		{Flag: "cart", Environment: "staging"},
		{Flag: "ramp", Environment: "production", Context: json.RawMessage(`{"targetingKey": "u-1", "city": "hidden-city"}`)},
		{Flag: "new-index", Environment: "production", Context: json.RawMessage(`{}`)},
		{Flag: "hostile", Environment: "production", Context: json.RawMessage(`{"ip": "10.1.2.3"}`), At: testTime.Unix()},
		{Flag: "off", Environment: "production"},
	} {
		answer, err := v.answer(q)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "%s\n", answer.Answer)
		writeMoves(&b, answer.Steps, "  ")
	}
	golden(t, "why.golden", b.String())
}

func writeMoves(b *strings.Builder, moves []move, indent string) {
	for _, m := range moves {
		fmt.Fprintf(b, "%s%s: %s\n", indent, m.Mark, m.Text)
		writeMoves(b, m.Steps, indent+"  ")
	}
}

// TestAnswerWithoutScript holds that the form works without the script.
func TestAnswerWithoutScript(t *testing.T) {
	h := testHandler(t, testOptions(t))
	_, body := post(h, "flag/cart.html",
		url.Values{"environment": {"staging"}, "context": {`{"targetingKey": "u-9"}`}}, nil)
	for _, want := range []string{"cart serves on: the flag has no rules, so everyone gets its default.",
		`{&#34;targetingKey&#34;: &#34;u-9&#34;}`, "<option selected>staging"} {
		if !strings.Contains(body, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if _, body = post(h, "flag/cart.html", url.Values{"environment": {"nowhere"}, "context": {"{}"}},
		nil); !strings.Contains(body, "isn&#39;t in the environment") {
		t.Error("the page doesn't say that there is no such environment")
	}
}

// TestPicks holds which contexts are offered: those of tests only to who edits the files.
func TestPicks(t *testing.T) {
	o := testOptions(t)
	for _, live := range []bool{true, false} {
		o.Live = live
		_, body := get(t, testHandler(t, o), "flag/cart.html")
		if got := strings.Contains(body, `value="{&#34;user&#34;: &#34;hidden-id-1&#34;}"`); got != live {
			t.Errorf("live %t: the context of a test is offered: %t", live, got)
		}
		const blank = `{&#34;targetingKey&#34;: &#34;u-1&#34;, &#34;beta&#34;: true, &#34;city&#34;: &#34;&#34;, `
		if !strings.Contains(body, blank) {
			t.Errorf("live %t: no context with all attributes is offered:\n%s", live, body)
		}
	}
}

// FuzzWhy holds that no question makes the page fail.
func FuzzWhy(f *testing.F) {
	v := newView(testModel(f), nil, testTime)
	f.Add(`{"flag": "cart", "environment": "production", "context": {"targetingKey": "u-1"}}`)
	f.Add(`{"flag": "ramp", "environment": "staging", "context": {"city": ["x"]}, "at": -1}`)
	f.Add(`{"flag": "hostile", "environment": "production", "context": {"ip": "::", "tags": ["\u202e"]}}`)
	f.Fuzz(func(t *testing.T, text string) {
		var q question
		if json.Unmarshal([]byte(text), &q) != nil {
			return
		}
		if answer, err := v.answer(q); err == nil && answer.Answer == "" {
			t.Error("there is an empty answer")
		}
	})
}
