package main

import (
	"bytes"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/serin-flags/serin/ci"
	"github.com/serin-flags/serin/ci/filestore"
	"github.com/serin-flags/serin/ci/release"
	"github.com/serin-flags/serin/internal/s3test"
)

// The estate of the benchmarks: 10,000 flags of 5 rules with 2 conditions each, in 20
// namespaces.
const (
	benchNamespaces = 20
	benchFlags      = 500 // in each
)

// benchFlag is a flag file that depends on n.
func benchFlag(n int) string {
	var b strings.Builder
	b.WriteString("type: boolean\ndefault: off\nrules:\n")
	for rule := range 5 {
		fmt.Fprintf(&b, "  - name: rule %d\n    when: {city: [city-%d, town-%d], app_version: {semver: \">=%d.%d.0\"}}\n    serve: {on: %d%%, off: rest}\n",
			rule, n+rule, n, rule+1, n%10, n%99+1)
	}
	return b.String()
}

func benchEstate(b *testing.B) (dir, keys string) {
	b.Helper()
	dir, keys = filepath.Join(b.TempDir(), "flags"), filepath.Join(b.TempDir(), "keys")
	writeFile(b, filepath.Join(dir, "serin.yaml"), "environments: [production]\n")
	writeFile(b, filepath.Join(dir, "context.yaml"),
		"attributes:\n  user: {type: string, unit: true}\n  city: {type: string}\n  app_version: {type: semver}\n")
	for ns := range benchNamespaces {
		for i := range benchFlags {
			writeFile(b, filepath.Join(dir, fmt.Sprint("area-", ns), fmt.Sprintf("flag-%d-%d.yaml", ns, i)),
				benchFlag(ns*benchFlags+i))
		}
	}
	if _, err := release.InitKeys(keys, "production"); err != nil {
		b.Fatal(err)
	}
	return dir, keys
}

// BenchmarkCompileAndSign compiles 10,000 flags, encodes them, signs all metadata and
// verifies the result, without writing it. "with-load" reads the files, too.
func BenchmarkCompileAndSign(b *testing.B) {
	dir, keyDir := benchEstate(b)
	keys, err := release.LoadKeys(keyDir)
	if err != nil {
		b.Fatal(err)
	}
	store := filestore.New(filepath.Join(b.TempDir(), "production"))
	sign := func(b *testing.B, estate *ci.Estate) {
		payloads, err := estate.Compile("production")
		if err != nil {
			b.Fatal(err)
		}
		report, err := release.Publish(b.Context(), release.Options{
			Store: store, Keys: keys, Environment: "production", Payloads: payloads, DryRun: true,
		})
		if err != nil || len(report.Added) != benchNamespaces {
			b.Fatalf("report %+v, error %v", report, err)
		}
	}
	estate, err := ci.Load(dir)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("loaded", func(b *testing.B) {
		for b.Loop() {
			sign(b, estate)
		}
	})
	b.Run("with-load", func(b *testing.B) {
		for b.Loop() {
			estate, err := ci.Load(dir)
			if err != nil {
				b.Fatal(err)
			}
			sign(b, estate)
		}
	})
}

// BenchmarkPublishOneFlag publishes 10,000 flags to an S3 server, of which one has
// changed since the last time. "upload" begins with compiled flags, "command" is all
// of serin publish: read, check, test, compile, sign, upload.
func BenchmarkPublishOneFlag(b *testing.B) {
	server := s3test.Start(b)
	server.CreateBucket(b, "flags")
	for _, variable := range server.Env() {
		name, value, _ := strings.Cut(variable, "=")
		b.Setenv(name, value)
	}
	dir, keyDir := benchEstate(b)
	changes := 0
	change := func() {
		changes++
		writeFile(b, filepath.Join(dir, "area-7", "flag-7-7.yaml"), benchFlag(1_000_000+changes))
	}
	publish := func(args ...string) string {
		var stdout, stderr bytes.Buffer
		args = append([]string{"publish", dir, "--env", "production", "--to", "s3://flags", "--keys", keyDir,
			"--json"}, args...)
		if status := run(b.Context(), args, strings.NewReader(""), &stdout, &stderr); status != 0 {
			b.Fatalf("status %d: %s", status, &stderr)
		}
		return stdout.String()
	}
	publish()
	b.Run("command", func(b *testing.B) {
		for b.Loop() {
			b.StopTimer()
			change()
			b.StartTimer()
			if out := publish(); strings.Count(out, `"targets/`) != 1 || !strings.Contains(out, `"targets/area-7/`) {
				b.Fatal(out)
			}
		}
	})
	b.Run("upload", func(b *testing.B) {
		store, err := openStore(b.Context(), "s3://flags", "production")
		if err != nil {
			b.Fatal(err)
		}
		keys, err := release.LoadKeys(keyDir)
		if err != nil {
			b.Fatal(err)
		}
		for b.Loop() {
			b.StopTimer()
			change()
			estate, err := ci.Load(dir)
			if err != nil {
				b.Fatal(err)
			}
			payloads, err := estate.Compile("production")
			if err != nil {
				b.Fatal(err)
			}
			b.StartTimer()
			report, err := release.Publish(b.Context(),
				release.Options{Store: store, Keys: keys, Environment: "production", Payloads: payloads})
			if err != nil || len(report.Changed) != 1 || len(report.Objects) != 4 {
				b.Fatalf("report %+v, error %v", report, err)
			}
		}
	})
}
