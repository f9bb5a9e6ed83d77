package flagtest

import "github.com/serin-flags/serin/evaluator"

// A Sample is the context of a test. It may have IDs of people in it.
type Sample struct {
	Flag, Name  string
	Environment string // "": the test names none
	Attrs       []evaluator.Attr
}

// Samples returns the contexts of tests, in the order of the files. Tests of populations, which
// have many contexts, aren't among them.
func Samples(tests []*Case) []Sample {
	var list []Sample
	for _, t := range tests {
		if t.Population == nil {
			list = append(list, Sample{t.flag.Key, t.name, t.environment, t.context})
		}
	}
	return list
}
