package bench

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"

	gb "github.com/growthbook/growthbook-golang"
)

// growthBook has no callbacks, plugins or sticky buckets, and a logger that
// discards everything. A user is a child client with attributes.
type growthBook struct{}

func (growthBook) Name() string { return "GrowthBook" }

// object is a JSON object.
type object = map[string]any

const gbFile = "growthbook.json"

func (growthBook) Publish(dir string, e *Estate) error {
	features, groups := object{}, object{}
	for i := range e.Flags {
		f := &e.Flags[i]
		if len(f.Rules) > 0 {
			features[f.Key] = gbRuleFlag(f)
			continue
		}
		if f.Named {
			groups[f.Key] = object{"type": "list", "attributeKey": "id", "values": f.IDs}
		}
		features[f.Key] = gbBoolFlag(f)
	}
	return writeJSON(filepath.Join(dir, gbFile), object{
		"status": 200, "features": features, "savedGroups": groups, "dateUpdated": "2026-01-02T03:04:05.000Z",
	})
}

func gbBoolFlag(f *Flag) object {
	var rules []object
	switch {
	case f.Named:
		rules = append(rules, object{"condition": object{"id": object{"$inGroup": f.Key}}, "force": true})
	case len(f.IDs) > 0:
		rules = append(rules, object{"condition": object{"id": object{"$in": f.IDs}}, "force": true})
	}
	if f.Percent != 0 && f.Percent != 100 {
		rules = append(rules, object{"force": true, "coverage": float64(f.Percent) / 100, "hashAttribute": "id"})
	}
	return object{"defaultValue": f.Percent == 100, "rules": rules}
}

func gbRuleFlag(f *Flag) object {
	// The service sends weights; a client that gets ranges needn't work them out.
	var ranges [][2]float64
	sum := 0
	for _, w := range Weights {
		ranges = append(ranges, [2]float64{float64(sum) / 100, float64(sum+w) / 100})
		sum += w
	}
	var rules []object
	for _, r := range f.Rules {
		condition := object{}
		for _, c := range r {
			condition[c.Attribute] = gbCondition(&c)
		}
		rules = append(rules, object{
			"condition": condition, "variations": Variants, "ranges": ranges,
			"hashAttribute": "id", "hashVersion": 2, "key": f.Key,
		})
	}
	return object{"defaultValue": "off", "rules": rules}
}

func gbCondition(c *Condition) any {
	switch {
	case c.Attribute == "version":
		return object{"$vgte": version(c.AtLeast)}
	case len(c.Texts) == 0:
		return object{"$gte": c.AtLeast}
	case len(c.Texts) == 1:
		return object{"$eq": c.Texts[0]}
	}
	return object{"$in": c.Texts}
}

// Load hands over what the service's API answers, as the SDK's own data sources
// do.
func (growthBook) Load(p Place) (Client, error) {
	data, err := os.ReadFile(filepath.Join(p.Dir, gbFile))
	if err != nil {
		return nil, err
	}
	client, err := gb.NewClient(context.Background(), gb.WithLogger(slog.New(slog.DiscardHandler)))
	if err != nil {
		return nil, err
	}
	if err := client.UpdateFromApiResponseJSON(string(data)); err != nil {
		return nil, err
	}
	return gbClient{client}, nil
}

type gbClient struct{ *gb.Client }

// user returns the client of a user.
func (c gbClient) user(u *User) *gb.Client {
	child, err := c.WithAttributes(gb.Attributes{
		"id": u.ID, "country": u.Country, "plan": u.Plan, "language": u.Language, "age": u.Age, "version": u.Version,
	})
	if err != nil {
		panic(err) // no attribute can cause one
	}
	return child
}

func (c gbClient) Bool(flag string, u *User) bool {
	return c.user(u).EvalFeature(context.Background(), flag).On
}

func (c gbClient) Text(flag string, u *User) string {
	value, _ := c.user(u).EvalFeature(context.Background(), flag).Value.(string)
	return value
}

func (c gbClient) All(keys []string, u *User) map[string]string {
	answers := make(map[string]string)
	for _, key := range keys {
		answers[key] = c.Text(key, u)
	}
	return answers
}
