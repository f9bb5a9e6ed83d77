package importer_test

import (
	"regexp"
	"testing"

	"github.com/serin-flags/serin/ci/importer"
)

// TestFromJavaScript holds what expressions of JavaScript match in RE2's syntax, and which are
// refused.
func TestFromJavaScript(t *testing.T) {
	for _, test := range []struct {
		expression, text string
		want             bool
	}{
		{`^a\s+b$`, "a\u00a0\ufeffb", true}, {`^[\s,]+$`, ", \u2003", true}, {`^\S$`, "\u3000", false}, {`^\d{2}\.\w$`, "12.x", true},
		{`[[a]b`, "[b", true}, {`\/x|\-`, "/x", true}, {`(?:a|b)\b`, "b", true},
	} {
		translated, err := importer.FromJavaScript(test.expression, "at")
		if err != nil {
			t.Errorf("%s: %v", test.expression, err)
			continue
		}
		if got := regexp.MustCompile(translated).MatchString(test.text); got != test.want {
			t.Errorf("%s, as %s, matches %q: %v", test.expression, translated, test.text, got)
		}
	}
	for _, bad := range []string{`\Aa`, `a\z`, `\p{L}`, `\x41`, `(?=a)`, `(?i)a`, `(?<n>a)`, `[]`, `[^]a`, `[\b]`,
		`[\S]`, `\1`, `\Qa`} {
		if translated, err := importer.FromJavaScript(bad, "at"); err == nil {
			t.Errorf("%s is accepted, as %s", bad, translated)
		}
	}
}
