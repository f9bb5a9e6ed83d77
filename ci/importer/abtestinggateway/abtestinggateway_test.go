package abtestinggateway

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/serin-flags/serin/ci/importer"
	"github.com/serin-flags/serin/ci/importer/internal/importtest"
)

// TestRefusals holds what is refused, and that the reason names the place.
func TestRefusals(t *testing.T) {
	one := func(typ, data string) string { return fmt.Sprintf(`{"divtype":%q,"divdata":%s}`, typ, data) }
	for _, test := range []struct{ in, place, reason string }{
		{``, "", "empty"},
		{`{}`, "", "the group is empty"},
		{`[]`, "line 1", "array"},
		{`{"1":{"divtype":"url","divdata":[]},"3":{}}`, "3", "without gaps"},
		{`{"x":{}}`, "x", "without gaps"},
		{one("uidsuffix", `[]`), "divdata", "empty"},
		{one("iprange", `[]`), "divdata", "empty"},
		{one("nonsense", `[{"upstream":"a"}]`), "divtype", `unknown type of policy "nonsense"`},
		{`{"divdata":[]}`, "divtype", "no type"},
		{one("uidsuffix", `[{"suffix":"10","upstream":"a"}]`), "divdata[0].suffix", "one digit"},
		{one("uidsuffix", `[{"suffix":"01","upstream":"a"}]`), "divdata[0].suffix", "one digit"},
		{one("uidsuffix", `[{"suffix":-1,"upstream":"a"}]`), "divdata[0].suffix", "one digit"},
		{one("uidsuffix", `[{"suffix":"x","upstream":"a"}]`), "divdata[0].suffix", "one digit"},
		{one("uidsuffix", `[{"suffix":"1","upstream":"a"},{"suffix":1,"upstream":"b"}]`), "divdata[1].suffix", `"1" has the upstream "a" already`},
		{one("uidsuffix", `[{"suffix":"1"}]`), "divdata[0].upstream", "expected a text"},
		{one("uidrange", `[{"range":{"start":5,"end":4},"upstream":"a"}]`), "divdata[0].range", "inverted"},
		{one("uidrange", `[{"range":{"start":1,"end":5},"upstream":"a"},{"range":{"start":5,"end":9},"upstream":"b"}]`), "divdata[1].range", "overlaps the one in divdata[0].range"},
		{one("uidrange", `[{"range":{"start":1,"end":9007199254740993},"upstream":"a"}]`), "divdata[0].range.end", "beyond 2^53"},
		{one("uidrange", `[{"range":{"start":1.5,"end":3},"upstream":"a"}]`), "divdata[0].range.start", "expected an integer"},
		{one("uidrange", `[{"upstream":"a"}]`), "divdata[0].range", "missing"},
		{one("iprange", `[{"range":{"start":1,"end":4294967296},"upstream":"a"}]`), "divdata[0].range.end", "no IPv4 address"},
		{one("iprange", `[{"range":{"start":"010.0.0.1","end":"010.0.0.9"},"upstream":"a"}]`), "divdata[0].range.start", "octal"},
		{one("iprange", `[{"range":{"start":"10.0.0.1","end":"10.0.0.9"},"upstream":"a"}]`), "divdata[0].range.start", "is an address"},
		{one("uidappoint", `[{"uidset":[],"upstream":"a"}]`), "divdata[0].uidset", "empty"},
		{one("uidappoint", `[{"uidset":[1,"x"],"upstream":"a"}]`), "divdata[0].uidset[1]", "expected an integer"},
		{one("uidappoint", `[{"uidset":["030"],"upstream":"a"}]`), "divdata[0].uidset[0]", "leading zero"},
		{one("uidappoint", `[{"uidset":[1],"upstream":"a"},{"uidset":[1],"upstream":"b"}]`), "divdata[1].uidset[0]", "already"},
		{one("uidappoint", `[{"uidset":[12345678901234567890],"upstream":"a"}]`), "divdata[0].uidset[0]", "beyond 2^53"},
		{one("uidappoint", `[{"uidset":[123456789012345],"upstream":"a"}]`), "divdata[0].uidset[0]", "rounded"},
		{one("arg_city", `[{"city":"","upstream":"a"}]`), "divdata[0].city", "expected a text"},
		{one("url", `[{"url":"/a","upstream":"a"},{"url":"/a","upstream":"b"}]`), "divdata[1].url", "already"},
		{`{"1":{"divtype":"uidsuffix","divdata":[{"suffix":"x","upstream":"a"}]}}`, "1.divdata[0].suffix", "one digit"},
	} {
		_, err := Read([]byte(test.in), importer.Options{})
		var refusal *importer.Refusal
		if !errors.As(err, &refusal) || !strings.HasPrefix(refusal.Place, test.place) ||
			!strings.Contains(refusal.Reason, test.reason) {
			t.Errorf("%s: %v, not %s: %s", test.in, err, test.place, test.reason)
		}
	}
}

// TestDecisions replays testdata/decisions.jsonl, which an independent model of the gateway's
// documented rules computed, and checks what the notes of its real decisions say.
func TestDecisions(t *testing.T) {
	data, err := os.ReadFile("testdata/decisions.json")
	if err != nil {
		t.Fatal(err)
	}
	var groups []struct {
		Policy json.RawMessage `json:"policy"`
		Cases  []struct {
			Context map[string]any `json:"context"`
			Value   string         `json:"value"`
		} `json:"cases"`
	}
	if err := json.Unmarshal(data, &groups); err != nil {
		t.Fatal(err)
	}
	n := 0
	for i, g := range groups {
		imp, err := Read(g.Policy, importer.Options{})
		if err != nil {
			t.Fatal(err)
		}
		folder := importtest.Import(t, imp)
		for _, c := range g.Cases {
			result, ok := folder.Ask(t, "route", c.Context, time.Unix(0, 0))
			if got, _ := result.Value().Text(); !ok || got != c.Value {
				t.Errorf("policy %d: %v is %q, not %q", i, c.Context, got, c.Value)
			}
			n++
		}
	}
	if n < 200 {
		t.Errorf("only %d decisions", n)
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(`{"divtype":"uidsuffix","divdata":[{"suffix":"1","upstream":"beta1"}]}`))
	f.Add([]byte(`{"1":{"divtype":"uidappoint","divdata":[{"uidset":[1234],"upstream":"beta1"}]},"2":{"divtype":"iprange","divdata":[{"range":{"start":1111,"end":2222},"upstream":"beta1"}]}}`))
	f.Add([]byte(`{"divtype":"url","divdata":[{"url":"/a b","upstream":"a|b"}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		imp, err := Read(data, importer.Options{})
		if err != nil {
			return
		}
		importtest.Import(t, imp)
	})
}
