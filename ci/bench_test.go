package ci

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// benchFlags is how many flags the benchmark's estate has.
const benchFlags = 10_000

// BenchmarkCheck reads, checks and lints an estate of 10,000 flags, as "serin
// check" does. peak-MB is the most memory that the process has had.
func BenchmarkCheck(b *testing.B) {
	dir := b.TempDir()
	writeEstate(b, dir, benchFlags)
	for b.Loop() {
		e, err := Load(dir)
		if err != nil {
			b.Fatal(err)
		}
		if warnings := e.Lint(LintOptions{Now: lintTime}); len(warnings) > 0 {
			b.Fatal(warnings[0])
		}
	}
	b.ReportMetric(peakMB(b), "peak-MB")
}

// writeEstate writes an estate with rules as people write them.
func writeEstate(tb testing.TB, dir string, flags int) {
	tb.Helper()
	write := func(name, text string) {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			tb.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
			tb.Fatal(err)
		}
	}
	write("serin.yaml", "environments: [production, staging]\npublic: true\n")
	write("context.yaml", `attributes:
  user: {type: string, unit: true}
  device: {type: string, unit: true}
  city: {type: string}
  channel: {type: string, enum: [appstore, huawei, xiaomi, web]}
  uid: {type: integer}
  app_version: {type: semver}
  ip: {type: ip}
`)
	const segments = 100
	for i := range segments {
		write(fmt.Sprintf("segments/team-%d.yaml", i),
			fmt.Sprintf("include: [u-%d, u-%d]\nwhen: {city: office-%d}\n", i, i+1, i))
	}
	for i := range flags {
		var rules strings.Builder
		for j := range i % 5 {
			fmt.Fprintf(&rules, "  - name: office %d\n    when: {city: [city-%d, town-%d], app_version: {semver: \">=%d.%d.0\"}}\n    serve: {on: %d%%, off: rest}\n", j, j, i, j+1, i%10, 5*j+1)
		}
		write(fmt.Sprintf("area-%d/flag-%d.yaml", i/50, i), fmt.Sprintf(`# What the flag is for.
description: The new way of doing thing %d
owner: team-%d
expires: 2030-06-30
type: boolean
default: off
rules:
  - name: staff
    when: {user: {segment: team-%d}}
    serve: on
  - name: testers in the network
    when:
      any:
        - ip: {cidr: [10.%d.0.0/16, "2001:db8:%x::/48"]}
        - uid: {from: %d, to: %d}
    serve: on
  - name: stores
    when: {channel: [appstore, huawei], not: {city: [town-%d, town-%d]}}
    serve: {on: 20%%, off: 80%%}
    by: device
%s  - name: ramp
    serve:
      ramp: on
      steps:
        - {at: 2030-12-01T02:00:00Z, to: 1%%}
        - {at: 2030-12-02T02:00:00Z, to: 10%%}
environments:
  staging: {default: on, rules: []}
`, i, i%40, i%segments, i%256, i, 1000*i, 1000*i+500, i, i+1, rules.String()))
	}
}
