package edit_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/serin-flags/serin/ci"
	"github.com/serin-flags/serin/ci/diff"
	"github.com/serin-flags/serin/ci/edit"
)

// BenchmarkApply changes a share of one of 10,000 flags on disk, checks all of them, updates the
// lock file, and compares both environments, as "serin apply" does.
func BenchmarkApply(b *testing.B) {
	dir := b.TempDir()
	write := func(name, text string) {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			b.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
			b.Fatal(err)
		}
	}
	write("serin.yaml", "environments: [production, staging]\n")
	write("context.yaml",
		"attributes:\n  user: {type: string, unit: true}\n  city: {type: string}\n  app_version: {type: semver}\n")
	for i := range 100 {
		write(fmt.Sprintf("segments/team-%d.yaml", i), fmt.Sprintf("include: [u-%d, u-%d]\n", i, i+1))
	}
	for i := range 10_000 {
		write(fmt.Sprintf("area-%d/flag-%d.yaml", i/50, i), fmt.Sprintf(`# What the flag is for.
description: The new way of doing thing %d
owner: team-%d
expires: 2090-06-30
type: boolean
default: off
rules:
  - name: staff
    when: {user: {segment: team-%d}}
    serve: on
  - name: office
    when: {city: [city-%d, town-%d], app_version: {semver: ">=2.%d.0"}}
    serve: on
  - name: part
    serve: {on: 20%%, off: 80%%}
environments:
  staging: {default: on, rules: []}
`, i, i%40, i%100, i, i, i%10))
	}
	update, err := ci.Lock(dir, nil)
	if err != nil {
		b.Fatal(err)
	}
	write(ci.LockFile, string(update.After))
	e, err := edit.Parse("share flag-4711 part on=30%")
	if err != nil {
		b.Fatal(err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		b.Fatal(err)
	}
	defer root.Close()
	for b.Loop() {
		r, err := edit.Apply(root.FS(), dir, []edit.Edit{e})
		if err != nil {
			b.Fatal(err)
		}
		var pairs []diff.Pair
		for _, env := range r.New.Environments() {
			pair := diff.Pair{Environment: env}
			if pair.Old, err = r.Old.Compile(env); err != nil {
				b.Fatal(err)
			}
			if pair.New, err = r.New.Compile(env); err != nil {
				b.Fatal(err)
			}
			pairs = append(pairs, pair)
		}
		report, err := diff.Compare(b.Context(), diff.Config{Pairs: pairs, Now: 1_800_000_000})
		if err != nil || report.Equal() || len(r.Changes) != 1 {
			b.Fatal(err, report, r.Changes)
		}
	}
}
