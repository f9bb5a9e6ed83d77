package ci

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"github.com/serin-flags/serin/ci/internal/lock"
	"github.com/serin-flags/serin/ci/internal/share"
	"github.com/serin-flags/serin/evaluator"
	"github.com/serin-flags/serin/internal/soak"
	"golang.org/x/tools/txtar"
)

// TestLockScenarios goes through the scenarios of testdata/lock, on top of
// testdata/base.txtar without its flag: the files below 1/, then those below 2/ on
// top, and so on, with the lock file updated after each step. Empty files are
// removed.
func TestLockScenarios(t *testing.T) {
	paths, err := filepath.Glob("testdata/lock/*.txtar")
	if err != nil || len(paths) < 6 {
		t.Fatalf("found %d scenarios: %v", len(paths), err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(path)
			if err != nil {
				t.Fatal(err)
			}
			fsys := base(t)
			delete(fsys, "checkout/new-checkout.yaml")
			var out strings.Builder
			for step := 1; ; step++ {
				found := false
				for _, f := range archive.Files {
					name, ok := strings.CutPrefix(f.Name, fmt.Sprint(step, "/"))
					if found = found || ok; ok && len(f.Data) == 0 {
						delete(fsys, name)
					} else if ok {
						fsys[name] = &fstest.MapFile{Data: f.Data}
					}
				}
				if !found {
					break
				}
				fmt.Fprintf(&out, "# step %d\n", step)
				lockStep(t, fsys, &out)
			}
			compareWant(t, path, archive, out.String())
		})
	}
}

// lockStep writes what check says, what is changed and what the lock file is then.
func lockStep(t *testing.T, fsys fstest.MapFS, out *strings.Builder) {
	t.Helper()
	if _, err := LoadFS(fsys, "flags"); err != nil {
		var problems Problems
		if !errors.As(err, &problems) {
			t.Fatal(err)
		}
		for _, p := range problems {
			fmt.Fprintln(out, p)
		}
	}
	u, err := LockFS(fsys, "flags", nil)
	if err != nil {
		fmt.Fprintln(out, err)
		return
	}
	for _, c := range u.Changes {
		fmt.Fprintf(out, "%v %s: %s\n", c.Kind, c.What, c.Shares)
		for _, m := range c.Moves {
			fmt.Fprintf(out, "    %s %s → %s\n", m.Share(), m.From, m.To)
		}
	}
	text, ok := strings.CutPrefix(string(u.After), lock.Header)
	if !ok {
		t.Fatalf("the file doesn't start with the header: %s", u.After)
	}
	out.WriteString(text)
	fsys[LockFile] = &fstest.MapFile{Data: u.After}
	if _, err := LoadFS(fsys, "flags"); err != nil {
		t.Errorf("after locking: %v", err)
	}
	if again, err := LockFS(fsys, "flags", nil); err != nil || len(again.Changes) > 0 ||
		!bytes.Equal(again.After, u.After) {
		t.Errorf("locking again changes %+v: %v", again, err)
	}
}

// everything returns what the estate compiles to, in all environments.
func everything(t *testing.T, fsys fstest.MapFS) string {
	t.Helper()
	e, err := LoadFS(fsys, "flags")
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	for _, environment := range append([]string{""}, e.Environments()...) {
		payloads, err := e.Compile(environment)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range payloads {
			text, err := json.MarshalIndent(p.Ruleset, "", " ")
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(&out, "%s %s: %s\n", environment, p.Namespace, text)
		}
	}
	return out.String()
}

// TestFirstLockMovesNobody holds that an estate compiles to the same before and
// after it is locked for the first time.
func TestFirstLockMovesNobody(t *testing.T) {
	paths, err := filepath.Glob("testdata/good/*.txtar")
	if err != nil || len(paths) == 0 {
		t.Fatalf("found %d scenarios: %v", len(paths), err)
	}
	splits := 0
	for _, path := range paths {
		archive, err := txtar.ParseFile(path)
		if err != nil {
			t.Fatal(err)
		}
		fsys := scenario(t, archive)
		before := everything(t, fsys)
		u, err := LockFS(fsys, "flags", nil)
		if err != nil {
			t.Fatal(err)
		}
		fsys[LockFile] = &fstest.MapFile{Data: u.After}
		if diff := cmp.Diff(before, everything(t, fsys)); diff != "" {
			t.Errorf("%s: -before +after:\n%s", path, diff)
		}
		splits += u.Splits
	}
	if splits < 20 {
		t.Errorf("there are only %d splits in all of the scenarios", splits)
	}
}

// splitText returns what a rule serves, of these parts.
func splitText(parts []share.Part) string {
	var list []string
	for _, p := range parts {
		list = append(list, fmt.Sprintf("%s: %s", p.Name, share.Format(p.Share)))
	}
	return "{" + strings.Join(list, ", ") + "}"
}

// layerText returns a layer file of these parts, of which one is held out, one is
// free and the others are flags.
func layerText(parts []share.Part) string {
	var b strings.Builder
	b.WriteString("shares:\n")
	holdout := int64(0)
	for _, p := range parts {
		switch {
		case p.Share == 0:
		case p.Name == "on":
			holdout = p.Share
		case p.Name == "off":
			fmt.Fprintf(&b, "  - {free: %s}\n", share.Format(p.Share))
		default:
			fmt.Fprintf(&b, "  - {flag: %s, share: %s}\n", p.Name, share.Format(p.Share))
		}
	}
	return fmt.Sprintf("holdout: %s\n%s", share.Format(holdout), &b)
}

// TestRandomLocks edits the split of a flag, what an environment has in its place
// and a layer, and holds what compiles against what the update says: the fewest
// move. Two runs give the same bytes.
func TestRandomLocks(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 4))
	for range soak.Times(20, 200) {
		fsys := base(t)
		parts := map[string][]share.Part{"": redrawn(rnd), "staging": redrawn(rnd), "layer": redrawn(rnd)}
		var before map[string][]share.Piece
		for range 12 {
			for _, name := range []string{"", "staging", "layer"} {
				if rnd.IntN(2) == 0 {
					parts[name] = redrawn(rnd)
				}
			}
			write(fsys, parts)
			u, err := LockFS(fsys, "flags", nil)
			if err != nil {
				t.Fatal(err)
			}
			if again, err := LockFS(fsys, "flags", nil); err != nil || !bytes.Equal(again.After, u.After) {
				t.Fatalf("another run: %s, want %s: %v", again.After, u.After, err)
			}
			fsys[LockFile] = &fstest.MapFile{Data: u.After}
			e, err := LoadFS(fsys, "flags")
			if err != nil {
				t.Fatal(err)
			}
			checkApart(t, e)
			after := owners(t, e)
			if before != nil {
				checkUpdate(t, u, before, after)
			}
			before = after
		}
	}
}

// redrawn returns some parts in any order, with random shares.
func redrawn(rnd *rand.Rand) []share.Part {
	names := []string{"on", "off", "a", "b", "c", "d"}
	rnd.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
	names = names[:1+rnd.IntN(len(names))]
	parts := make([]share.Part, 0, len(names))
	left := int64(share.Whole)
	for i, name := range names {
		portion := left
		if i+1 < len(names) {
			portion = rnd.Int64N(left + 1)
		}
		parts = append(parts, share.Part{Name: name, Share: portion})
		left -= portion
	}
	return parts
}

// write writes a flag x and a layer l with the flags of its parts.
func write(fsys fstest.MapFS, parts map[string][]share.Part) {
	maps.DeleteFunc(fsys, func(name string, _ *fstest.MapFile) bool { return strings.HasPrefix(name, "shop/") })
	fsys["shop/x.yaml"] = file("type: string\ndefault: none\nrules: [{name: r, serve: " +
		splitText(parts[""]) + "}]\n" +
		"environments: {staging: {rules: [{name: r, serve: " + splitText(parts["staging"]) + "}]}}\n")
	fsys["layers/l.yaml"] = file(layerText(parts["layer"]))
	flags := 0
	for _, p := range parts["layer"] {
		if p.Name != "on" && p.Name != "off" && p.Share > 0 {
			fsys["shop/"+p.Name+
				".yaml"] = file("type: boolean\nexclusive: l\ndefault: off\nrules: [{name: r, serve: on}]\n")
			flags++
		}
	}
	if flags == 0 {
		fsys["layers/l.yaml"] = file("shares: [{free: 100%}]\n")
	}
}

// owners returns who has which positions, of what is compiled.
func owners(t *testing.T, e *Estate) map[string][]share.Piece {
	all := make(map[string][]share.Piece)
	for _, environment := range []string{"", "staging"} {
		f := compiledFlags(t, e, environment)["x"]
		for _, r := range f.Rules[0].Split.Ranges {
			all[environment] = append(all[environment], share.Piece{Name: f.Variants[r.Variant].Name, To: r.To})
		}
	}
	type owned struct {
		name string
		evaluator.Span
	}
	var spans []owned
	for key, f := range compiledFlags(t, e, "") {
		if r := f.Reserved; r != nil {
			for _, s := range r.Spans {
				spans = append(spans, owned{key, s})
			}
		}
	}
	slices.SortFunc(spans, func(a, b owned) int { return int(int64(a.From) - int64(b.From)) })
	var list []share.Piece
	for _, s := range spans {
		list = append(list, share.Piece{Name: "nobody", To: s.From}, share.Piece{Name: s.name, To: s.To})
	}
	all["layer"] = share.Joined(append(list, share.Piece{Name: "nobody", To: evaluator.Positions}))
	return all
}

// checkUpdate holds that as many positions change hands as the update says, and of
// splits no more than have to.
func checkUpdate(t *testing.T, u *LockUpdate, before, after map[string][]share.Piece) {
	t.Helper()
	said, moved := make(map[bool]uint64), make(map[bool]uint64) // of layers, of splits
	var least uint64
	for _, c := range u.Changes {
		for _, m := range c.Moves {
			// Of nobody it isn't compiled whether it is held out or free.
			if m.From+m.To != "(holdout)(free)" && m.From+m.To != "(free)(holdout)" {
				said[strings.HasPrefix(c.What, "flag")] += m.Positions
			}
		}
	}
	for name, list := range before {
		for _, m := range share.Moves(list, after[name]) {
			moved[name != "layer"] += m.Positions
		}
		if name == "layer" {
			continue
		}
		have := share.Positions(after[name])
		for name, n := range share.Positions(list) {
			least += n - min(n, have[name])
		}
	}
	if diff := cmp.Diff(moved, said); diff != "" {
		t.Errorf("-moved +said:\n%s", diff)
	}
	if moved[true] != least {
		t.Errorf("%d positions of splits move, not %d", moved[true], least)
	}
}

// TestLockKinds holds that all that is divided by units is kept, and nothing else.
func TestLockKinds(t *testing.T) {
	fsys := base(t)
	fsys["shop/x.yaml"] = file(`type: boolean
default: off
rules:
  - {name: split, serve: {on: 1%, off: rest}}
  - {name: chance, by: chance, serve: {on: 1%, off: rest}}
  - {name: ramp, serve: {ramp: on, steps: [{at: 2026-12-01, to: 1%}]}}
  - {name: paused, serve: {ramp: on, steps: [{at: 2026-12-01, to: 1%}], pause: true, at: 2026-12-02}}
  - {name: one, serve: on}
environments:
  staging: {default: on}
  production: {rules: [{name: split, serve: {on: 2%, off: rest}}]}
`)
	u, err := LockFS(fsys, "flags", nil)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, c := range u.Changes {
		got = append(got, c.What)
	}
	want := []string{`flag "new-checkout", rule "half"`, `flag "x", environment "production", rule "split"`,
		`flag "x", rule "split"`}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestAnew holds that a flag can start in the order of the file.
func TestAnew(t *testing.T) {
	fsys := base(t)
	parts := []share.Part{{Name: "on", Share: share.Whole / 2}, {Name: "off", Share: share.Whole / 2}}
	for _, parts = range [][]share.Part{parts,
		{{Name: "off", Share: share.Whole / 10 * 4}, {Name: "on", Share: share.Whole / 10 * 6}}} {
		fsys["shop/x.yaml"] = file("type: boolean\ndefault: off\nrules: [{name: r, serve: " + splitText(parts) + "}]\n")
		u, err := LockFS(fsys, "flags", nil)
		if err != nil {
			t.Fatal(err)
		}
		fsys[LockFile] = &fstest.MapFile{Data: u.After}
	}
	if !strings.Contains(string(fsys[LockFile].Data), "x * r by=user on:2576980377 off:4294967296\n") {
		t.Errorf("without: %s", fsys[LockFile].Data)
	}
	u, err := LockFS(fsys, "flags", []string{"x"})
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(u.After), "x * r by=user off:1717986918 on:4294967296\n") || len(u.Changes) != 1 ||
		u.Changes[0].Kind != LockAnew || len(u.Changes[0].Moves) != 2 {
		t.Errorf("got %+v, %s", u.Changes, u.After)
	}
	if _, err := LockFS(fsys, "flags", []string{"y"}); err == nil ||
		err.Error() != `there is no flag "y" with a split by a unit` {
		t.Errorf("got error %v", err)
	}
}

// TestTooManyPieces holds that a split whose evaluation would get slow is refused.
func TestTooManyPieces(t *testing.T) {
	fsys := base(t)
	fsys["shop/x.yaml"] = file("type: boolean\ndefault: off\nrules: [{name: r, serve: {on: 50%, off: 50%}}]\n")
	line := "x * r by=user"
	for n := range uint64(100) {
		line += fmt.Sprintf(" %s:%d", []string{"on", "off"}[n%2], evaluator.Positions*(n+1)/100)
	}
	fsys[LockFile] = file(line + "\n")
	_, err := LockFS(fsys, "flags", nil)
	const want = `flag "x", rule "r" would have 100 ranges for its 2 shares, and the limit is 64 more ranges than shares; ` +
		`run 'serin lock --anew x' to divide it again; that moves users`
	if err == nil || err.Error() != want {
		t.Errorf("got error %v, want %s", err, want)
	}
	if u, err := LockFS(fsys, "flags", []string{"x"}); err != nil || len(u.Changes) == 0 {
		t.Errorf("anew: %+v, %v", u, err)
	}
}

// FuzzLockFile loads an estate with the lock file, and updates it.
func FuzzLockFile(f *testing.F) {
	for _, line := range []string{
		"", "x * r by=user on:2147483648 off:4294967296\n", "x staging r by=user salt=s hash=h on:4294967296",
		"\"x\" * \"a \\\"b\\\" ü\" by=\"\\u200b\" \"\":1 é:4294967296\n",
		"layer:l by=user (holdout):214748364 a:1 (free):4294967296\n", "layer:\"\" by=u a:4294967296\n",
		"# c\n\nx * r by=user a:1 a:4294967296", "x * r by=user a:5 b:4\n",
		"<<<<<<< HEAD\n", "x", "x *", "x * r", "x * r by=", "x * r by=u", "x * r by=u ", "x * r by=u a",
		"x * r by=u a:", "x * r by=u a:-1", "x * r by=u a:99999999999999999999 ", "\"x", "`x` * r",
	} {
		f.Add([]byte(line))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		fsys := base(t)
		fsys[LockFile] = &fstest.MapFile{Data: data}
		checkLoad(t, fsys)
		if u, err := LockFS(fsys, "flags", nil); err == nil {
			fsys[LockFile] = &fstest.MapFile{Data: u.After}
			if _, err := LoadFS(fsys, "flags"); err != nil {
				t.Fatalf("%s: %v", u.After, err)
			}
		}
	})
}

// BenchmarkLock loads 10,000 flags with a split each, without a lock file and with
// one, and makes that.
func BenchmarkLock(b *testing.B) {
	fsys := base(b)
	for n := range 10_000 {
		fsys[fmt.Sprintf("shop/flag-%d.yaml",
			n)] = file("type: boolean\ndefault: off\nrules:\n  - name: half\n    serve: {on: 50%, off: 50%}\n")
	}
	loading := func(b *testing.B) {
		for b.Loop() {
			if _, err := LoadFS(fsys, "flags"); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.Run("load-without", loading)
	u, err := LockFS(fsys, "flags", nil)
	if err != nil {
		b.Fatal(err)
	}
	fsys[LockFile] = &fstest.MapFile{Data: u.After}
	b.Run("load-with", loading)
	b.Run("lock", func(b *testing.B) {
		for b.Loop() {
			if _, err := LockFS(fsys, "flags", nil); err != nil {
				b.Fatal(err)
			}
		}
	})
}
