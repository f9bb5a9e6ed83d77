package bundle

import (
	"bytes"
	"compress/gzip"
	"encoding/hex"
	"io"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/serin-flags/serin/evaluator"
	"github.com/tinylib/msgp/msgp"
)

// TestDocumentedPayload holds that the payload that the package documentation shows
// is the one that it describes.
func TestDocumentedPayload(t *testing.T) {
	data, _, err := EncodePayload(Payload{Environment: "production", Namespace: "shop", Ruleset: evaluator.Ruleset{
		Unit:       "user",
		Attributes: []evaluator.Attribute{{Name: "user", Type: evaluator.AttrString}},
		Flags: []evaluator.Flag{{
			Key: "new-cart", Type: evaluator.KindBool,
			Variants: []evaluator.Variant{{Name: "off", Value: evaluator.BoolValue(false)},
				{Name: "on", Value: evaluator.BoolValue(true)}},
			Rules: []evaluator.Rule{{Name: "half", Split: &evaluator.Split{
				Bucketing: evaluator.Bucketing{By: "user", Salt: "new-cart", Hash: "unleash"},
				Ranges:    []evaluator.Range{{To: 50, Variant: 1}, {From: 50, To: 100, Variant: 0}},
			}}},
		}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	zr, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(zr)
	if err != nil {
		t.Fatal(err)
	}
	if want := documentedPayload(t); !bytes.Equal(got, want) {
		t.Errorf("the payload is\n%s, the documented one is\n%s", hex.Dump(got), hex.Dump(want))
	}
}

// documentedPayload returns the bytes that the package documentation shows.
func documentedPayload(t *testing.T) (b []byte) {
	doc, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	_, example, _ := strings.Cut(string(doc), "quotes are MessagePack strings.\n")
	example, _, ok := strings.Cut(example, "// # Metadata")
	if !ok {
		t.Fatal("doc.go shows no payload")
	}
	line := regexp.MustCompile(`^//\t((?:"[^"]*"|[0-9a-f]{2})(?: (?:"[^"]*"|[0-9a-f]{2}))*)(?:   .*)?$`)
	token := regexp.MustCompile(`"[^"]*"|[0-9a-f]{2}`)
	for text := range strings.Lines(example) {
		m := line.FindStringSubmatch(strings.TrimSuffix(text, "\n"))
		if m == nil {
			continue // empty, or words only
		}
		for _, tok := range token.FindAllString(m[1], -1) {
			if quoted, ok := strings.CutPrefix(tok, `"`); ok {
				b = msgp.AppendString(b, strings.TrimSuffix(quoted, `"`))
				continue
			}
			c, err := hex.DecodeString(tok)
			if err != nil {
				t.Fatal(err)
			}
			b = append(b, c...)
		}
	}
	return b
}
