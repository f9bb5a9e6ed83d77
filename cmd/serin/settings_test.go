package main

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/tailscale/hujson"
)

const ourSettings = `{
  "yaml.schemas": {
    "flags/.schema/serin.json": "flags/serin.yaml",
    "flags/.schema/flag.json": ["flags/*/**/*.yaml", "!flags/layers/*.yaml"]
  }
}
`

// TestMergeSettings holds what becomes of settings that somebody has.
func TestMergeSettings(t *testing.T) {
	for name, test := range map[string]struct{ before, after string }{
		"nothing":    {" \n", ourSettings},
		"no members": {"{}\n", ourSettings},
		"comments": {`// For everyone.
{
	"editor.tabSize": 2, // as in gofmt
	/* soon: "a": 1 */
	"files.eol": "\n" // no \r
}
`, `// For everyone.
{
	"editor.tabSize": 2, // as in gofmt
	/* soon: "a": 1 */
	"files.eol": "\n", // no \r
	"yaml.schemas": {
    "flags/.schema/serin.json": "flags/serin.yaml",
    "flags/.schema/flag.json": ["flags/*/**/*.yaml", "!flags/layers/*.yaml"]
  }
}
`},
		"a comma at the end": {`{
  "a": 1,
  // the end
}`, `{
  "a": 1,
  // the end
  "yaml.schemas": {
    "flags/.schema/serin.json": "flags/serin.yaml",
    "flags/.schema/flag.json": ["flags/*/**/*.yaml", "!flags/layers/*.yaml"]
  },
}`},
		"other schemas": {`{"yaml.schemas": {"k8s.json": "deploy/*.yaml"}, "b": null}`, `{"yaml.schemas": {"k8s.json": "deploy/*.yaml",
    "flags/.schema/serin.json": "flags/serin.yaml",
    "flags/.schema/flag.json": ["flags/*/**/*.yaml", "!flags/layers/*.yaml"]
}, "b": null}`},
		"one of ours": {`{
  "yaml.schemas": {
    "flags/.schema/serin.json": ["mine.yaml"]
  }
}`, `{
  "yaml.schemas": {
    "flags/.schema/serin.json": ["mine.yaml"],
    "flags/.schema/flag.json": ["flags/*/**/*.yaml", "!flags/layers/*.yaml"]
  }
}`},
	} {
		got, err := mergeSettings([]byte(test.before), []byte(ourSettings))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if diff := cmp.Diff(test.after, string(got)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if again, err := mergeSettings(got, []byte(ourSettings)); err != nil || !bytes.Equal(again, got) {
			t.Errorf("%s: merged again: %v\n%s", name, err, again)
		}
	}
}

// TestMergeSettingsRefuses holds which settings can't be added to.
func TestMergeSettingsRefuses(t *testing.T) {
	for before, want := range map[string]string{
		"{\n  \"a\": 1\n  \"b\": 2\n}": "line 3, column 3",
		`["a"]`:                        "it doesn't contain an object",
		`{"yaml.schemas": true}`:       `"yaml.schemas" isn't an object`,
	} {
		got, err := mergeSettings([]byte(before), []byte(ourSettings))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %s, %v, not an error with %q", before, got, err, want)
		}
	}
}

// FuzzMergeSettings holds that all settings stay, and all comments.
func FuzzMergeSettings(f *testing.F) {
	for _, seed := range []string{
		"{}", "// a\n{ /* b */ \"a\": 1, // c\n}", `{"yaml.schemas": {}}`, `{"yaml.schemas": {"x": [1, 2,],},}`,
		`{"a": {"yaml.schemas": 1}}`, "{\"a\": 1 // b\n}", "{/**/}",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, before string) {
		after, err := mergeSettings([]byte(before), []byte(ourSettings))
		if err != nil || strings.TrimSpace(before) == "" {
			return
		}
		was, is := settingsOf(t, []byte(before)), settingsOf(t, after)
		for name, value := range was {
			if name != "yaml.schemas" && !reflect.DeepEqual(is[name], value) {
				t.Errorf("%q was %v and is %v", name, value, is[name])
			}
		}
		schemas, _ := was["yaml.schemas"].(map[string]any)
		all, ok := is["yaml.schemas"].(map[string]any)
		if !ok || len(all) < 2 {
			t.Fatalf("our settings are missing:\n%s", after)
		}
		for name, value := range schemas {
			if !reflect.DeepEqual(all[name], value) {
				t.Errorf("the schema %q was for %v and is for %v", name, value, all[name])
			}
		}
		for _, mark := range []string{"//", "/*"} {
			if strings.Count(string(after), mark) < strings.Count(before, mark) {
				t.Errorf("a comment is gone:\n%s", after)
			}
		}
	})
}

// settingsOf returns JSON with comments as Go values.
func settingsOf(t *testing.T, data []byte) (values map[string]any) {
	t.Helper()
	plain, err := hujson.Standardize(bytes.Clone(data))
	if err == nil {
		err = json.Unmarshal(plain, &values)
	}
	if err != nil {
		t.Fatalf("%v:\n%s", err, data)
	}
	return values
}
