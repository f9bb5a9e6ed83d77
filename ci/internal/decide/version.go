package decide

import (
	"strconv"
	"strings"

	"github.com/serin-flags/serin/evaluator"
)

// versions returns versions of all classes: those that comparisons name, those right
// after them, and the least one. Of versions between two neighbours of the former,
// each is like the one right after the lesser.
func (d *domain) versions() []string {
	var named, near []string
	for _, a := range d.atoms {
		if a.typ != evaluator.AttrSemver && a.typ != evaluator.AttrSemverV {
			continue
		}
		for _, text := range a.cond.Strings {
			for _, word := range strings.FieldsFunc(text, func(r rune) bool { return r == ' ' || r == ',' }) {
				word, _, _ = strings.Cut(strings.TrimLeft(word, "<>="), "+")
				named = append(named, word)
				near = append(near, versionsAfter(word)...)
			}
		}
	}
	list := append(named, near...)
	return append(list, "0.0.0-0", "0.0.1", "no version")
}

// versionsAfter returns the version right after another, which may be one that
// nobody has, behind one that somebody might.
func versionsAfter(text string) []string {
	core, pre, isPre := strings.Cut(text, "-")
	parts := strings.Split(core, ".")
	for len(parts) < 3 {
		parts = append(parts, "0")
	}
	if isPre {
		return []string{strings.Join(parts, ".") + "-" + pre + ".0"}
	}
	for i := 2; i >= 0; i-- {
		n, err := strconv.ParseUint(parts[i], 10, 64)
		if next := strconv.FormatUint(n+1, 10); err == nil && len(next) <= 19 {
			parts[i] = next
			after := strings.Join(parts, ".")
			return []string{after, after + "-0"}
		}
		parts[i] = "0"
	}
	return nil
}
