package bundle

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/tinylib/msgp/msgp"
)

// TestPublic holds that payloads carry whether anybody may read the flags: in format 2, as
// no feature, and in nothing but the label.
func TestPublic(t *testing.T) {
	p := everything()
	private, _, err := EncodePayload(p)
	if err != nil {
		t.Fatal(err)
	}
	p.Public = true
	public, _, err := EncodePayload(p)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		data   []byte
		format int
		public bool
	}{{private, 1, false}, {public, 2, true}} {
		if l, err := ReadLabel(test.data); err != nil || l.Format != test.format || len(l.Features) > 0 ||
			l.Public != test.public {
			t.Errorf("the label is %+v, %v", l, err)
		}
		if compiled, err := CompilePayload(test.data); err != nil || compiled.Public != test.public {
			t.Errorf("compiled, public is %v, %v", compiled.Public, err)
		}
	}
	got, err := DecodePayload(public)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(p, got, compareValues); diff != "" {
		t.Errorf("payload changed on the way (-want +got):\n%s", diff)
	}
	want, err := Fingerprints(private)
	if err != nil {
		t.Fatal(err)
	}
	if prints, err := Fingerprints(public); err != nil || !cmp.Equal(want, prints) {
		t.Errorf("answers depend on it: %v", err)
	}
}

// TestLabelPublic holds that what a label may say of itself is true or false, and that lists
// can be in front of it or behind it.
func TestLabelPublic(t *testing.T) {
	list := strings.Repeat("ab", 32)
	with := func(value []byte) []byte {
		l := label{format: format2, environment: "production", namespace: "a", features: []string{featureLists},
			lists: []string{list}}
		b := l.marshal()
		b[strings.Index(string(b), "columns")+len("columns")]++ // entries
		return append(msgp.AppendString(b, "public"), value...)
	}
	for _, want := range []bool{false, true} {
		var got label
		if err := got.unmarshal(with(msgp.AppendBool(nil, want))); err != nil || got.public != want ||
			len(got.lists) != 1 {
			t.Errorf("%v: read %+v, %v", want, got, err)
		}
	}
	if err := new(label).unmarshal(with(msgp.AppendInt(nil, 1))); err == nil {
		t.Error("1 was read as true or false")
	}
}
