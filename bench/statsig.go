package bench

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	sg "github.com/statsig-io/go-sdk"
)

// statsig is the SDK in local mode, with a data adapter that reads files, and
// with no diagnostics, exposures, country lookup and user agent parser.
type statsig struct{}

func (statsig) Name() string { return "Statsig" }

// sgInline is how many ids a condition may list. More of them go into an ID list,
// which has an index.
const sgInline = 1000

// sgFolder has a file for each key of the data adapter.
const sgFolder = "statsig"

func (statsig) Publish(dir string, e *Estate) error {
	var gates, configs []object
	lists := object{}
	for i := range e.Flags {
		f := &e.Flags[i]
		if len(f.Rules) > 0 {
			configs = append(configs, sgRuleFlag(f)...)
			continue
		}
		if len(f.IDs) > sgInline {
			content := sgList(f.IDs)
			lists[f.Key] = object{"name": f.Key, "size": len(content), "creationTime": 1, "url": "file:" + f.Key,
				"fileID": f.Key}
			if err := writeFile(sgPath(dir, sg.ID_LISTS_KEY+"::"+f.Key), content); err != nil {
				return err
			}
		}
		gates = append(gates, sgBoolFlag(f))
	}
	if err := writeJSON(sgPath(dir, sg.ID_LISTS_KEY), lists); err != nil {
		return err
	}
	return writeJSON(sgPath(dir, sg.CONFIG_SPECS_KEY), object{
		"has_updates": true, "time": 1_700_000_000_000, "feature_gates": gates, "dynamic_configs": configs,
		"layer_configs": []object{},
	})
}

func sgPath(dir, key string) string {
	return filepath.Join(dir, sgFolder, strings.ReplaceAll(key, ":", "_"))
}

func writeFile(path, content string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return err
	}
	return os.WriteFile(path, []byte(content), 0o666)
}

// sgList returns an ID list: the first 8 characters of each id's SHA-256.
func sgList(ids []string) string {
	var b strings.Builder
	for _, id := range ids {
		sum := sha256.Sum256([]byte(id))
		b.WriteString("+" + base64.StdEncoding.EncodeToString(sum[:])[:8] + "\n")
	}
	return b.String()
}

func sgBoolFlag(f *Flag) object {
	var rules []object
	rule := func(id string, percent int, condition object) {
		rules = append(rules, object{
			"name": id, "id": id, "salt": id, "passPercentage": percent, "idType": "userID",
			"returnValue": true, "conditions": []object{condition},
		})
	}
	switch {
	case len(f.IDs) > sgInline:
		rule("list", 100, object{"type": "unit_id", "idType": "userID", "operator": "in_segment_list",
			"targetValue": f.Key})
	case len(f.IDs) > 0:
		rule("list", 100, object{"type": "unit_id", "idType": "userID", "operator": "any_case_sensitive",
			"targetValue": f.IDs})
	}
	if f.Percent > 0 {
		rule("rollout", f.Percent, object{"type": "public"})
	}
	return object{
		"name": f.Key, "type": "feature_gate", "salt": f.Key, "enabled": true, "idType": "userID",
		"defaultValue": false, "rules": rules, "entity": "feature_gate",
	}
}

// sgRuleFlag returns a dynamic config, and an experiment that its rules refer to
// for the split, since a rule of this system has no split of its own.
func sgRuleFlag(f *Flag) []object {
	split := f.Key + "-split"
	var groups, rules []object
	sum := 0
	for i, v := range Variants {
		sum += Weights[i]
		condition := object{
			"type": "user_bucket", "operator": "lt", "targetValue": sum * 10, "idType": "userID",
			"additionalValues": object{"salt": split},
		}
		if sum == 100 {
			condition = object{"type": "public"} // saves the hash
		}
		groups = append(groups, object{
			"name": v, "id": v, "groupName": v, "salt": v, "passPercentage": 100, "idType": "userID",
			"isExperimentGroup": true, "returnValue": object{"value": v}, "conditions": []object{condition},
		})
	}
	for i, r := range f.Rules {
		id := fmt.Sprintf("rule-%d", i)
		rules = append(rules, object{
			"name": id, "id": id, "salt": id, "passPercentage": 100, "idType": "userID", "returnValue": object{},
			"configDelegate": split, "conditions": []object{sgCondition(&r[0]), sgCondition(&r[1])},
		})
	}
	config := func(name, entity string, rules []object) object {
		return object{
			"name": name, "type": "dynamic_config", "salt": name, "enabled": true, "idType": "userID",
			"defaultValue": object{"value": "off"}, "rules": rules, "entity": entity, "isActive": true,
		}
	}
	return []object{config(f.Key, "dynamic_config", rules), config(split, "experiment", groups)}
}

func sgCondition(c *Condition) object {
	o := object{"type": "user_field", "field": c.Attribute}
	switch {
	case c.Attribute == "version":
		o["operator"], o["targetValue"] = "version_gte", version(c.AtLeast)
	case len(c.Texts) == 0:
		o["operator"], o["targetValue"] = "gte", c.AtLeast
	case len(c.Texts) == 1:
		o["operator"], o["targetValue"] = "eq", c.Texts[0]
	default:
		o["operator"], o["targetValue"] = "any_case_sensitive", c.Texts
	}
	return o
}

func (statsig) Load(p Place) (Client, error) {
	const never = 24 * time.Hour
	client, details := sg.NewClientWithDetails("secret-key", &sg.Options{
		LocalMode:          true,
		DataAdapter:        sgFiles(p.Dir),
		ConfigSyncInterval: never,
		IDListSyncInterval: never,
		LoggingInterval:    never,
		StatsigLoggerOptions: sg.StatsigLoggerOptions{
			DisableInitDiagnostics: true, DisableSyncDiagnostics: true, DisableApiDiagnostics: true,
			DisableAllLogging: true,
		},
		IPCountryOptions: sg.IPCountryOptions{Disabled: true},
		UAParserOptions:  sg.UAParserOptions{Disabled: true},
	})
	if details.Error != nil || details.Source != sg.SourceDataAdapter {
		return nil, fmt.Errorf("starting the Statsig SDK: source %q, error %v", details.Source, details.Error)
	}
	return sgClient{client}, nil
}

// sgFiles is a data adapter.
type sgFiles string

func (f sgFiles) Get(key string) string {
	data, err := os.ReadFile(sgPath(string(f), key))
	if err != nil {
		panic(err) // which the SDK takes as having nothing
	}
	return string(data)
}
func (sgFiles) Set(string, string)                         {}
func (sgFiles) Initialize()                                {}
func (sgFiles) Shutdown()                                  {}
func (sgFiles) ShouldBeUsedForQueryingUpdates(string) bool { return true }

type sgClient struct{ *sg.Client }

func (c sgClient) Close() error {
	c.Shutdown()
	return nil
}

func (c sgClient) Bool(flag string, u *User) bool {
	return c.CheckGateWithExposureLoggingDisabled(sgUser(u), flag)
}

func (c sgClient) Text(flag string, u *User) string {
	config := c.GetConfigWithExposureLoggingDisabled(sgUser(u), flag)
	return config.GetString("value", "")
}

func (c sgClient) All(keys []string, u *User) map[string]string {
	answers := make(map[string]string)
	for _, key := range keys {
		answers[key] = c.Text(key, u)
	}
	return answers
}

// sgUser puts the country, for which there is a field, there, and the rest where
// it belongs.
func sgUser(u *User) sg.User {
	return sg.User{
		UserID:  u.ID,
		Country: u.Country,
		Custom:  map[string]any{"plan": u.Plan, "language": u.Language, "age": u.Age, "version": u.Version},
	}
}
