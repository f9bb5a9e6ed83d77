package unleash

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/serin-flags/serin/ci/importer"
)

const (
	rolloutHash = "unleash"
	variantHash = "unleash-variants"
)

// A rollout is who a strategy is on for, among those that meet its constraints.
type rollout struct {
	attributes []string // that users are hashed by; the first that the context has counts
	percentage uint64
	group      string
	falls      bool // to a random draw without any of the attributes
	condition  importer.Condition
}

// strategy returns the rules for a strategy. Final says that it is on for everyone.
func (r *reader) strategy(flag *importer.Flag, f *feature, s *strategy, parents importer.Condition,
	last bool) (rules []importer.Rule, final bool, err error) {
	when, err := r.constraints(flag, s)
	if err != nil {
		return nil, false, err
	}
	when = importer.All(parents, when)
	out, err := s.rollout(flag)
	if err != nil {
		return nil, false, err
	}
	name := s.Title
	if name == "" {
		name = s.Name
	}
	all := importer.All(when, out.condition)
	if all.IsNever() {
		flag.Note(s.at, "it is on for nobody, so there is no rule for it")
		return nil, false, nil
	}
	if f.hasVariants() {
		rules, err = r.serveVariants(flag, f, s, all, name)
		return rules, all.IsAlways(), err
	}
	if last && len(out.attributes) > 0 && out.percentage < 100 {
		return out.splits(when, name), false, nil
	}
	return []importer.Rule{{Name: name, When: all, Serve: "on"}}, all.IsAlways(), nil
}

// splits returns a split for each attribute that users are hashed by.
func (o *rollout) splits(when importer.Condition, name string) []importer.Rule {
	var list []importer.Rule
	for i, by := range o.attributes {
		split := &importer.Split{By: by, Hash: rolloutHash, Salt: o.group,
			Ends: []importer.End{{Variant: "on", At: o.percentage}, {Variant: "off", At: 100}}}
		rule := importer.Rule{Name: name, When: when, Split: split}
		if i > 0 {
			rule.Name += " by " + by
		}
		list = append(list, rule)
	}
	return list
}

// rollout returns who the strategy is on for.
func (s *strategy) rollout(flag *importer.Flag) (*rollout, error) {
	p := func(name string) string { return string(s.Parameters[name]) }
	at := func(name string) string { return s.at + ".parameters." + name }
	o := new(rollout)
	switch s.Name {
	case "default":
		return o, nil
	case "userWithId":
		o.condition = importer.In("userId", false, split(p("userIds"))...).At(at("userIds"))
		return o, nil
	case "remoteAddress":
		var err error
		o.condition, err = networks(flag, "remoteAddress", split(p("IPs")), at("IPs"))
		return o, err
	case "applicationHostname":
		flag.Approximate(at("hostNames"),
			"Unleash compares with the name of the machine; programs must send it as the attribute \"hostname\"")
		o.condition = importer.In("hostname", true, split(strings.ToLower(p("hostNames")))...).At(at("hostNames"))
		return o, nil
	case "gradualRolloutUserId", "gradualRolloutSessionId":
		o.attributes = []string{"userId"}
		if s.Name == "gradualRolloutSessionId" {
			o.attributes = []string{"sessionId"}
		}
		o.group = p("groupId")
		return o, o.read(flag, p("percentage"), at("percentage"), at("groupId"))
	case "gradualRolloutRandom":
		o.falls = true
		return o, o.read(flag, p("percentage"), at("percentage"), at("groupId"))
	case "flexibleRollout":
		o.stick(p("stickiness"))
		if o.group = p("groupId"); o.group == "" {
			o.group = flag.Key
		}
		return o, o.read(flag, p("rollout"), at("rollout"), at("groupId"))
	}
	return nil, importer.Refusef(s.at+".name", "%q is a custom strategy, whose code isn't in the file", s.Name)
}

// stick sets what users are hashed by.
func (o *rollout) stick(stickiness string) {
	switch stickiness {
	case "", "default":
		o.attributes, o.falls = []string{"userId", "sessionId"}, true
	case "random":
		o.falls = true
	default:
		o.attributes = []string{stickiness}
	}
}

// randomStickiness says why what is sticky to nothing is refused.
const randomStickiness = "with random stickiness, Unleash chooses again for every call, so nobody's variant can be kept"

// read sets the condition for a percentage.
func (o *rollout) read(flag *importer.Flag, percentage, place, groupPlace string) error {
	number, err := strconv.ParseFloat(strings.TrimSpace(percentage), 64)
	switch {
	case err != nil || math.IsNaN(number):
		return importer.Refusef(place, "%q is no percentage", percentage)
	case number < 1:
		o.percentage, o.condition = 0, importer.Never
		return nil
	case number >= 100:
		o.percentage = 100
	default:
		o.percentage = uint64(number) // the bucket is a whole number
	}
	if o.percentage == 100 && o.falls {
		return nil
	}
	if len(o.attributes) == 0 {
		return importer.Refusef(place, randomStickiness)
	}
	if o.group == "" {
		return importer.Refusef(groupPlace, "there is no group ID, and clients disagree about what they hash then")
	}
	if o.falls {
		flag.Approximate(place,
			"contexts with neither userId nor sessionId draw at random in Unleash; here the strategy is off for them")
	}
	o.condition = o.buckets()
	return nil
}

// buckets returns the condition that a context is among those that the strategy is on for.
func (o *rollout) buckets() importer.Condition {
	any, none := importer.Never, importer.Always
	for _, a := range o.attributes {
		any = importer.Any(any, importer.All(none, importer.Bucket(a, rolloutHash, o.group, 0, 0, o.percentage)))
		none = importer.All(none, importer.Not(importer.HasPosition(a, rolloutHash, o.group, 0)))
	}
	return any
}

// split splits a list at commas, as clients do.
func split(list string) []string {
	if list == "" {
		return nil
	}
	return comma.Split(list, -1)
}

var comma = regexp.MustCompile(`\s*,\s*`)

// serveVariants returns the rules that serve the variants of the strategy or, if it has none,
// of the toggle, where when holds.
func (r *reader) serveVariants(flag *importer.Flag, f *feature, s *strategy, when importer.Condition,
	name string) ([]importer.Rule, error) {
	list, at, salt := f.Variants, flag.Place+".variants", f.Name
	stickiness := ""
	if len(s.Variants) > 0 {
		list, at, salt = s.Variants, s.at+".variants", string(s.Parameters["groupId"])
		stickiness = string(s.Parameters["stickiness"])
	}
	var ends []importer.End
	total := uint64(0)
	for i, v := range list {
		weight, err := strconv.ParseUint(v.Weight.String(), 10, 32)
		if v.Weight != "" && err != nil {
			return nil, importer.Refusef(fmt.Sprintf("%s[%d].weight", at, i),
				"%q is no weight: whole numbers are", v.Weight)
		}
		if total += weight; weight > 0 {
			ends = append(ends, importer.End{Variant: v.Name, At: total})
		}
	}
	switch {
	case total == 0: // also without variants: on, without one
		return []importer.Rule{{Name: name, When: when, Serve: enabled}}, nil
	case total > maxWeight:
		return nil, importer.Refusef(at, "the weights add up to more than %d", maxWeight)
	}
	rules := overrides(list, when, name, at)
	if len(ends) == 1 {
		return append(rules, importer.Rule{Name: name, When: when, Serve: ends[0].Variant}), nil
	}
	if list[0].Stickiness != "" {
		stickiness = list[0].Stickiness
	}
	if salt == "" {
		return nil, importer.Refusef(s.at+".parameters.groupId",
			"there is no group ID, and clients disagree about what they hash then")
	}
	if slices.ContainsFunc(ends, func(e importer.End) bool {
		return slices.ContainsFunc(ends, func(o importer.End) bool { return o != e && o.Variant == e.Variant })
	}) {
		return nil, importer.Refusef(at, "two variants have the same name")
	}
	if stickiness == "random" {
		return nil, importer.Refusef(at, randomStickiness)
	}
	return append(rules, drawVariants(flag, ends, stickiness, salt, when, name, at)...), nil
}

// drawVariants returns the rules that divide users among variants. Without what it is sticky
// to, Unleash draws at random.
func drawVariants(flag *importer.Flag, ends []importer.End, stickiness, salt string, when importer.Condition, name,
	at string) []importer.Rule {
	var o rollout
	o.stick(stickiness)
	var rules []importer.Rule
	total := ends[len(ends)-1].At
	for i, by := range o.attributes {
		split := &importer.Split{By: by, Hash: variantHash, Salt: salt, Positions: total, Ends: ends}
		if total == 1000 {
			split.Positions = 0
		}
		rule := importer.Rule{Name: name, When: when, Split: split}
		if i > 0 {
			rule.Name += " by " + by
		}
		rules = append(rules, rule)
	}
	if when.Needs(o.attributes...) {
		return rules
	}
	if len(o.attributes) > 1 {
		split := &importer.Split{By: "remoteAddress", Hash: variantHash, Salt: salt,
			Positions: rules[0].Split.Positions, Ends: ends}
		rules = append(rules, importer.Rule{Name: name + " by remoteAddress", When: when, Split: split,
			Optional: "without userId and sessionId, " +
				"Unleash draws a variant by remoteAddress; here it is drawn at random, because other rules compare remoteAddress as an address"})
	}
	flag.Note(at, "without %s, the variant is drawn at random, as in Unleash", strings.Join(o.attributes, " and "))
	return append(rules,
		importer.Rule{Name: name + " at random", When: when, Split: &importer.Split{By: importer.Chance, Ends: ends}})
}

// overrides returns the rules for contexts that get a variant whatever their position.
func overrides(list []variant, when importer.Condition, name, at string) []importer.Rule {
	var rules []importer.Rule
	for i, v := range list {
		any := importer.Never
		for j, o := range v.Overrides {
			place := fmt.Sprintf("%s[%d].overrides[%d]", at, i, j)
			any = importer.Any(any, importer.In(o.ContextName, false, o.Values...).At(place))
		}
		if !any.IsNever() {
			rules = append(rules, importer.Rule{Name: name + ": " + v.Name + " for chosen contexts",
				When: importer.All(when, any), Serve: v.Name})
		}
	}
	return rules
}
