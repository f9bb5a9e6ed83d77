package bench

import (
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/serin-flags/serin/bundle"
	"github.com/serin-flags/serin/ci/filestore"
	"github.com/serin-flags/serin/ci/release"
	"github.com/serin-flags/serin/evaluator"
	"github.com/serin-flags/serin/sdk"
)

// serin asks by handle, or by name. Both load the same.
type serin struct{ byName bool }

func (s serin) Name() string {
	if s.byName {
		return "Serin by name"
	}
	return "Serin"
}

// Environment is the environment in which Serin's flags are published.
const Environment = "bench"

func (serin) Publish(dir string, e *Estate) error { return PublishSerin(dir, serinPayloads(e)) }

// PublishSerin writes a repository of payloads of [Environment] into the folder dir,
// signed, and makes keys if the folder has none. Publishing into the same folder
// again makes another revision.
func PublishSerin(dir string, payloads []bundle.Payload) error {
	keyDir := filepath.Join(dir, "serin-keys")
	if _, err := os.Stat(keyDir); err != nil {
		if _, err := release.InitKeys(keyDir, Environment); err != nil {
			return err
		}
	}
	keys, err := release.LoadKeys(keyDir)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "serin-root.json"), keys.Root, 0o666); err != nil {
		return err
	}
	_, err = release.Publish(context.Background(), release.Options{
		Store:       filestore.New(filepath.Join(dir, "serin")),
		Keys:        keys,
		Environment: Environment,
		Payloads:    payloads,
	})
	return err
}

// PublishRevision publishes an estate as [PublishSerin] does, and returns the root.
func PublishRevision(dir string, e *Estate) (root []byte, err error) {
	if err := PublishSerin(dir, serinPayloads(e)); err != nil {
		return nil, err
	}
	return os.ReadFile(filepath.Join(dir, "serin-root.json"))
}

// serinPayloads cuts an estate into namespaces.
func serinPayloads(e *Estate) []bundle.Payload {
	n := max(e.Namespaces, 1)
	payloads := make([]bundle.Payload, n)
	for i := range payloads {
		flags := e.Flags[i*len(e.Flags)/n : (i+1)*len(e.Flags)/n]
		payloads[i] = bundle.Payload{
			Environment: Environment,
			Namespace:   fmt.Sprintf("part-%d", i),
			Ruleset:     serinRuleset(flags),
		}
	}
	return payloads
}

// serinRuleset has the flags in the order of their keys, as they are compiled from
// files.
func serinRuleset(flags []Flag) evaluator.Ruleset {
	flags = slices.SortedFunc(slices.Values(flags), func(a, b Flag) int { return strings.Compare(a.Key, b.Key) })
	set := evaluator.Ruleset{
		Unit: "user",
		Attributes: []evaluator.Attribute{
			{Name: "age", Type: evaluator.AttrInteger},
			{Name: "version", Type: evaluator.AttrSemver},
			{Name: "channel", Type: evaluator.AttrString},
			{Name: "city", Type: evaluator.AttrString},
			{Name: "country", Type: evaluator.AttrString},
			{Name: "language", Type: evaluator.AttrString},
			{Name: "plan", Type: evaluator.AttrString},
			{Name: "user", Type: evaluator.AttrString},
		},
	}
	for i := range flags {
		f := &flags[i]
		if len(f.Rules) > 0 {
			set.Flags = append(set.Flags, serinRuleFlag(f))
			continue
		}
		if f.Named {
			set.Segments = append(set.Segments, evaluator.Segment{Name: f.Key, Include: f.IDs})
		}
		set.Flags = append(set.Flags, serinBoolFlag(f))
	}
	return set
}

func serinBoolFlag(f *Flag) evaluator.Flag {
	flag := evaluator.Flag{
		Key:  f.Key,
		Type: evaluator.KindBool,
		Variants: []evaluator.Variant{
			{Name: "off", Value: evaluator.BoolValue(false)},
			{Name: "on", Value: evaluator.BoolValue(true)},
		},
	}
	if len(f.IDs) > 0 {
		when := &evaluator.Condition{Op: evaluator.OpOneOf, Attribute: "user", Strings: f.IDs}
		if f.Named {
			when = &evaluator.Condition{Op: evaluator.OpInSegment, Attribute: "user", Strings: []string{f.Key}}
		}
		flag.Rules = append(flag.Rules, evaluator.Rule{Name: "list", When: when, Variant: 1})
	}
	switch f.Percent {
	case 0:
	case 100:
		flag.Default = 1
	default:
		flag.Rules = append(flag.Rules,
			evaluator.Rule{Name: "rollout", Split: serinSplit(f.Key, 0, 100-f.Percent, f.Percent)})
	}
	return flag
}

func serinRuleFlag(f *Flag) evaluator.Flag {
	flag := evaluator.Flag{
		Key:      f.Key,
		Type:     evaluator.KindString,
		Variants: []evaluator.Variant{{Name: "off", Value: evaluator.StringValue("off")}},
	}
	for _, v := range Variants {
		flag.Variants = append(flag.Variants, evaluator.Variant{Name: v, Value: evaluator.StringValue(v)})
	}
	for i, r := range f.Rules {
		flag.Rules = append(flag.Rules, evaluator.Rule{
			Name: fmt.Sprintf("rule-%d", i),
			When: &evaluator.Condition{Op: evaluator.OpAll,
				Of: []evaluator.Condition{serinCondition(&r[0]), serinCondition(&r[1])}},
			Split: serinSplit(f.Key, 1, Weights[:]...),
		})
	}
	return flag
}

func serinCondition(c *Condition) evaluator.Condition {
	if len(c.Texts) > 0 {
		return evaluator.Condition{Op: evaluator.OpOneOf, Attribute: c.Attribute, Strings: c.Texts}
	}
	if c.Attribute == "version" {
		return evaluator.Condition{Op: evaluator.OpSemver, Attribute: c.Attribute,
			Strings: []string{">=" + version(c.AtLeast)}}
	}
	return evaluator.Condition{Op: evaluator.OpBetween, Attribute: c.Attribute,
		Ints: []int64{int64(c.AtLeast), math.MaxInt64}}
}

// serinSplit returns a split by weights in percent among variants, which stand
// one after the other from first on.
func serinSplit(salt string, first int, weights ...int) *evaluator.Split {
	s := &evaluator.Split{Bucketing: evaluator.Bucketing{By: "user", Salt: salt, Hash: evaluator.HashMurmur3}}
	sum := 0
	for i, w := range weights {
		from := uint64(sum) * evaluator.Positions / 100
		sum += w
		s.Ranges = append(s.Ranges,
			evaluator.Range{From: from, To: uint64(sum) * evaluator.Positions / 100, Variant: first + i})
	}
	return s
}

func (s serin) Load(p Place) (Client, error) {
	client, err := OpenSerin(p.Dir)
	if err != nil {
		return nil, err
	}
	if s.byName {
		return serinByName{serinClient{client}}, nil
	}
	return serinClient{client}, nil
}

// OpenSerin opens a client, which doesn't poll, of what [PublishSerin] has written
// into the folder dir.
func OpenSerin(dir string) (*sdk.Client, error) {
	source, err := sdk.File(filepath.Join(dir, "serin"))
	if err != nil {
		return nil, err
	}
	root, err := os.ReadFile(filepath.Join(dir, "serin-root.json"))
	if err != nil {
		return nil, err
	}
	return openSerin(source, root)
}

func openSerin(source bundle.Source, root []byte) (*sdk.Client, error) {
	client, err := sdk.Open(context.Background(), sdk.Config{Source: source, Root: root, Interval: -1})
	if err != nil {
		return nil, err
	}
	if err := client.Status().LastError; err != nil {
		client.Close()
		return nil, err
	}
	return client, nil
}

type serinClient struct{ *sdk.Client }

func (c serinClient) Bool(flag string, u *User) bool {
	return sdk.Bool(flag, false).Get(c.Client, serinContext(u))
}

func (c serinClient) Text(flag string, u *User) string {
	return sdk.String(flag, "").Get(c.Client, serinContext(u))
}

func (c serinClient) All(_ []string, u *User) map[string]string {
	answers := make(map[string]string)
	for key, result := range c.Snapshot().All(serinContext(u)) {
		answers[key], _ = result.Value().Text()
	}
	return answers
}

// serinByName learns the names of flags while it runs.
type serinByName struct{ serinClient }

func (c serinByName) Bool(flag string, u *User) bool {
	value, _ := c.Snapshot().Evaluate(flag, serinContext(u)).Value().Bool()
	return value
}

func (c serinByName) Text(flag string, u *User) string {
	value, _ := c.Snapshot().Evaluate(flag, serinContext(u)).Value().Text()
	return value
}

// SerinContext returns a user with all attributes, for Serin.
func SerinContext(u *User) sdk.Context { return serinContext(u) }

func serinContext(u *User) sdk.Context {
	if u.City != "" {
		return serinListContext(u)
	}
	return sdk.User(u.ID,
		sdk.Attr("country", u.Country),
		sdk.Attr("plan", u.Plan),
		sdk.Attr("language", u.Language),
		sdk.Attr("age", u.Age),
		sdk.Attr("version", u.Version))
}

// serinListContext returns one of [ListUsers].
func serinListContext(u *User) sdk.Context {
	return sdk.User(u.ID,
		sdk.Attr("country", u.Country),
		sdk.Attr("city", u.City),
		sdk.Attr("channel", u.Channel),
		sdk.Attr("version", u.Version))
}
