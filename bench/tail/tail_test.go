package main

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestRun checks that calls are made and counted, during all updates.
func TestRun(t *testing.T) {
	dir := t.TempDir()
	r := run{flags: 40, calls: 3000, updates: 3, readers: 2, out: dir}
	var printed bytes.Buffer
	if err := r.all(&printed, time.Now()); err != nil {
		t.Fatal(err)
	}
	if files, err := filepath.Glob(filepath.Join(dir, "*-tail.txt")); err != nil || len(files) != 1 {
		t.Errorf("files %q, error %v", files, err)
	}
	counts := make(map[string]string)
	for line := range strings.Lines(printed.String()) {
		for _, title := range []string{"clock", "first call of a handle after an update", "second call"} {
			if rest, ok := strings.CutPrefix(strings.TrimSpace(line), title+"  "); ok {
				counts[title] = strings.Fields(rest)[0]
			}
		}
	}
	// 3 updates of 20 handles.
	for title, want := range map[string]string{"clock": "300", "first call of a handle after an update": "60",
		"second call": "60"} {
		if counts[title] != want {
			t.Errorf("%s: %q, want %s\n%s", title, counts[title], want, &printed)
		}
	}
}

// TestLoadCounts checks that every call is in one distribution, and that calls are made
// while the flags are updated.
func TestLoadCounts(t *testing.T) {
	h, err := publish(t.TempDir(), 3000, 2)
	if err != nil {
		t.Fatal(err)
	}
	r := run{calls: 2000, updates: 2, readers: 1}
	during, between, err := r.load(h)
	if err != nil {
		t.Fatal(err)
	}
	if n := during.TotalCount() + between.TotalCount(); n < 2000 || during.TotalCount() == 0 {
		t.Errorf("%d calls, %d of them during updates", n, during.TotalCount())
	}
}
