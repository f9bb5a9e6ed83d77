package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/serin-flags/serin/ci"
	"github.com/serin-flags/serin/ci/diff"
)

// publicChanges says which namespaces anybody may read from now on, or not any more.
func publicChanges(pairs []diff.Pair) (list []string) {
	was := make(map[string]bool)
	for _, p := range pairs {
		for _, payload := range p.Old {
			was[payload.Namespace] = payload.Public
		}
		for _, payload := range p.New {
			text := ""
			switch before, known := was[payload.Namespace]; {
			case payload.Public && !before:
				text = fmt.Sprintf("namespace %s becomes public: browsers and apps may see its flags", payload.Namespace)
			case known && before && !payload.Public:
				text = fmt.Sprintf("namespace %s isn't public any more: browsers and apps that see public flags lose its flags", payload.Namespace)
			default:
				continue
			}
			if !slices.Contains(list, text) {
				list = append(list, text)
			}
		}
	}
	return list
}

// releaseChanges says how the lines of releases.lock differ in two folders. Who gets another
// value is not all: an approval lets a guard expose more people later.
func releaseChanges(old, new diffSource) (list []string) {
	if old.published || new.published || old.missing != nil || new.missing != nil {
		return nil
	}
	for _, line := range new.releases.Sorted() {
		before, known := old.releases[line.Key()]
		if !known {
			before = ci.NewReleaseLine(&ci.Plan{})
		}
		if text := releaseChange(before, line); text != "" {
			list = append(list, fmt.Sprintf("the release of %s in %s: %s", line.Flag, line.Environment, text))
		}
	}
	for _, line := range old.releases.Sorted() {
		if _, kept := new.releases[line.Key()]; !kept {
			list = append(list, fmt.Sprintf("the release of %s in %s: its line is gone from %s", line.Flag, line.Environment, ci.ReleasesFile))
		}
	}
	return list
}

// releaseChange says what one line lets happen that another doesn't, or "".
func releaseChange(old, new ci.ReleaseLine) string {
	var parts []string
	if old.Share != new.Share {
		parts = append(parts, fmt.Sprintf("cleared up to %v → %v", old.Share, new.Share))
	}
	if old.State != new.State {
		text := fmt.Sprintf("%s → %s", old.State, new.State)
		if new.Why != "" {
			text += ": " + new.Why
		}
		parts = append(parts, text)
	}
	switch {
	case old.Approved == new.Approved:
	case new.Approved == 0:
		parts = append(parts, "no step is approved any more")
	default:
		parts = append(parts, fmt.Sprintf("approved up to %v", new.Approved))
	}
	return strings.Join(parts, "; ")
}
