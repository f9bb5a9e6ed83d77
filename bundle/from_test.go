package bundle

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestAttributeFrom holds that payloads carry where attributes come from, in format 2 and
// as no feature, and that it is no part of fingerprints.
func TestAttributeFrom(t *testing.T) {
	before := everything()
	p := everything()
	p.Ruleset.Attributes[1].From = `[{"query":"city"}]`
	p.Ruleset.Attributes[len(p.Ruleset.Attributes)-1].From = "anything\tbut a line break"
	data, _, err := EncodePayload(p)
	if err != nil {
		t.Fatal(err)
	}
	if l, err := ReadLabel(data); err != nil || l.Format != 2 || len(l.Features) > 0 {
		t.Errorf("the label is %+v, %v", l, err)
	}
	got, err := DecodePayload(data)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(p.Ruleset.Attributes, got.Ruleset.Attributes); diff != "" {
		t.Errorf("attributes (-want +got):\n%s", diff)
	}
	plain, _, err := EncodePayload(before)
	if err != nil {
		t.Fatal(err)
	}
	want, err := Fingerprints(plain)
	if err != nil {
		t.Fatal(err)
	}
	prints, err := Fingerprints(data)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, prints); diff != "" {
		t.Errorf("fingerprints (-want +got):\n%s", diff)
	}
	lines := strings.Repeat("\n", len(p.Ruleset.Attributes))
	for text, want := range map[string]string{
		"x": "fewer lines", lines[1:]: "fewer lines", lines + "x": "more lines", lines + "\n": "more lines",
		lines: "", "": "",
	} {
		w := encodeRuleset(&p.Ruleset)
		w.attributeFrom = []byte(text)
		l := labelOf(p)
		l.format = format2
		data, err := pack(l, w)
		if err != nil {
			t.Fatal(err)
		}
		_, err = DecodePayload(data)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%d lines: error %v, want %q", strings.Count(text, "\n"), err, want)
		}
	}
	p.Ruleset.Attributes[0].From = "two\nlines"
	if _, _, err := EncodePayload(p); err == nil {
		t.Error("a line break was encoded")
	}
}
