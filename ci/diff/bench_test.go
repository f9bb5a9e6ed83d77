package diff_test

import (
	"bytes"
	"fmt"
	"testing"
	"testing/fstest"

	"github.com/serin-flags/serin/ci"
	"github.com/serin-flags/serin/ci/diff"
)

// manyFlags returns the files of 10,000 flags, of which the first so many have
// another condition, and all of which refer to one segment.
func manyFlags(changed int, staff string) fstest.MapFS {
	file := func(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text)} }
	fsys := fstest.MapFS{
		"serin.yaml": file("environments: [production, staging]\n"),
		"context.yaml": file(
			"attributes:\n  user: {type: string, unit: true}\n  city: {type: string}\n  uid: {type: integer}\n" +
				"  channel: {type: string, enum: [appstore, huawei, web]}\n  app_version: {type: semver}\n"),
		"segments/staff.yaml": file("include: [" + staff + "]\n"),
	}
	for i := range 10_000 {
		cities := "[shenzhen, guangzhou]"
		if i < changed {
			cities = "[shenzhen, guangzhou, beijing]"
		}
		fsys[fmt.Sprintf("ns%d/flag-%d.yaml", i%100, i)] = file(fmt.Sprintf(`description: Flag %d
owner: team-checkout
type: boolean
default: off
rules:
  - {name: staff, when: {user: {segment: staff}}, serve: on}
  - {name: beta, when: {city: %s, channel: appstore}, serve: {on: 20%%, off: 80%%}}
  - {name: tail, when: {uid: {mod: 10, in: [1, %d]}, channel: huawei}, serve: on}
  - {name: version, when: {app_version: {semver: ">=%d.%d.0"}, channel: [web, huawei]}, serve: on}
  - {name: rest, when: {city: [beijing, city-%d], channel: web}, serve: {on: 50%%, off: 50%%}}
environments:
  staging: {default: on}
`, i, cities, i%10, i%7, i%11, i%50))
	}
	return fsys
}

// BenchmarkEstates compares two estates of 10,000 flags in two environments,
// loading and compiling them included, and counts 100,000 people of a file for
// the flags that differ.
func BenchmarkEstates(b *testing.B) {
	var users bytes.Buffer
	for i := range 100_000 {
		fmt.Fprintf(&users,
			`{"targetingKey": "u-%d", "city": "%s", "channel": "%s", "app_version": "%d.%d.0", "uid": %d}`+"\n", i,
			[]string{"shenzhen", "guangzhou", "beijing", "lhasa"}[i%4], []string{"appstore", "huawei", "web"}[i%3],
			i%5, i%10, i)
	}
	for _, test := range []struct {
		name    string
		changed int
		after   fstest.MapFS
	}{
		{"one flag", 1, manyFlags(1, "u-1")}, {"100 flags", 100, manyFlags(100, "u-1")},
		{"1000 flags", 1000, manyFlags(1000, "u-1")}, {"segment of all flags", 10_000, manyFlags(0, "u-1, u-2")},
	} {
		before, after, changed := manyFlags(0, "u-1"), test.after, test.changed
		b.Run(test.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				old, err := ci.LoadFS(before, "old")
				if err != nil {
					b.Fatal(err)
				}
				new, err := ci.LoadFS(after, "new")
				if err != nil {
					b.Fatal(err)
				}
				c := config(b, old, new)
				c.Population = diff.NewPopulation(bytes.NewReader(users.Bytes()), "users.ndjson", int64(users.Len()))
				r := compare(b, c)
				if len(r.Environments[0].Flags) != changed || r.Counted.People != 100_000 {
					b.Fatalf("%d flags, %+v", len(r.Environments[0].Flags), r.Counted)
				}
			}
		})
	}
}
