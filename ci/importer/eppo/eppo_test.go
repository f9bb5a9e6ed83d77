package eppo

import (
	"crypto/md5"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/serin-flags/serin/ci/importer"
	"github.com/serin-flags/serin/ci/importer/internal/importtest"
	"github.com/serin-flags/serin/evaluator"
	"github.com/serin-flags/serin/internal/soak"
)

// TestSDKDecisions replays what the evaluator of Eppo's own SDKs for JavaScript assigned for
// random flags.
func TestSDKDecisions(t *testing.T) {
	importtest.File(t, Read, "testdata/flags.json").Replay(t, "testdata/decisions.jsonl")
}

// TestNobodyMoves holds that of many subjects, a million in a soak, none has another variation
// than Eppo's formula says.
func TestNobodyMoves(t *testing.T) {
	const exposure = `{"salt": "traffic", "ranges": [{"start": 0, "end": 6000}]}`
	imp, err := Read([]byte(`{"flags": {"f": {"enabled": true, "variationType": "STRING", "totalShards": 10000,
		"variations": {"a": {"value": "a"}, "b": {"value": "b"}, "z": {"value": "z"}}, "allocations": [
		{"key": "experiment", "splits": [{"variationKey": "a", "shards": [`+exposure+`, {"salt": "split", "ranges": [{"start": 0, "end": 3333}]}]},
			{"variationKey": "b", "shards": [`+exposure+`, {"salt": "split", "ranges": [{"start": 3333, "end": 6000}, {"start": 6000, "end": 10000}]}]}]},
		{"key": "others", "splits": [{"variationKey": "z", "shards": []}]}]}}}`), importer.Options{})
	if err != nil {
		t.Fatal(err)
	}
	shardOf := func(salt, id string) uint32 {
		sum := md5.Sum([]byte(salt + "-" + id))
		return binary.BigEndian.Uint32(sum[:]) % 10000
	}
	f := importtest.Import(t, imp).Flags.Flag("f")
	for i := range soak.Times(200_000, 1_000_000) {
		id := fmt.Sprintf("u-%d", i)
		want := "z"
		if shardOf("traffic", id) < 6000 {
			if want = "b"; shardOf("split", id) < 3333 {
				want = "a"
			}
		}
		if got := f.Evaluate(&evaluator.Context{Key: id}).Variant(); got != want {
			t.Fatalf("%s has %s, not %s", id, got, want)
		}
	}
}

// TestPeriod holds when an allocation counts.
func TestPeriod(t *testing.T) {
	folder := importtest.Text(t, Read, `{"flags": {"f": {"enabled": true, "variationType": "BOOLEAN", "totalShards": 100,
		"variations": {"on": {"value": true}, "off": {"value": false}}, "allocations": [
		{"key": "a", "startAt": "2026-12-01T09:00:00.250Z", "endAt": "2026-12-02T09:00:00+01:00", "splits": [{"variationKey": "on", "shards": []}]},
		{"key": "b", "splits": [{"variationKey": "off", "shards": []}]}]}}}`)
	for at, want := range map[string]string{"2026-12-01T08:59:59Z": "off", "2026-12-01T09:00:01Z": "on",
		"2026-12-02T07:59:59Z": "on", "2026-12-02T08:00:01Z": "off"} {
		now, err := time.Parse(time.RFC3339, at)
		if err != nil {
			t.Fatal(err)
		}
		if result, _ := folder.Ask(t, "f", map[string]any{"id": "u"}, now); result.Variant() != want {
			t.Errorf("at %s: %s, not %s", at, result.Variant(), want)
		}
	}
}

// TestRefusals holds what is refused, with its place.
func TestRefusals(t *testing.T) {
	condition := func(rest string) string {
		return `"allocations": [{"key": "k", "rules": [{"conditions": [{"attribute": "a", ` + rest +
			`}]}], "splits": [{"variationKey": "v", "shards": []}]}]`
	}
	shards := func(list string) string {
		return `"allocations": [{"key": "k", "splits": [{"variationKey": "v", "shards": [` + list + `]}]}]`
	}
	const at = "flags.f.allocations[0].rules[0].conditions[0]"
	const shard = "flags.f.allocations[0].splits[0].shards[0]"
	for _, test := range []struct{ flag, place, reason string }{
		{`"enabled": false`, "flags.f.enabled", "program's code"},
		{`"totalShards": 0`, "flags.f.totalShards", "2^32"},
		{`"totalShards": 4294967297`, "flags.f.totalShards", "2^32"},
		{`"variationType": "COLOUR"`, "flags.f.variationType", "unknown type"},
		{`"variations": {}`, "flags.f.variations", "no values"},
		{`"variations": {"v": {"value": 1}}`, "flags.f.variations", "not string"},
		{`"variations": {"v": {"value": null}}`, "flags.f.variations[0]", "null"},
		{`"variationType": "JSON", "variations": {"v": {"value": "{"}}`, "flags.f.variations.v", "isn't JSON"},
		{`"variationType": "INTEGER", "variations": {"v": {"value": 9007199254740993}}`, "flags.f.variations[0]", "2^53"},
		{`"allocations": []`, "flags.f.allocations", "program's code"},
		{condition(`"operator": "ONE_OF", "value": ["x"]`), "flags.f.allocations", "program's code"},
		{shards(`{"salt": "s", "ranges": [{"start": 0, "end": 99}]}`), "flags.f.allocations", "program's code"},
		{shards(`{"salt": "s", "ranges": [{"start": 0, "end": 60}, {"start": 50, "end": 100}]}`), shard + ".ranges", "overlaps"},
		{shards(`{"salt": "s", "ranges": [{"start": 60, "end": 50}]}`), shard + ".ranges", "inverted"},
		{shards(`{"salt": "s", "ranges": [{"start": 0, "end": 101}]}`), shard + ".ranges", "not within"},
		{shards(`{"salt": "", "ranges": [{"start": 0, "end": 1}]}`), shard + ".salt", "empty"},
		{`"allocations": [{"key": "k", "splits": [{"variationKey": "w"}]}]`, "flags.f.allocations[0].splits[0].variationKey", `no variation "w"`},
		{`"allocations": [{"key": "k", "startAt": "soon"}]`, "flags.f.allocations[0].startAt", "no time"},
		{condition(`"operator": "NEAR", "value": 1`), at + ".operator", "unknown operator"},
		{condition(`"operator": "NOT_GT", "value": 1`), at + ".operator", "unknown operator"},
		{condition(`"operator": "IS_NULL", "value": "x"`), at + ".value", "true or false"},
		{condition(`"operator": "ONE_OF", "value": "x"`), at + ".value", "list of texts"},
		{condition(`"operator": "ONE_OF", "value": [1]`), at + ".value", "list of texts"},
		{condition(`"operator": "MATCHES", "value": "(?=x)"`), at + ".value", "RE2"},
		{condition(`"operator": "GT", "value": "x"`), at + ".value", "neither"},
		{condition(`"operator": "GT", "value": 1e300`), at + ".value", "2^53"},
		{condition(`"operator": "GT", "value": 1e-300`), at + ".value", "too many digits"},
	} {
		for _, member := range []string{`"enabled": true`, `"totalShards": 100`, `"variationType": "STRING"`,
			`"variations": {"v": {"value": "v"}}`,
			`"allocations": [{"key": "k", "splits": [{"variationKey": "v", "shards": []}]}]`} {
			if name, _, _ := strings.Cut(member, ":"); !strings.Contains(test.flag, name+":") {
				test.flag += ", " + member
			}
		}
		importtest.Refuses(t, Read, `{"flags": {"f": {`+test.flag+`}}}`, test.place, test.reason)
	}
	importtest.Unreadable(t, Read, ``, `{}`, `[]`, `{"flags": {}}`, `{"format": "CLIENT", "flags": {"f": {}}}`,
		`{"flags": 1}`)
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(`{"flags": {"f": {"enabled": true, "variationType": "STRING", "totalShards": 10000, "variations": {"a": {"value": "x"}, "b": {"value": "y"}}, "allocations": [
		{"key": "k", "startAt": "2026-12-01T09:00:00Z", "rules": [{"conditions": [{"attribute": "a", "operator": "NOT_ONE_OF", "value": ["x"]}]}],
		"splits": [{"variationKey": "a", "shards": [{"salt": "s", "ranges": [{"start": 0, "end": 50}, {"start": 60, "end": 70}]}]}]},
		{"key": "l", "splits": [{"variationKey": "b", "shards": []}]}]}}}`))
	f.Add([]byte(`{"flags": {"f": {"enabled": true, "variationType": "JSON", "totalShards": 7, "variations": {"a": {"value": "{}"}}, "allocations": [
		{"key": "k", "rules": [{"conditions": [{"attribute": "v", "operator": "GTE", "value": "1.2.3"}, {"attribute": "n", "operator": "LT", "value": 5}]}],
		"splits": [{"variationKey": "a"}]}, {"key": "l", "splits": [{"variationKey": "a", "shards": [{"salt": "s", "ranges": [{"start": 0, "end": 7}]}]}]}]}}}`))
	importtest.Fuzz(f, Read)
}
