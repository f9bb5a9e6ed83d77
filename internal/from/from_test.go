package from

import (
	"slices"
	"strings"
	"testing"
	"time"
)

func TestRoundTrip(t *testing.T) {
	sources := []Source{
		{Kind: Query, Name: "city"}, {Kind: Header, Name: "Cloudfront-Viewer-City", Trusted: true}, {Kind: Header, Name: "Location"},
		{Kind: Cookie, Name: "seat", Issue: 180 * 24 * time.Hour}, {Kind: Cookie, Name: "theme"},
		{Kind: UserAgent, Name: "platform"}, {Kind: Claim, Name: "https://shop.example/plan"}, {Kind: ClientIP}, {Kind: Path},
	}
	text := Text(sources)
	const want = `[{"query":"city"},{"header":"Cloudfront-Viewer-City","trusted":true},{"header":"Location"},` +
		`{"cookie":"seat","issue":15552000},{"cookie":"theme"},{"user_agent":"platform"},{"claim":"https://shop.example/plan"},{"client_ip":true},{"path":true}]`
	if text != want {
		t.Errorf("text is %s", text)
	}
	got, err := Parse(text)
	if err != nil || !slices.Equal(got, sources) {
		t.Errorf("read %+v, %v", got, err)
	}
	if got, err := Parse(Text(nil)); got != nil || err != nil {
		t.Errorf("none: read %+v, %v", got, err)
	}
}

func TestParseRefuses(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		{`{}`, "cannot unmarshal"},
		{`[{}]`, "a source has one place"},
		{`[{"query":"a","cookie":"a"}]`, "a source has one place"},
		{`[{"moon":"full"}]`, "unknown field"},
		{`[{"claim":"sub","trusted":true}]`, "only a header can be trusted"},
		{`[{"claim":"sub","query":"a"}]`, "a source has one place"},
		{`[{"query":"a","trusted":true}]`, "only a header can be trusted"},
		{`[{"header":"X-Uid","issue":5}]`, "only a cookie"},
		{`[{"query":"a","issue":5}]`, "only a cookie can be issued"},
		{`[{"cookie":"a","issue":-5}]`, "at most 400 days"},
		{`[{"cookie":"a","issue":9223372036854775807}]`, "at most 400 days"},
		{`[{"cookie":"a b"}]`, "not a name of a cookie"},
		{`[{"user_agent":"colour"}]`, "not a field of user agents"},
		{`[{"header":"x-uid"}]`, "canonical form"},
		{`[{"header":"X-Forwarded-For"}]`, "client_ip"},
		{`[{"header":"X-Forwarded-Host"}]`, "path and query"},
		{`[{"header":"X-Serin-Variant"}]`, "part of the answer"},
		{`[{"header":"Cookie"}]`, "{cookie: name}"},
		{`[{"header":"Authorization"}]`, "{claim: sub}"},
		{`[{"header":"X-Api-Key"}]`, "secrets"},
		{`[` + strings.Repeat(`{"path":true},`, 10) + `{"path":true}]`, "more than 10"},
		{` []`, "canonical form"},
		{`[{"query":"` + strings.Repeat("q", 201) + `"}]`, "more than 200"},
	} {
		got, err := Parse(test.text)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: read %+v, %v; want an error with %q", test.text, got, err, test.want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(`[{"query":"city"},{"header":"X","trusted":true},{"cookie":"seat","issue":60},{"client_ip":true}]`)
	f.Fuzz(func(t *testing.T, text string) {
		sources, err := Parse(text)
		if err != nil {
			return
		}
		if Text(sources) != text {
			t.Errorf("%q was read, but is written as %q", text, Text(sources))
		}
		for _, s := range sources {
			if err := s.Check(); err != nil {
				t.Errorf("%q was read with %+v: %v", text, s, err)
			}
		}
	})
}
