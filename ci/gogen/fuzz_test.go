package gogen_test

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"strconv"
	"testing"
	"testing/fstest"

	"github.com/serin-flags/serin/ci"
	"github.com/serin-flags/serin/ci/gogen"
)

// FuzzGenerate holds that texts of flag files can't become code: whatever they are, the file
// has the same declarations, and the default of the flag is the text itself.
func FuzzGenerate(f *testing.F) {
	f.Add("What it is.", "value")
	f.Add("*/ func init() {}\n\n//go:embed x", "`\" + f() + \"")
	f.Add("a\r\nb\u2028c\x00", "\u202e\\")
	f.Fuzz(func(t *testing.T, description, value string) {
		flag, err := json.Marshal(map[string]any{
			"description": description, "owner": description, "type": "string",
			"variants": map[string]string{"a": value}, "default": "a",
		})
		if err != nil {
			t.Fatal(err)
		}
		context, err := json.Marshal(map[string]any{"attributes": map[string]any{
			"user": map[string]any{"type": "string", "unit": true, "description": description},
			"x":    map[string]any{"type": "string", "description": description},
		}})
		if err != nil {
			t.Fatal(err)
		}
		estate, err := ci.LoadFS(fstest.MapFS{"context.json": {Data: context}, "shop/a.json": {Data: flag}}, "flags")
		if err != nil {
			return // such as a text that is too long
		}
		code, err := gogen.Generate(estate, gogen.Options{Package: "x"})
		if err != nil {
			t.Fatal(err)
		}
		file, err := parser.ParseFile(token.NewFileSet(), "x.go", code,
			parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			t.Fatalf("%v\n%s", err, code)
		}
		if len(file.Decls) != 7 || len(file.Imports) != 2 {
			t.Errorf("%d declarations\n%s", len(file.Decls), code)
		}
		call := file.Decls[1].(*ast.GenDecl).Specs[0].(*ast.ValueSpec).Values[0].(*ast.CallExpr)
		if got, err := strconv.Unquote(call.Args[1].(*ast.BasicLit).Value); err != nil || got != asJSON(value) {
			t.Errorf("the default is %q, %v, want %q", got, err, value)
		}
	})
}

// asJSON returns a text as JSON has it: with U+FFFD for what isn't valid.
func asJSON(s string) string {
	data, _ := json.Marshal(s)
	_ = json.Unmarshal(data, &s)
	return s
}
