package ci

import (
	"testing"
	"testing/fstest"
)

// TestDisabledFlag holds that disabling a flag doesn't fail the tests of its rules, that
// tests can still hold it to be disabled, and that what neither the flag nor its rules do
// fails.
func TestDisabledFlag(t *testing.T) {
	estate, err := LoadFS(fstest.MapFS{
		"context.yaml": {Data: []byte("attributes: {user: {type: string, unit: true}}\n")},
		"shop/x.yaml": {Data: []byte(`type: boolean
enabled: false
default: off
rules:
  - {name: ada, when: {user: ada}, serve: on}
  - {name: half, serve: {on: 50%, off: 50%}}
`)},
		"shop/x.test.yaml": {Data: []byte(`- name: the rule
  context: {user: ada}
  expect: {value: true, rule: ada}
- name: the switch
  context: {user: ada}
  expect: {value: false, reason: DISABLED}
- name: the split
  population: {count: 1000}
  expect: {share: {on: 50%}, within: 5%}
- name: neither
  context: {user: ada}
  expect: {value: false, reason: DEFAULT}
`)},
	}, "flags")
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range estate.Test(TestOptions{}).Results {
		if want := r.Name != "neither"; r.Passed() != want {
			t.Errorf("%s: passed is %v: %v", r.Name, r.Passed(), r.Failures)
		}
	}
}
