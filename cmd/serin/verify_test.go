package main

import (
	"strings"
	"testing"

	"github.com/serin-flags/serin/bundle"
	"github.com/serin-flags/serin/evaluator"
)

// TestVerifyCompiles holds that a payload that is signed but damaged, and one that
// doesn't go with another, are refused by verify as they are by clients.
func TestVerifyCompiles(t *testing.T) {
	payload := func(namespace string) bundle.VerifiedPayload {
		data, _, err := bundle.EncodePayload(bundle.Payload{Environment: "production", Namespace: namespace,
			Ruleset: evaluator.Ruleset{
				Unit: "user", Attributes: []evaluator.Attribute{{Name: "user", Type: evaluator.AttrString}},
				Flags: []evaluator.Flag{{Key: "flag", Type: evaluator.KindBool,
					Variants: []evaluator.Variant{{Name: "on", Value: evaluator.BoolValue(true)}}}},
			}})
		if err != nil {
			t.Fatal(err)
		}
		return bundle.VerifiedPayload{Namespace: namespace, Data: data}
	}
	good, damaged := payload("shop"), payload("cart")
	damaged.Data = damaged.Data[:len(damaged.Data)-9]
	for _, test := range []struct {
		payloads []bundle.VerifiedPayload
		want     string // "": nothing is wrong
	}{
		{nil, ""},
		{[]bundle.VerifiedPayload{good}, ""},
		{[]bundle.VerifiedPayload{good, damaged}, "cart is signed, but clients refuse it: decoding payload"},
		{[]bundle.VerifiedPayload{good, payload("cart")}, `the key "flag" is not unique`},
	} {
		err := checkPayloads(test.payloads)
		if test.want == "" && err != nil ||
			test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("%d payloads: got error %v, want one with %q", len(test.payloads), err, test.want)
		}
	}
}
