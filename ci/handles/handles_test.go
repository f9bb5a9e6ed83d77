package handles_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/serin-flags/serin"
	"github.com/serin-flags/serin/ci"
	"github.com/serin-flags/serin/ci/handles"
)

// module writes a module that requires this one, with these files, and returns its folder.
func module(t *testing.T, files map[string]string) string {
	t.Helper()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	mod, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	sum, err := os.ReadFile(filepath.Join(root, "go.sum"))
	if err != nil {
		t.Fatal(err)
	}
	const name = "github.com/serin-flags/serin"
	_, requirements, _ := strings.Cut(string(mod), "\n")
	dir := t.TempDir()
	for file, text := range files {
		write(t, filepath.Join(dir, file), text)
	}
	write(t, filepath.Join(dir, "go.mod"), "module shop\n"+requirements+"\nrequire "+name+" v0.0.0\n\nreplace "+name+
		" => "+root+"\n")
	write(t, filepath.Join(dir, "go.sum"), string(sum))
	t.Setenv("GOWORK", "off")
	t.Setenv("GOFLAGS", "-mod=readonly -trimpath") // as everything else is compiled
	return dir
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// estate is what the code of the tests is compared with.
func estate(t *testing.T) *ci.Estate {
	t.Helper()
	const boolean = "type: boolean\ndefault: off\n"
	e, err := ci.LoadFS(fstest.MapFS{
		"serin.yaml":         {Data: []byte("environments: [production]\npublic: [web]\n")},
		"context.yaml":       {Data: []byte("attributes:\n  user: {type: string, unit: true}\n")},
		"shop/new-cart.yaml": {Data: []byte(boolean)},
		"shop/old-cart.yaml": {Data: []byte(boolean)},
		"shop/asked.yaml":    {Data: []byte(boolean)},
		"shop/asking.yaml": {Data: []byte(boolean +
			"rules:\n  - {name: a, when: {flag: {asked: on}}, serve: on}\n")},
		"shop/color.yaml": {Data: []byte(
			"type: string\nvariants: {a: red, b: green}\ndefault: a\nenvironments:\n  production: {variants: {a: red, b: blue}}\n")},
		"shop/limit.yaml":     {Data: []byte("type: integer\nvariants: {a: 1}\ndefault: a\n")},
		"shop/weights.yaml":   {Data: []byte("type: object\nvariants: {a: {x: 1}}\ndefault: a\n")},
		"shop/declared.yaml":  {Data: []byte(boolean)},
		"shop/elsewhere.yaml": {Data: []byte(boolean)},
		"web/banner.yaml":     {Data: []byte(boolean)},
	}, "flags")
	if err != nil {
		t.Fatal(err)
	}
	return e
}

const shopCode = `package shop

import (
	"context"

	"github.com/open-feature/go-sdk/openfeature"
	toggles "github.com/serin-flags/serin/sdk"
)

const prefix = "new-"

var (
	NewCart  = toggles.Bool(prefix+"cart", false)
	declared = toggles.Bool("declared", false)
	Color    = (toggles.String("color", "blue"))
	/* ä€ */ _ = toggles.String("color", "gren")
)

type limits struct{}

func use(c *toggles.Client, of *openfeature.Client, keys []string) {
	toggles.Float("limit", 1).Get(c, toggles.User("u"))
	toggles.Int("new-cart", 1).Get(c, toggles.User("u"))
	toggles.JSON("weights", limits{}).Get(c, toggles.User("u"))
	Color.Get(c, toggles.User("u"))
	c.Evaluate("asking", toggles.User("u"))
	c.Snapshot().Explain("old-card", toggles.User("u"))
	for _, key := range keys {
		c.Evaluate(key, toggles.User("u"))
	}
	of.Boolean(context.Background(), "color", false, openfeature.EvaluationContext{})
	_, _ = of.BooleanValue(context.Background(), "old-cart", false, openfeature.EvaluationContext{})
}
`

const otherCode = `package other

import "shop"

var _ = shop.NewCart.Key()
`

const want = `DIR/shop.go:16:30: warning: the default "gren" is a text that flag "color" never serves (did you mean "green"?) [odd-default]
DIR/shop.go:23:14: sdk.Int reads flag "new-cart" as type integer, but it is of type boolean: use sdk.Bool
DIR/shop.go:27:23: there is no flag "old-card" (did you mean "old-cart"?)
DIR/shop.go:29:14: warning: the key that sdk.Client.Evaluate takes here isn't a constant, so it isn't known which flags are read [dynamic-key]
DIR/shop.go:31:35: openfeature.Client.Boolean reads flag "color" as type boolean, but it is of type string: use sdk.String
flags/shop/declared.yaml:1:1: warning: no code reads flag "declared": nothing uses its handle shop.declared, in DIR/shop.go:14 [unread-flag]
flags/shop/elsewhere.yaml:1:1: warning: no code reads flag "elsewhere" by a constant key [unread-flag]
`

// TestJudge compares code that has every mistake with flags.
func TestJudge(t *testing.T) {
	dir := module(t, map[string]string{"shop.go": shopCode, "other/other.go": otherCode})
	code, err := handles.Find(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	wrong, warnings, err := code.Judge(estate(t))
	if err != nil {
		t.Fatal(err)
	}
	all := append(wrong, warnings...)
	all.Sort()
	if got := strings.ReplaceAll(all.Error()+"\n", dir, "DIR"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	for _, p := range all {
		if p.File[0] == '/' && p.Caret == 0 {
			t.Errorf("%v quotes nothing", p)
		}
	}
	if rule := wrong[0].Lint; rule != handles.OtherType {
		t.Errorf("%v is about %s", wrong[0], rule)
	}
	if rule := wrong[1].Lint; rule != handles.MissingFlag {
		t.Errorf("%v is about %s", wrong[1], rule)
	}
}

// TestExamples holds that this repository's own examples read its flags as they are.
func TestExamples(t *testing.T) {
	code, err := handles.Find(t.Context(), "../../sdk/examples")
	if err != nil {
		t.Fatal(err)
	}
	sub, err := fs.Sub(serin.Estate, "flags")
	if err != nil {
		t.Fatal(err)
	}
	e, err := ci.LoadFS(sub, "flags")
	if err != nil {
		t.Fatal(err)
	}
	wrong, warnings, err := code.Judge(e)
	if err != nil || len(wrong) > 0 {
		t.Errorf("%v, %v", wrong, err)
	}
	var got []string
	for _, r := range code.Reads {
		got = append(got, fmt.Sprintf("%s %s %v %s", filepath.Base(filepath.Dir(r.File)), r.Key, r.Type, r.Handle))
	}
	for _, want := range []string{
		"web new-checkout boolean web.newCheckout", "web payment-methods object web.paymentMethods",
		"function retention-days integer function.retention", "release search-index string release.searchIndex",
	} {
		if !slices.Contains(got, want) {
			t.Errorf("no %q in %q", want, got)
		}
	}
	unread := func(key string) bool {
		return slices.ContainsFunc(warnings, func(p ci.Problem) bool {
			return strings.Contains(p.Message, "no code reads flag \""+key+"\"")
		})
	}
	if unread("new-checkout") || unread("canary-weight") || !unread("cart-limit") {
		t.Errorf("wrong flags are unread: %v", warnings)
	}
}

// TestBroken holds that errors of code are reported at their places.
func TestBroken(t *testing.T) {
	for _, c := range []struct {
		files map[string]string
		want  string
	}{
		{map[string]string{"a/a.go": "package a\n\nfunc f() { ä, b := 1 }\n"}, "DIR/a/a.go:3:1"},
		{map[string]string{"a.go": "package a\n\nvar x = sdk.Bool(\"a\", false)\n"}, "DIR/a.go:3:9: undefined: sdk"},
		{map[string]string{"a.go": "package a\n\nimport _ \"example.com/none\"\n"}, ": cannot find module providing package example.com/none"},
		{map[string]string{"a.go": "package a\n\nfunc {\n"}, "DIR/a.go:3:6: "},
	} {
		dir := module(t, c.files)
		_, err := handles.Find(t.Context(), dir)
		var problems ci.Problems
		if !errors.As(err, &problems) || !strings.Contains(strings.ReplaceAll(err.Error(), dir, "DIR"), c.want) {
			t.Errorf("got %v, want %s", err, c.want)
		}
		if len(problems) != 1 && strings.HasPrefix(c.want, ": ") {
			t.Errorf("one mistake is %d problems: %v", len(problems), err)
		}
	}
	for dir, want := range map[string]string{
		filepath.Join(t.TempDir(), "none"): "no such file",
		"handles.go":                       "handles.go is a file; name a folder of Go code",
		module(t, nil):                     "there is no Go package in ",
	} {
		if _, err := handles.Find(t.Context(), dir); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", dir, err, want)
		}
	}
}
