package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"
	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	"github.com/launchdarkly/go-server-sdk-evaluation/v3/ldbuilders"
	"github.com/launchdarkly/go-server-sdk-evaluation/v3/ldmodel"

	"github.com/serin-flags/serin/bench"
	"github.com/serin-flags/serin/bundle"
	"github.com/serin-flags/serin/ci"
	"github.com/serin-flags/serin/evaluator"
	"github.com/serin-flags/serin/sdk"
)

// perFolder is how many flags are in one folder of flag files, which has a limit. The
// folders are published together, each as a namespace.
const perFolder = 50_000

// publish writes flag files below dir, checks and compiles them, and signs and publishes
// what comes of that into dir, as people's flags are.
func (e *estate) publish(dir string) error {
	var payloads []bundle.Payload
	for i := 0; i*perFolder < len(e.flags); i++ {
		folder := filepath.Join(dir, fmt.Sprintf("flags-%d", i))
		part := e.flags[i*perFolder : min((i+1)*perFolder, len(e.flags))]
		if err := e.write(folder, fmt.Sprintf("part-%d", i), part); err != nil {
			return err
		}
		checked, err := ci.Load(folder)
		if err != nil {
			return err
		}
		compiled, err := checked.Compile(bench.Environment)
		if err != nil {
			return err
		}
		payloads = append(payloads, compiled...)
	}
	return bench.PublishSerin(dir, payloads)
}

// write writes flag files: in JSON, which is YAML.
func (e *estate) write(dir, namespace string, flags []flagSpec) error {
	attributes := map[string]any{"user": map[string]any{"type": "string", "unit": true}}
	for name, kind := range e.attributes {
		attributes[name] = map[string]any{"type": kind}
	}
	files := map[string]any{
		"serin.yaml":   map[string]any{"environments": []string{bench.Environment}},
		"context.yaml": map[string]any{"attributes": attributes},
	}
	for name, s := range e.segments {
		file := map[string]any{}
		if len(s.include) > 0 {
			file["include"] = s.include
		}
		if s.when != nil {
			file["when"] = s.when.file
		}
		files["segments/"+name+".yaml"] = file
	}
	for name, keys := range e.layers {
		var shares []any
		for _, key := range keys {
			shares = append(shares, map[string]any{"flag": key, "share": fmt.Sprintf("%d%%", 100/len(keys))})
		}
		files["layers/"+name+".yaml"] = map[string]any{"shares": shares}
	}
	for i := range flags {
		files[namespace+"/"+flags[i].key+".yaml"] = flags[i].file()
	}
	for name, file := range files {
		data, err := json.Marshal(file)
		if err != nil {
			return err
		}
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			return err
		}
		if err := os.WriteFile(path, data, 0o666); err != nil {
			return err
		}
	}
	return nil
}

// file returns what is in a flag's file.
func (f *flagSpec) file() map[string]any {
	var rules []any
	for i, r := range f.rules {
		made := map[string]any{"name": fmt.Sprintf("rule %d", i)}
		when := r.when.file
		if f.requires != "" {
			when = requiring(f.requires, when)
		}
		if when != nil {
			made["when"] = when
		}
		made["serve"] = r.serve(i)
		rules = append(rules, made)
	}
	file := map[string]any{"type": "string", "default": "none", "rules": rules}
	if f.layer != "" {
		file["exclusive"] = f.layer
	}
	return file
}

// serve returns what a rule's file says that it serves.
func (r *rule) serve(number int) any {
	if r.ramp {
		return map[string]any{
			"ramp":   variant(number, r.shares[0]),
			"linear": map[string]any{"start": "2026-01-01", "end": "2027-01-01"},
		}
	}
	if len(r.shares) == 0 {
		return served(number)
	}
	shares := make(map[string]any)
	for _, s := range r.shares {
		shares[variant(number, s)] = fmt.Sprintf("%d%%", s.percent)
	}
	return shares
}

// publishPeer writes what LaunchDarkly's service would send.
func (e *estate) publishPeer(dir string) error {
	data := bench.LDData{Flags: make(map[string]ldmodel.FeatureFlag), Segments: make(map[string]ldmodel.Segment)}
	for i := range e.flags {
		f := &e.flags[i]
		data.Flags[f.key] = f.peer()
		for _, r := range f.rules {
			for _, s := range r.when.segments {
				data.Segments[s.Key] = s
			}
		}
	}
	return bench.PublishLD(dir, data)
}

// peer returns LaunchDarkly's form of a flag.
func (f *flagSpec) peer() ldmodel.FeatureFlag {
	values := []ldvalue.Value{ldvalue.String("none")}
	index := func(name string) int {
		values = append(values, ldvalue.String(name))
		return len(values) - 1
	}
	b := ldbuilders.NewFlagBuilder(f.key).Version(1).On(true).Salt(f.key).OffVariation(0).FallthroughVariation(0)
	if f.requires != "" {
		b.AddPrerequisite(f.requires, 1)
	}
	for i, r := range f.rules {
		made := ldbuilders.NewRuleBuilder().ID(fmt.Sprintf("rule-%d", i)).Clauses(r.when.clauses...)
		if len(r.shares) == 0 {
			made.Variation(index(served(i)))
		} else {
			var buckets []ldmodel.WeightedVariation
			for _, s := range r.shares {
				buckets = append(buckets, ldbuilders.Bucket(index(variant(i, s)), s.percent*1000))
			}
			made.VariationOrRollout(ldbuilders.Rollout(buckets...))
		}
		b.AddRule(made)
	}
	return b.Variations(values...).Build()
}

// context returns a person as Serin's context.
func (p *person) context() sdk.Context {
	attrs := make([]evaluator.Attr, 0, len(p.attrs))
	for _, a := range p.attrs {
		switch v := a.value.(type) {
		case string:
			attrs = append(attrs, sdk.Attr(a.name, v))
		case int:
			attrs = append(attrs, sdk.Attr(a.name, v))
		case []string:
			attrs = append(attrs, sdk.Attr(a.name, v))
		default:
			panic(fmt.Sprintf("attribute %s is a %T", a.name, v))
		}
	}
	return sdk.User(p.id, attrs...)
}

// peer returns a person as LaunchDarkly's context.
func (p *person) peer() ldcontext.Context {
	b := ldcontext.NewBuilder(p.id)
	for _, a := range p.attrs {
		switch v := a.value.(type) {
		case string:
			b.SetString(a.name, v)
		case int:
			b.SetInt(a.name, v)
		case []string:
			b.SetValue(a.name, ldvalue.ArrayOf(values(v, ldvalue.String)...))
		}
	}
	return b.Build()
}
