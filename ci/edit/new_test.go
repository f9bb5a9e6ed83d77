package edit_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/serin-flags/serin/ci/edit"
)

// TestNewVerb holds that "new" adds one file, which other edits can go on with, and touches nothing
// that exists.
func TestNewVerb(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"context.yaml":   "attributes:\n  user: {type: string, unit: true}\n",
		"shop/cart.yaml": "owner: team-shop\ntype: boolean\ndefault: off\n",
	} {
		name = filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		edits []string
		path  string
		want  string // a part of the file, or of the error
	}{
		{[]string{"new shop/fast"}, "shop/fast.yaml", "owner: team-shop\ntype: boolean\ndefault: off\n"},
		{[]string{"new shop/fast", "expire fast 2099-06-30"}, "shop/fast.yaml", "expires: 2099-06-30"},
		{[]string{"new a/size integer small=1 large=2"}, "a/size.yaml", "variants:\n  small: 1\n  large: 2\ndefault: large\n"},
		{[]string{"new shop/cart"}, "", `there is a flag "cart" already`},
		{[]string{"new shop/fast", "new a/fast"}, "", `there is a flag "fast" already`},
		{[]string{"new a/size integer"}, "", "isn't complete"},
		{[]string{"new size"}, "", "is not a place for a flag; write NAMESPACE/KEY"},
		{[]string{"new ../size"}, "", "is not a place for a flag"},
		{[]string{"new /etc/size"}, "", "is not a place for a flag"},
		{[]string{"new .git/size"}, "", "names that start with a dot are ignored"},
		{[]string{"new segments/size"}, "", "is not a place for a flag"},
		{[]string{`new "a/b c"`}, "", "isn't possible"},
		{[]string{"new shop/fast in staging"}, "", "isn't complete"},
	} {
		var edits []edit.Edit
		var err error
		for _, text := range c.edits {
			e, wrong := edit.Parse(text)
			if wrong != nil {
				err = wrong
				break
			}
			edits = append(edits, e)
		}
		var r *edit.Result
		if err == nil {
			r, err = edit.Apply(os.DirFS(dir), dir, edits)
		}
		switch {
		case c.path == "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%q: error %v, want %q", c.edits, err, c.want)
		case c.path == "":
		case err != nil:
			t.Errorf("%q: %v", c.edits, err)
		case len(r.Changes) != 1 || r.Changes[0].Path != filepath.Join(dir, filepath.FromSlash(c.path)) ||
			r.Changes[0].Before != nil || !strings.Contains(string(r.Changes[0].After), c.want):
			t.Errorf("%q: the changes are %q", c.edits, r.Changes)
		}
	}
}
