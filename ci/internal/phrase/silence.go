package phrase

import (
	"slices"
	"strings"

	"github.com/serin-flags/serin/ci/internal/problem"
	"github.com/serin-flags/serin/ci/internal/source"
)

// Silences reads "lint", which may be nil: the lints that a file silences, each
// with the reason.
func (r Reader) Silences(n *source.Node) {
	if n == nil {
		return
	}
	r = r.Within("\"lint\"")
	switch {
	case n.Kind != source.Mapping:
		r.Errorf(n, "it is a mapping of lints to the reasons why they don't apply, not %s", n.Describe())
		return
	case len(n.Fields) == 0:
		r.Errorf(n, "it names no lint; remove it")
		return
	}
	for _, f := range n.Fields {
		if !slices.Contains(problem.Lints, f.Key.Text) {
			r.Errorf(f.Key, "%s", problem.UnknownLint(f.Key.Text))
			continue
		}
		reason, ok := r.Text(f.Value, "the reason for \""+f.Key.Text+"\"")
		if ok && strings.TrimSpace(reason) == "" {
			r.Errorf(f.Value, "%s", problem.NoReason(f.Key.Text))
		}
		r.File.Silences = append(r.File.Silences, problem.Silence{Lint: f.Key.Text, Line: f.Key.Line(),
			Column: f.Key.Column()})
	}
}
