package bench

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/launchdarkly/go-jsonstream/v3/jreader"
	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"
	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	ldeval "github.com/launchdarkly/go-server-sdk-evaluation/v3"
	"github.com/launchdarkly/go-server-sdk-evaluation/v3/ldbuilders"
	"github.com/launchdarkly/go-server-sdk-evaluation/v3/ldmodel"
)

// launchDarkly is the evaluation module alone, with the flags at hand: no store,
// no lookup by name, no events.
type launchDarkly struct{}

func (launchDarkly) Name() string { return "LaunchDarkly evaluation" }

// LDData is what LaunchDarkly's service sends: flags and segments by key.
type LDData struct {
	Flags    map[string]ldmodel.FeatureFlag `json:"flags"`
	Segments map[string]ldmodel.Segment     `json:"segments"`
}

// ldPath is where the SDK polls.
const ldPath = "sdk/latest-all"

func (launchDarkly) Publish(dir string, e *Estate) error {
	data := LDData{make(map[string]ldmodel.FeatureFlag), make(map[string]ldmodel.Segment)}
	for i := range e.Flags {
		f := &e.Flags[i]
		if len(f.Rules) > 0 {
			data.Flags[f.Key] = ldRuleFlag(f)
			continue
		}
		if f.Named {
			data.Segments[f.Key] = ldbuilders.NewSegmentBuilder(f.Key).Version(1).Included(f.IDs...).Salt(f.Key).Build()
		}
		data.Flags[f.Key] = ldBoolFlag(f)
	}
	return PublishLD(dir, data)
}

// PublishLD writes flags and segments into the folder dir, for [LoadLD].
func PublishLD(dir string, data LDData) error { return writeJSON(filepath.Join(dir, ldPath), data) }

// writeJSON writes a file, making its folder.
func writeJSON(path string, value any) error {
	data, err := json.Marshal(value)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return err
	}
	return os.WriteFile(path, data, 0o666)
}

func ldBoolFlag(f *Flag) ldmodel.FeatureFlag {
	b := ldbuilders.NewFlagBuilder(f.Key).Version(1).On(true).Salt(f.Key).OffVariation(0).
		Variations(ldvalue.Bool(false), ldvalue.Bool(true))
	switch {
	case f.Named:
		b.AddRule(ldbuilders.NewRuleBuilder().ID("list").Variation(1).
			Clauses(ldbuilders.SegmentMatchClause(f.Key)))
	case len(f.IDs) > 0:
		b.AddTarget(1, f.IDs...)
	}
	switch f.Percent {
	case 0:
		b.FallthroughVariation(0)
	case 100:
		b.FallthroughVariation(1)
	default:
		b.Fallthrough(ldbuilders.Rollout(ldbuilders.Bucket(0, (100-f.Percent)*1000),
			ldbuilders.Bucket(1, f.Percent*1000)))
	}
	return b.Build()
}

func ldRuleFlag(f *Flag) ldmodel.FeatureFlag {
	values := []ldvalue.Value{ldvalue.String("off")}
	var buckets []ldmodel.WeightedVariation
	for i, v := range Variants {
		values = append(values, ldvalue.String(v))
		buckets = append(buckets, ldbuilders.Bucket(1+i, Weights[i]*1000))
	}
	b := ldbuilders.NewFlagBuilder(f.Key).Version(1).On(true).Salt(f.Key).OffVariation(0).
		Variations(values...).FallthroughVariation(0)
	for i, r := range f.Rules {
		b.AddRule(ldbuilders.NewRuleBuilder().ID(fmt.Sprintf("rule-%d", i)).
			Clauses(ldClause(&r[0]), ldClause(&r[1])).
			VariationOrRollout(ldbuilders.Rollout(buckets...)))
	}
	return b.Build()
}

func ldClause(c *Condition) ldmodel.Clause {
	if c.Attribute == "version" { // there is no "at least"
		return ldbuilders.Negate(ldbuilders.Clause(c.Attribute, ldmodel.OperatorSemVerLessThan,
			ldvalue.String(version(c.AtLeast))))
	}
	if len(c.Texts) == 0 {
		return ldbuilders.Clause(c.Attribute, ldmodel.OperatorGreaterThanOrEqual, ldvalue.Int(c.AtLeast))
	}
	texts := make([]ldvalue.Value, len(c.Texts))
	for i, t := range c.Texts {
		texts[i] = ldvalue.String(t)
	}
	return ldbuilders.Clause(c.Attribute, ldmodel.OperatorIn, texts...)
}

func (launchDarkly) Load(p Place) (Client, error) { return loadLD(p.Dir) }

// LoadLD returns LaunchDarkly's evaluation module with what [PublishLD] has written
// into the folder dir, and the flags.
func LoadLD(dir string) (ldeval.Evaluator, map[string]*ldmodel.FeatureFlag, error) {
	c, err := loadLD(dir)
	if err != nil {
		return nil, nil, err
	}
	return c.evaluator, c.flags, nil
}

// loadLD reads flags as the SDK does, which preprocesses them.
func loadLD(dir string) (*ldClient, error) {
	data, err := os.ReadFile(filepath.Join(dir, ldPath))
	if err != nil {
		return nil, err
	}
	c := &ldClient{flags: make(map[string]*ldmodel.FeatureFlag), segments: make(map[string]*ldmodel.Segment)}
	c.evaluator = ldeval.NewEvaluator(c)
	r := jreader.NewReader(data)
	for part := r.Object(); part.Next(); {
		switch string(part.Name()) {
		case "flags":
			for items := r.Object(); items.Next(); {
				f := ldmodel.UnmarshalFeatureFlagFromJSONReader(&r)
				c.flags[f.Key] = &f
			}
		case "segments":
			for items := r.Object(); items.Next(); {
				s := ldmodel.UnmarshalSegmentFromJSONReader(&r)
				c.segments[s.Key] = &s
			}
		}
	}
	return c, r.Error()
}

type ldClient struct {
	evaluator ldeval.Evaluator
	flags     map[string]*ldmodel.FeatureFlag
	segments  map[string]*ldmodel.Segment
}

// GetFeatureFlag and GetSegment make a client the evaluator's DataProvider.
func (c *ldClient) GetFeatureFlag(key string) *ldmodel.FeatureFlag { return c.flags[key] }
func (c *ldClient) GetSegment(key string) *ldmodel.Segment         { return c.segments[key] }

func (c *ldClient) evaluate(flag string, u *User) ldvalue.Value {
	return c.evaluator.Evaluate(c.flags[flag], ldContext(u), nil).Detail.Value
}

func (c *ldClient) Bool(flag string, u *User) bool   { return c.evaluate(flag, u).BoolValue() }
func (c *ldClient) Text(flag string, u *User) string { return c.evaluate(flag, u).StringValue() }
func (c *ldClient) Close() error                     { return nil }

func (c *ldClient) All(keys []string, u *User) map[string]string {
	answers := make(map[string]string)
	for _, key := range keys {
		answers[key] = c.Text(key, u)
	}
	return answers
}

func ldContext(u *User) ldcontext.Context {
	if u.City != "" {
		return ldListContext(u)
	}
	return ldcontext.NewBuilder(u.ID).
		SetString("country", u.Country).
		SetString("plan", u.Plan).
		SetString("language", u.Language).
		SetInt("age", u.Age).
		SetString("version", u.Version).
		Build()
}

// ldListContext returns one of [ListUsers].
func ldListContext(u *User) ldcontext.Context {
	return ldcontext.NewBuilder(u.ID).
		SetString("country", u.Country).
		SetString("city", u.City).
		SetString("channel", u.Channel).
		SetString("version", u.Version).
		Build()
}
