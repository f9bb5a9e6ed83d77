package release_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/serin-flags/serin/bundle"
	"github.com/serin-flags/serin/ci/filestore"
	"github.com/serin-flags/serin/ci/release"
	"github.com/serin-flags/serin/evaluator"
)

// flagsOf returns options that publish boolean flags of namespace a, by their defaults.
func flagsOf(store release.Store, keys release.Keys, defaults map[string]int) release.Options {
	opts := options(store, keys, content{"a": "other", "b": "flag"})
	i := slices.IndexFunc(opts.Payloads, func(p bundle.Payload) bool { return p.Namespace == "a" })
	set := &opts.Payloads[i].Ruleset
	for _, key := range []string{"flag", "third"} {
		if n, ok := defaults[key]; ok {
			set.Flags = append(set.Flags,
				evaluator.Flag{Key: key + "-a", Type: evaluator.KindBool, Default: n, Variants: []evaluator.Variant{
					{Name: "on", Value: evaluator.BoolValue(true)}, {Name: "off", Value: evaluator.BoolValue(false)},
				}})
		}
	}
	slices.SortFunc(set.Flags, func(x, y evaluator.Flag) int { return strings.Compare(x.Key, y.Key) })
	return opts
}

// TestLogOfFlag holds that the history of a flag says which revisions changed it, and not those
// that changed others in its namespace.
func TestLogOfFlag(t *testing.T) {
	store, keys := filestore.New(t.TempDir()), newKeys(t, production)
	var payloads []string // of namespace a, by revision
	for _, defaults := range []map[string]int{
		{},                      // 1
		{"flag": 0},             // 2 adds it
		{"flag": 0, "third": 0}, // 3 is about another one
		{"flag": 1, "third": 0}, // 4 changes it
		{"flag": 1, "third": 1}, // 5 is about another one
		{"third": 1},            // 6 removes it
	} {
		report := mustPublish(t, flagsOf(store, keys, defaults))
		payloads = append(payloads,
			report.Objects[slices.IndexFunc(report.Objects,
				func(name string) bool { return strings.HasPrefix(name, "targets/a/") })])
	}
	read := func() map[int64]release.FlagChange {
		t.Helper()
		history, err := release.Log(t.Context(), release.LogOptions{Source: storeSource{store}, Root: keys.Root,
			Flag: release.FlagName{Namespace: "a", Key: "flag-a"}})
		if err != nil {
			t.Fatal(err)
		}
		changes := make(map[int64]release.FlagChange)
		for _, e := range history.Entries {
			if e.Flag != "" {
				changes[e.Revision] = e.Flag
			}
		}
		return changes
	}
	check := func(got, want map[int64]release.FlagChange) {
		t.Helper()
		for revision := range int64(7) {
			if got[revision] != want[revision] {
				t.Errorf("revision %d: %q, want %q", revision, got[revision], want[revision])
			}
		}
	}
	check(read(), map[int64]release.FlagChange{2: release.FlagAdded, 4: release.FlagChanged, 6: release.FlagRemoved})

	// Nobody knows what was in a payload that was replaced.
	overwrite(t, store, payloads[2], mustGet(t, store, payloads[5]))
	check(read(), map[int64]release.FlagChange{2: release.FlagAdded, 3: release.FlagUnknown, 4: release.FlagUnknown,
		6: release.FlagRemoved})
}
