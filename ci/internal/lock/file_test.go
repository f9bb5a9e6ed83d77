package lock

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/serin-flags/serin/ci/internal/share"
	"github.com/serin-flags/serin/ci/internal/source"
	"github.com/serin-flags/serin/evaluator"
)

// TestLockFileKeepsNames holds that what is written is read again, whatever the
// names are.
func TestLockFileKeepsNames(t *testing.T) {
	names := []string{"on", "on off", `"`, "a:b", "a=b", "by=user", "é", "\u200b", "layer", "layer:x", "*", "#x",
		"<<<<<<<", "=======", `\n`, "🐦", "(free)", "\ufffd"}
	var entries []*Entry
	for i, a := range names {
		for _, b := range names {
			id := ID{Owner: fmt.Sprintf("flag-%d", i), Environment: b, Rule: a}
			if b == "*" {
				id = ID{Owner: LayerPrefix + a}
			}
			draw := evaluator.Bucketing{By: a, Salt: b, Hash: evaluator.Hashes()[i%len(evaluator.Hashes())]}
			if draw.Hash == "unleash" && b == a {
				draw.Positions = 1000
			}
			entries = append(entries, &Entry{ID: id, Draw: draw,
				pieces: []share.Piece{{Name: a, To: 1}, {Name: "x" + b, To: 2}, {Name: b, To: draw.Total()}}})
		}
	}
	text := Format(Header, entries)
	s := &source.File{Path: source.LockName, Data: slices.Clone(text)}
	l := Read(s, false)
	if len(s.Problems) > 0 || len(l.byID) != len(entries) {
		t.Fatalf("%d of %d entries: %v", len(l.byID), len(entries), s.Problems)
	}
	for _, e := range entries {
		back := l.byID[e.ID]
		if back == nil || back.Draw != e.Draw || !slices.Equal(back.pieces, e.pieces) {
			t.Errorf("%+v was written and %+v read", e, back)
		}
	}
}

// FuzzRead holds that what is read from a lock file is written and read again.
func FuzzRead(f *testing.F) {
	for _, line := range []string{
		"", "x * r by=user on:2147483648 off:4294967296\n",
		"x staging r by=user salt=s hash=unleash positions=1000 on:500 off:1000",
		"\"x\" * \"a \\\"b\\\" ü\" by=\"\\u200b\" \"\":1 é:4294967296\n",
		"layer:l by=user (holdout):214748364 a:1 (free):4294967296\n", "layer:\"\" by=u a:4294967296\n",
		"# c\n\nx * r by=user a:1 a:4294967296", "x * r by=user a:5 b:4\n",
		"<<<<<<< HEAD\n", "x", "x *", "x * r", "x * r by=", "x * r by=u", "x * r by=u ", "x * r by=u a",
		"x * r by=u a:", "x * r by=u a:-1", "x * r by=u a:99999999999999999999 ", "\"x", "`x` * r",
	} {
		f.Add([]byte(line))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		s := &source.File{Path: source.LockName, Shown: "flags/flags.lock", Data: slices.Clone(data)}
		l := Read(s, false)
		entries := slices.Collect(maps.Values(l.byID))
		text := Format(Header, entries)
		again := Read(&source.File{Path: source.LockName, Data: slices.Clone(text)}, false)
		if len(again.File.Problems) > 0 {
			t.Fatalf("%s of %q: %v", text, data, again.File.Problems)
		}
		if len(again.byID) != len(l.byID) {
			t.Fatalf("%d entries, not %d", len(again.byID), len(l.byID))
		}
		for id, e := range l.byID {
			back := again.byID[id]
			if back == nil || back.Draw != e.Draw || !slices.Equal(back.pieces, e.pieces) {
				t.Fatalf("%+v was written and %+v read", e, back)
			}
			checkPieces(t, e.pieces, e.Draw.Total())
		}
		if !bytes.Equal(Format(Header, slices.Collect(maps.Values(again.byID))), text) {
			t.Fatal("not the same bytes")
		}
	})
}

// checkPieces holds that pieces cover all positions.
func checkPieces(t *testing.T, list []share.Piece, total uint64) {
	t.Helper()
	var from uint64
	for i, p := range list {
		if p.To <= from || i > 0 && list[i-1].Name == p.Name {
			t.Fatalf("pieces %+v", list)
		}
		from = p.To
	}
	if from != total {
		t.Fatalf("pieces %+v", list)
	}
}

// TestHeaderStays: a file of an earlier release isn't rewritten for its comment alone.
func TestHeaderStays(t *testing.T) {
	const line = "\nnew-cart * half by=user on:2147483648 off:4294967296\n"
	division := func() *Division {
		d := &Division{ID: ID{Owner: "new-cart", Rule: "half"},
			Draw: evaluator.Bucketing{By: "user", Salt: "new-cart", Hash: evaluator.HashMurmur3}}
		d.Parts = []share.Part{{Name: "on", Share: share.Whole / 2}, {Name: "off", Share: share.Whole / 2}}
		return d
	}
	for text, want := range map[string]string{
		earlierHeader + line:     earlierHeader + line,
		line[1:]:                 Header + line,
		"# by hand\n" + line[1:]: Header + line,
	} {
		s := &source.File{Path: source.LockName, Data: []byte(text)}
		u, err := Read(s, true).Update([]*Division{division()}, nil)
		if err != nil || string(u.After) != want {
			t.Errorf("%q becomes %q, %v; want %q", text, u.After, err, want)
		}
	}
}
