package main

import (
	"cmp"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/serin-flags/serin/ci"
)

// environmentsOf returns the environments of a flag folder or, if it can't be read, those
// of the one that init writes.
func environmentsOf(dir string) []string {
	if estate, err := ci.Load(dir); err == nil && len(estate.Environments()) > 0 {
		return estate.Environments()
	}
	return []string{"production", "staging"}
}

// workflowOf returns one of this project's own workflows, for an estate of somebody else's.
func workflowOf(workflow, estate string, environments []string) []byte {
	ref := "main"
	if v := version(); released.MatchString(v) {
		ref = v
	}
	within := strings.TrimPrefix(estate+"/", "./")
	return []byte(strings.NewReplacer(
		"uses: ./ci", "uses: serin-flags/serin/ci@"+ref,
		`"flags/**"`, `"`+within+`**"`,
		"flags: flags\n", "flags: "+estate+"\n",
		"environments: production staging development\n", "environments: "+strings.Join(environments, " ")+"\n",
		"environment: [staging, development, production]\n",
		"environment: ["+strings.Join(quoted(productionLast(environments)), ", ")+"]\n",
	).Replace(workflow))
}

// productionLast returns environments in the order in which a change reaches them.
func productionLast(environments []string) []string {
	rank := func(name string) int {
		if strings.HasPrefix(name, "prod") || name == "live" {
			return 1
		}
		return 0
	}
	list := slices.Clone(environments)
	slices.SortStableFunc(list, func(a, b string) int { return cmp.Compare(rank(a), rank(b)) })
	return list
}

// quoted returns names as YAML has them; what begins with a digit could be a number.
func quoted(names []string) []string {
	list := slices.Clone(names)
	for i, name := range list {
		if name[0] < 'a' {
			list[i] = strconv.Quote(name)
		}
	}
	return list
}

var released = regexp.MustCompile(`^v\d+\.\d+\.\d+$`)
