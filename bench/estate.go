package bench

import (
	"fmt"
	"math/rand/v2"
	"slices"
)

// An Estate is a set of flags. Keys are unique.
type Estate struct {
	Flags []Flag
	// Namespaces is the number of parts, of equal size, that a system publishes
	// separately if it can. 0: one.
	Namespaces int
}

// Keys returns the keys of all flags.
func (e *Estate) Keys() []string {
	keys := make([]string, len(e.Flags))
	for i := range keys {
		keys[i] = e.Flags[i].Key
	}
	return keys
}

// A Flag is one of two shapes. If it has Rules it serves one of the texts in
// [Variants] to those that a rule matches, by their id and by [Weights], and
// "off" to everybody else. Otherwise it serves true or false: true to the users
// on IDs and to Percent of all others.
type Flag struct {
	Key     string
	Percent int
	IDs     []string
	// Named says that IDs are a list with a name of its own, which the flag
	// refers to: a segment, a saved group, an ID list.
	Named bool
	Rules []Rule
}

// Variants are what flags with rules serve, and Weights their shares in percent.
// One of the systems has one split for each flag, so all rules share it.
var (
	Variants = [3]string{"a", "b", "c"}
	Weights  = [3]int{50, 30, 20}
)

// A Rule matches if both conditions hold.
type Rule [2]Condition

// A Condition compares an attribute: with one of Texts if there are any, else
// with AtLeast, which it must not be below. Of the version AtLeast is the build.
type Condition struct {
	Attribute string
	Texts     []string
	AtLeast   int
}

// A User is a user with attributes.
type User struct {
	ID                      string
	Country, Plan, Language string
	Age                     int
	// City and Channel are for flags with long lists. Users who have them also have a
	// country and a version, and nothing else: see [ListUsers].
	City, Channel string
	// Version is a semantic version, and Build a number that orders versions
	// as they are, for the system that knows no versions.
	Version string
	Build   int
}

// text returns the value of a text attribute.
func (u *User) text(attribute string) string {
	switch attribute {
	case "country":
		return u.Country
	case "plan":
		return u.Plan
	case "language":
		return u.Language
	case "city":
		return u.City
	case "channel":
		return u.Channel
	}
	panic("no text attribute " + attribute)
}

// number returns the value of an integer attribute.
func (u *User) number(attribute string) int {
	switch attribute {
	case "age":
		return u.Age
	case "version":
		return u.Build
	}
	panic("no integer attribute " + attribute)
}

func (c *Condition) holds(u *User) bool {
	if len(c.Texts) > 0 {
		return slices.Contains(c.Texts, u.text(c.Attribute))
	}
	return u.number(c.Attribute) >= c.AtLeast
}

// Rule returns the number of the first rule that matches a user, or -1.
func (f *Flag) Rule(u *User) int {
	return slices.IndexFunc(f.Rules, func(r Rule) bool { return r[0].holds(u) && r[1].holds(u) })
}

// An Answer is what targeting says about a user: how likely each outcome is, in
// percent. Which users make up a share is up to each system's hash.
type Answer struct {
	True     int    // of a flag without rules
	Variants [3]int // of a flag with rules; all 0: "off"
}

// Answer returns what targeting says about a user, who is one of IDs or isn't.
func (f *Flag) Answer(u *User, listed bool) Answer {
	switch {
	case len(f.Rules) > 0 && f.Rule(u) < 0:
		return Answer{}
	case len(f.Rules) > 0:
		return Answer{Variants: Weights}
	case listed:
		return Answer{True: 100}
	}
	return Answer{True: f.Percent}
}

var (
	countries = []string{"brazil", "china", "france", "germany", "india", "japan", "kenya", "norway"}
	plans     = []string{"free", "basic", "team", "business", "enterprise"}
	languages = []string{"ar", "de", "en", "es", "fr", "ja", "nb", "pt", "sw", "zh"}
)

// ruleFlag returns a flag of five rules with two conditions each, of which the
// first holds for most users and the second for few: so most rules are looked at
// in full, and users go down to the rule that is theirs. The number decides about
// the conditions' values.
func ruleFlag(key string, number int) Flag {
	r := rand.New(rand.NewPCG(uint64(number), 5))
	some := func(attribute string, of []string, n int) Condition {
		texts := make([]string, n)
		for i, at := range r.Perm(len(of))[:n] {
			texts[i] = of[at]
		}
		slices.Sort(texts)
		return Condition{Attribute: attribute, Texts: texts}
	}
	few := func(attribute string, limit int) Condition {
		return Condition{Attribute: attribute, AtLeast: limit*8/10 + r.IntN(limit/5)}
	}
	most := func(attribute string, limit int) Condition {
		return Condition{Attribute: attribute, AtLeast: 1 + r.IntN(limit/5)}
	}
	return Flag{Key: key, Rules: []Rule{
		{some("country", countries, 6), few("age", 100)},
		{some("language", languages, 8), some("country", countries, 1)},
		{most("age", 100), few("version", 10_000)},
		{most("version", 10_000), some("language", languages, 1)},
		{some("country", countries, 6), some("plan", plans, 1)},
	}}
}

// RuleFlags returns n flags of five rules.
func RuleFlags(n int) []Flag {
	flags := make([]Flag, n)
	for i := range flags {
		flags[i] = ruleFlag(fmt.Sprintf("rules-%d", i), i)
	}
	return flags
}

// Rollouts returns n flags that are on for 30% of all users.
func Rollouts(n int) []Flag {
	flags := make([]Flag, n)
	for i := range flags {
		flags[i] = Flag{Key: fmt.Sprintf("rollout-%d", i), Percent: 30}
	}
	return flags
}

// Changed returns flags with n of them, from the first on, made different: from those
// that RuleFlags returns, and from those of another round, which starts at 1.
func Changed(flags []Flag, n, round int) []Flag {
	flags = slices.Clone(flags)
	for i := range n {
		flags[i] = ruleFlag(flags[i].Key, len(flags)*round+i)
	}
	return flags
}

// IDs returns n ids; no two calls with another first have one in common.
func IDs(first, n int) []string {
	ids := make([]string, n)
	for i := range ids {
		ids[i] = fmt.Sprintf("user-%07d", first+i)
	}
	return ids
}

// Users returns n users whose attributes are drawn at random, the same each time.
func Users(n int) []User {
	users := make([]User, n)
	r := rand.New(rand.NewPCG(1, 2))
	for i, id := range IDs(0, n) {
		users[i] = randomUser(r, id)
	}
	return users
}

// EvenUsers returns n users of which equal numbers are matched by each of the
// flag's rules, and as many by none.
func EvenUsers(f *Flag, n int) []User {
	users := make([]User, n)
	r := rand.New(rand.NewPCG(3, 4))
	for i, id := range IDs(0, n) {
		want := i%(len(f.Rules)+1) - 1
		for users[i] = randomUser(r, id); f.Rule(&users[i]) != want; {
			users[i] = randomUser(r, id)
		}
	}
	return users
}

// version returns the version with that build, which is below 10,000.
func version(build int) string {
	return fmt.Sprintf("%d.%d.%d", build/1000, build/10%100, build%10)
}

func randomUser(r *rand.Rand, id string) User {
	build := r.IntN(10_000)
	return User{
		ID:       id,
		Country:  countries[r.IntN(len(countries))],
		Plan:     plans[r.IntN(len(plans))],
		Language: languages[r.IntN(len(languages))],
		Age:      r.IntN(100),
		Version:  version(build),
		Build:    build,
	}
}
