package bench

import (
	"fmt"
	"log"
	"path/filepath"
	"time"

	ph "github.com/posthog/posthog-go"
)

// postHog evaluates locally, without falling back to the service, and sends no
// events. It fetches its flags from a server on this machine once.
type postHog struct{}

func (postHog) Name() string { return "PostHog" }

const phPath = "api/feature_flag/local_evaluation"

func (postHog) Publish(dir string, e *Estate) error {
	var flags []object
	for i := range e.Flags {
		flags = append(flags, phFlag(&e.Flags[i], i+1))
	}
	return writeJSON(filepath.Join(dir, phPath),
		object{"flags": flags, "group_type_mapping": object{}, "cohorts": object{}})
}

func phFlag(f *Flag, id int) object {
	var groups []object
	filters := object{}
	property := func(key, operator string, value any) object {
		return object{"key": key, "operator": operator, "value": value, "type": "person"}
	}
	if len(f.IDs) > 0 {
		groups = append(groups, object{"properties": []object{property("id", "exact", f.IDs)}})
	}
	switch {
	case len(f.Rules) > 0:
	case f.Percent == 100:
		groups = append(groups, object{"properties": []object{}}) // a percentage, be it 100, would cost a hash
	case f.Percent > 0:
		groups = append(groups, object{"properties": []object{}, "rollout_percentage": f.Percent})
	}
	for _, r := range f.Rules {
		var properties []object
		for _, c := range r {
			switch {
			case c.Attribute == "version":
				properties = append(properties, property("build", "gte", c.AtLeast))
			case len(c.Texts) == 0:
				properties = append(properties, property(c.Attribute, "gte", c.AtLeast))
			case len(c.Texts) == 1:
				properties = append(properties, property(c.Attribute, "exact", c.Texts[0]))
			default:
				properties = append(properties, property(c.Attribute, "exact", c.Texts))
			}
		}
		groups = append(groups, object{"properties": properties})
	}
	if len(f.Rules) > 0 {
		var variants []object
		for i, v := range Variants {
			variants = append(variants, object{"key": v, "name": v, "rollout_percentage": Weights[i]})
		}
		filters["multivariate"] = object{"variants": variants}
	}
	filters["groups"] = groups
	return object{"id": id, "key": f.Key, "name": f.Key, "active": true, "filters": filters}
}

func (postHog) Load(p Place) (Client, error) {
	client, err := ph.NewWithConfig("project-key", ph.Config{
		Endpoint:                           p.URL,
		PersonalApiKey:                     "personal-key",
		DefaultFeatureFlagsPollingInterval: 24 * time.Hour,
		Interval:                           24 * time.Hour,
		Logger:                             phLog{},
	})
	if err != nil {
		return nil, err
	}
	flags, err := client.GetFeatureFlags() // waits for them
	if err != nil || len(flags) == 0 {
		return nil, fmt.Errorf("starting the PostHog client: %d flags, error %v", len(flags), err)
	}
	return phClient{client}, nil
}

// phLog tells errors alone.
type phLog struct{}

func (phLog) Debugf(string, ...any)             {}
func (phLog) Logf(string, ...any)               {}
func (phLog) Warnf(string, ...any)              {}
func (phLog) Errorf(format string, args ...any) { log.Printf("posthog: "+format, args...) }

type phClient struct{ ph.Client }

func (c phClient) Bool(flag string, u *User) bool {
	value, _ := c.GetFeatureFlag(phQuestion(flag, u.ID, phProperties(u)))
	return value == true
}

func (c phClient) Text(flag string, u *User) string {
	value, _ := c.GetFeatureFlag(phQuestion(flag, u.ID, phProperties(u)))
	return phText(value)
}

// phText returns the variant: PostHog has none where no rule matches.
func phText(value any) string {
	if variant, ok := value.(string); ok {
		return variant
	}
	return "off"
}

func (c phClient) All(_ []string, u *User) map[string]string {
	answers := make(map[string]string)
	values, _ := c.GetAllFlags(phQuestionAll(u.ID, phProperties(u)))
	for key, value := range values {
		answers[key] = phText(value)
	}
	return answers
}

// phQuestion returns a question with everything in it that the client would
// otherwise make each time.
func phQuestion(flag, id string, properties ph.Properties) ph.FeatureFlagPayload {
	events := false
	return ph.FeatureFlagPayload{
		Key: flag, DistinctId: id, PersonProperties: properties,
		Groups: ph.Groups{}, GroupProperties: map[string]ph.Properties{},
		OnlyEvaluateLocally: true, SendFeatureFlagEvents: &events,
	}
}

func phQuestionAll(id string, properties ph.Properties) ph.FeatureFlagPayloadNoKey {
	events := false
	return ph.FeatureFlagPayloadNoKey{
		DistinctId: id, PersonProperties: properties,
		Groups: ph.Groups{}, GroupProperties: map[string]ph.Properties{},
		OnlyEvaluateLocally: true, SendFeatureFlagEvents: &events,
	}
}

func phProperties(u *User) ph.Properties {
	return ph.Properties{
		"id": u.ID, "country": u.Country, "plan": u.Plan, "language": u.Language, "age": u.Age, "build": u.Build,
	}
}
