package ci

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"
)

// TestFailures holds the messages of failing tests, and which tests those are.
func TestFailures(t *testing.T) {
	const path = "testdata/tests/failures.txtar"
	archive, err := txtar.ParseFile(path)
	if err != nil {
		t.Fatal(err)
	}
	e, err := LoadFS(scenario(t, archive), "flags")
	if err != nil {
		t.Fatal(err)
	}
	report := e.Test(TestOptions{})
	var out bytes.Buffer
	failed := 0
	for _, r := range report.Results {
		verdict := "pass"
		if !r.Passed() {
			verdict = "FAIL"
			failed++
		}
		fmt.Fprintf(&out, "%s %s/%s [%s] %s:%d:%d\n", verdict, r.Flag, r.Name, r.Environment, r.File, r.Line, r.Column)
	}
	if report.Failed() != failed {
		t.Errorf("Failed() = %d, want %d", report.Failed(), failed)
	}
	if err := report.Problems().Write(&out); err != nil {
		t.Fatal(err)
	}
	compareWant(t, path, archive, out.String())
}

// TestTestOptions holds which tests run where.
func TestTestOptions(t *testing.T) {
	fsys := base(t)
	fsys["checkout/new-checkout.test.yaml"] = file(`
- {name: anywhere, context: {user: u-1}, expect: {value: true}}
- {name: in staging, environment: staging, context: {user: u-1}, expect: {value: true}}
- {name: in production, environment: production, context: {user: u-1}, expect: {value: true}}
`)
	e, err := LoadFS(fsys, "flags")
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		opts TestOptions
		want []string
	}{
		{"all", TestOptions{}, []string{"anywhere@", "in staging@staging", "in production@production"}},
		{"staging", TestOptions{Environment: "staging"}, []string{"anywhere@staging", "in staging@staging"}},
		{"by name", TestOptions{Run: regexp.MustCompile("in ")}, []string{"in staging@staging", "in production@production"}},
		{"by flag", TestOptions{Run: regexp.MustCompile("^new-checkout/any")}, []string{"anywhere@"}},
		{"by flag and environment", TestOptions{Run: regexp.MustCompile("^new-checkout/"), Environment: "production"}, []string{"anywhere@production", "in production@production"}},
		{"none", TestOptions{Run: regexp.MustCompile("^old-checkout/")}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for _, r := range e.Test(tt.opts).Results {
				if !r.Passed() {
					t.Error(r.Failures)
				}
				got = append(got, r.Name+"@"+r.Environment)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
	report := e.Test(TestOptions{Environment: "stagging"})
	if len(report.Results) != 1 || report.Failed() != 1 {
		t.Fatalf("in an unknown environment: %+v, want one failure", report)
	}
	if got, want := report.Problems()[0].Message, `did you mean "staging"?`; !strings.Contains(got, want) {
		t.Errorf("got %q, want it to contain %q", got, want)
	}
}

// TestGivenFlagElsewhere holds what is said if a test pins a variant that the
// environment it runs in doesn't have.
func TestGivenFlagElsewhere(t *testing.T) {
	fsys := base(t)
	fsys["shop/other.yaml"] = file(`
type: string
variants: {a: A, b: B}
default: a
environments:
  staging: {variants: {a: A}}
`)
	fsys["shop/x.yaml"] = file(
		"type: boolean\ndefault: off\nrules: [{name: r, when: {flag: {other: b}}, serve: on}]\nenvironments: {staging: {rules: []}}\n")
	fsys["shop/x.test.yaml"] = file("- {name: t, given: {flags: {other: b}}, expect: {value: true}}\n")
	e, err := LoadFS(fsys, "flags")
	if err != nil {
		t.Fatal(err)
	}
	for environment, want := range map[string]string{
		"":           "",
		"production": "",
		"staging":    `flags/shop/x.test.yaml:1:10: flag "x", test "t": environment "staging": given: flag "other" has no variant "b" here`,
	} {
		if got := e.Test(TestOptions{Environment: environment}).Problems().Error(); got != want {
			t.Errorf("environment %q: got %q, want %q", environment, got, want)
		}
	}
}
