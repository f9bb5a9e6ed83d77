package ci_test

import (
	"regexp"
	"sync"
	"testing"
	"time"

	"github.com/serin-flags/serin/ci"
)

// TestConcurrentUse has several goroutines use one estate, which itself is read
// by several.
func TestConcurrentUse(t *testing.T) {
	e, err := ci.Load("../flags")
	if err != nil {
		t.Fatal(err)
	}
	some := ci.TestOptions{Run: regexp.MustCompile("^(new-checkout|guest-checkout|route-by-uid-tail)/")}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for _, p := range e.Lint(ci.LintOptions{Now: time.Now()}) {
				if p.Severity == ci.SeverityError {
					t.Error(p)
				}
			}
			if report := e.Test(some); report.Failed() > 0 {
				t.Error(report.Problems())
			}
			for _, environment := range e.Environments() {
				if _, err := e.Compile(environment); err != nil {
					t.Error(err)
				}
				for _, key := range e.Keys() {
					if f, err := e.Effective(key, environment); err != nil || f.YAML() == "" {
						t.Errorf("%s: %v", key, err)
					}
				}
			}
		})
	}
	wg.Wait()
}
