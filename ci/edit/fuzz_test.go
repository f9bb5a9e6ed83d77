package edit_test

import (
	"reflect"
	"testing"
	"testing/fstest"

	"github.com/serin-flags/serin/ci"
	"github.com/serin-flags/serin/ci/edit"
	"github.com/serin-flags/serin/evaluator"
)

// FuzzApply makes an arbitrary edit of an arbitrary file. It must not panic, and what
// the flag then means must be what it meant, except for what the edit is about.
func FuzzApply(f *testing.F) {
	for _, text := range []string{
		"type: boolean\ndefault: off\nrules:\n  - {name: a, serve: {on: 10%, off: 90%}}\n  # b\n  - name: b\n    serve: on",
		"# x\r\ntype: string\r\nenabled: false # y\r\nvariants:\r\n  a: |\r\n    x\r\n\r\n  b: 'it''s'\r\ndefault: a\r\n",
		"{\"type\": \"boolean\", \"default\": \"off\",\n \"environments\": {\"staging\": {\"enabled\": false}}}\n",
		"\ufefftype: object\nvariants: {a: [1, \"[\", {b: c}], b: {}} # z\ndefault: a\nexpires: 2030-01-01\ndescription: a\n  b\n",
	} {
		for _, e := range []string{"disable x", "enable x in staging", "serve x 'b'", "share x a on=20%",
			"remove rule x b", "expire x 2031-01-01", "expire x never", "step x a 50% after=1h",
			"add 1 to segments/s"} {
			f.Add(text, e)
		}
	}
	f.Fuzz(func(t *testing.T, text, line string) {
		fsys := fstest.MapFS{
			"serin.yaml":      {Data: []byte("environments: [production, staging]\n")},
			"context.yaml":    {Data: []byte("attributes: {user: {type: string, unit: true}}\n")},
			"segments/s.yaml": {Data: []byte(text)},
			"shop/x.yaml":     {Data: []byte(text)},
		}
		if _, err := ci.LoadFS(fsys, "flags"); err != nil {
			delete(fsys, "segments/s.yaml") // the same text is rarely both
		}
		e, err := edit.Parse(line)
		if err != nil {
			return
		}
		r, err := edit.Apply(fsys, "flags", []edit.Edit{e})
		if err != nil {
			return
		}
		for _, env := range []string{"", "production", "staging"} {
			was, err := r.Old.Effective("x", env)
			if err != nil {
				t.Fatal(err)
			}
			is, err := r.New.Effective("x", env)
			if err != nil {
				t.Fatal(err)
			}
			if a, b := rest(was.Compiled, line), rest(is.Compiled, line); !reflect.DeepEqual(a, b) {
				t.Errorf("%s made\n%+v\nof\n%+v", line, b, a)
			}
		}
	})
}

// rest returns what an edit isn't about.
func rest(f evaluator.Flag, line string) evaluator.Flag {
	if len(line) < 5 {
		return f
	}
	switch line[:5] {
	case "enabl", "disab":
		f.Disabled = false
	case "serve":
		f.Default, f.Off = 0, 0
		if f.Type == evaluator.KindString {
			return evaluator.Flag{} // its variants may be those that it serves, in their order
		}
	case "share", "remov", "step ":
		return evaluator.Flag{Type: f.Type, Disabled: f.Disabled}
	}
	return f
}
