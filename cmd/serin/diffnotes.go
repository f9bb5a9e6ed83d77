package main

import (
	"fmt"
	"slices"

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
				text = fmt.Sprintf("namespace %s becomes public: browsers and apps may see its flags",
					payload.Namespace)
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
