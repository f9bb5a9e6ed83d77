package ci

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/serin-flags/serin/evaluator"
)

// TestLockFileKeepsNames holds that what is written is read again, whatever the
// names are.
func TestLockFileKeepsNames(t *testing.T) {
	names := []string{"on", "on off", `"`, "a:b", "a=b", "by=user", "é", "\u200b", "layer", "layer:x", "*", "#x", "<<<<<<<", "=======", `\n`, "🐦", "(free)", "\ufffd"}
	var entries []*lockEntry
	for i, a := range names {
		for _, b := range names {
			id := lockID{owner: fmt.Sprintf("flag-%d", i), environment: b, rule: a}
			if b == "*" {
				id = lockID{owner: layerPrefix + a}
			}
			entries = append(entries, &lockEntry{id: id, draw: draw{by: a, salt: b, hash: a}, pieces: []piece{{a, 1}, {"x" + b, 2}, {b, evaluator.Positions}}})
		}
	}
	text := formatLock(entries)
	s := &source{path: LockFile, data: slices.Clone(text)}
	l := readLock(s, false)
	if len(s.problems) > 0 || len(l.byID) != len(entries) {
		t.Fatalf("%d of %d entries: %v", len(l.byID), len(entries), s.problems)
	}
	for _, e := range entries {
		back := l.byID[e.id]
		if back == nil || back.draw != e.draw || !slices.Equal(back.pieces, e.pieces) {
			t.Errorf("%+v was written and %+v read", e, back)
		}
	}
}

// FuzzRead holds that what is read from a lock file is written and read again.
func FuzzRead(f *testing.F) {
	for _, line := range []string{
		"", "x * r by=user on:2147483648 off:4294967296\n", "x staging r by=user salt=s hash=h on:4294967296", "\"x\" * \"a \\\"b\\\" ü\" by=\"\\u200b\" \"\":1 é:4294967296\n",
		"layer:l by=user (holdout):214748364 a:1 (free):4294967296\n", "layer:\"\" by=u a:4294967296\n", "# c\n\nx * r by=user a:1 a:4294967296", "x * r by=user a:5 b:4\n",
		"<<<<<<< HEAD\n", "x", "x *", "x * r", "x * r by=", "x * r by=u", "x * r by=u ", "x * r by=u a", "x * r by=u a:", "x * r by=u a:-1", "x * r by=u a:99999999999999999999 ", "\"x", "`x` * r",
	} {
		f.Add([]byte(line))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		s := &source{path: LockFile, shown: "flags/flags.lock", data: slices.Clone(data)}
		l := readLock(s, false)
		entries := slices.Collect(maps.Values(l.byID))
		text := formatLock(entries)
		again := readLock(&source{path: LockFile, data: slices.Clone(text)}, false)
		if len(again.source.problems) > 0 {
			t.Fatalf("%s of %q: %v", text, data, again.source.problems)
		}
		if len(again.byID) != len(l.byID) {
			t.Fatalf("%d entries, not %d", len(again.byID), len(l.byID))
		}
		for id, e := range l.byID {
			back := again.byID[id]
			if back == nil || back.draw != e.draw || !slices.Equal(back.pieces, e.pieces) {
				t.Fatalf("%+v was written and %+v read", e, back)
			}
			checkPieces(t, e.pieces)
		}
		if !bytes.Equal(formatLock(slices.Collect(maps.Values(again.byID))), text) {
			t.Fatal("not the same bytes")
		}
	})
}

// checkPieces holds that pieces cover all positions.
func checkPieces(t *testing.T, list []piece) {
	t.Helper()
	var from uint64
	for i, p := range list {
		if p.to <= from || i > 0 && list[i-1].name == p.name {
			t.Fatalf("pieces %+v", list)
		}
		from = p.to
	}
	if from != evaluator.Positions {
		t.Fatalf("pieces %+v", list)
	}
}
