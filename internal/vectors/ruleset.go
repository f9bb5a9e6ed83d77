package vectors

import (
	"encoding/json"
	"fmt"

	"github.com/serin-flags/serin/evaluator"
)

// A ruleset is read from the form that [evaluator.Ruleset] has in JSON.
type ruleset struct{ evaluator.Ruleset }

// UnmarshalJSON refuses members that aren't known and those that are missing, which
// would otherwise be 0.
func (r *ruleset) UnmarshalJSON(data []byte) error {
	if err := decode(data, &r.Ruleset); err != nil {
		return err
	}
	type indices struct {
		Key          string
		Default, Off *int
		Rules        []struct {
			Name    string
			Variant *int
		}
	}
	var has struct{ Flags, Prerequisites []indices }
	if err := json.Unmarshal(data, &has); err != nil {
		return err
	}
	for _, f := range append(has.Flags, has.Prerequisites...) {
		if f.Default == nil || f.Off == nil {
			return fmt.Errorf("flag %q: \"default\" or \"off\" is missing", f.Key)
		}
		for _, rule := range f.Rules {
			if rule.Variant == nil {
				return fmt.Errorf("flag %q: rule %q: \"variant\" is missing", f.Key, rule.Name)
			}
		}
	}
	for _, flags := range [][]evaluator.Flag{r.Flags, r.Prerequisites} {
		for i := range flags {
			numbers(&flags[i])
		}
	}
	return nil
}

// numbers makes the values of a number flag floats: as JSON, 3 and 3.0 are the same.
func numbers(f *evaluator.Flag) {
	if f.Type != evaluator.KindFloat {
		return
	}
	for i := range f.Variants {
		if n, ok := f.Variants[i].Value.Float(); ok {
			f.Variants[i].Value = evaluator.FloatValue(n)
		}
	}
}
