package ci

import (
	"fmt"
	"strings"
	"testing"
	"testing/fstest"
)

// manyTests returns an estate of 200 flags with 1,000 tests, of which 100 have a
// population of 100,000.
func manyTests(tb testing.TB) fstest.MapFS {
	tb.Helper()
	fsys := base(tb)
	for i := range 200 {
		name := fmt.Sprintf("team-%02d/feature-%03d", i%20, i)
		fsys[name+".yaml"] = file(`
description: Feature of the team
owner: team
type: boolean
default: off
rules:
  - name: staff
    when: {user: {segment: staff}}
    serve: on
  - name: not here
    when: {any: [{city: [beijing, shanghai]}, {not: {app_version: {semver: ">=2.3.0"}}}]}
    serve: off
  - name: beta
    when: {city: [shenzhen, guangzhou, SH], app_version: {semver: ">=2.3.0"}}
    serve: {on: 20%, off: 80%}
environments:
  staging: {default: on, rules: []}
`)
		var tests strings.Builder
		tests.WriteString(`
- name: staff
  given: {segments: {staff: [u-1]}}
  context: {user: u-1, city: SH}
  expect: {value: true, rule: staff}
- name: old versions
  context: {user: u-7, city: SH, app_version: 2.2.9}
  expect: {value: false, rule: not here, reason: TARGETING_MATCH}
- name: elsewhere
  context: {user: u-7, city: BJ, app_version: 2.3.0}
  expect: {value: false, reason: DEFAULT}
- name: staging
  environment: staging
  context: {user: u-7, city: BJ}
  expect: {value: true, reason: STATIC}
`)
		if i%2 == 0 {
			tests.WriteString(`
- name: a fifth of the beta
  population: {count: 100000, context: {city: SH, app_version: 2.4.0}}
  expect: {share: {on: 20%}, within: 0.5%}
`)
		} else {
			tests.WriteString(`
- name: the beta
  context: {user: u-8, city: SH, app_version: 2.4.0}
  expect: {rule: beta, reason: SPLIT}
`)
		}
		fsys[name+".test.yaml"] = file(tests.String())
	}
	return fsys
}

// BenchmarkTest runs 1,000 tests, as serin test does: files are read, checked
// and compiled each time.
func BenchmarkTest(b *testing.B) {
	fsys := manyTests(b)
	b.Run("load", func(b *testing.B) {
		for b.Loop() {
			if _, err := LoadFS(fsys, "flags"); err != nil {
				b.Fatal(err)
			}
		}
	})
	e, err := LoadFS(fsys, "flags")
	if err != nil {
		b.Fatal(err)
	}
	b.Run("run", func(b *testing.B) {
		for b.Loop() {
			report := e.Test(TestOptions{})
			if n := report.Failed(); n > 0 || len(report.Results) != 1000 {
				b.Fatalf("%d of %d failed: %v", n, len(report.Results), report.Problems()[0])
			}
		}
	})
}
