package bundle

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"
	"github.com/theupdateframework/go-tuf/v2/metadata/trustedmetadata"

	"github.com/serin-flags/serin/internal/soak"
)

// The differential tests publish a valid repository, change the metadata of
// one role in some place, sign it again, and show it to this verifier and to
// go-tuf. The rule: what go-tuf rejects is never accepted.

// dice are the choices that make a mutation.
type dice []byte

// roll returns a choice among n.
func (d *dice) roll(n int) int {
	if len(*d) == 0 {
		return 0
	}
	b := (*d)[0]
	*d = (*d)[1:]
	return int(b) % n
}

// A place is a value in a tree.
type place struct {
	parent any
	key    string
	index  int
}

func (p place) get() any {
	if o, ok := p.parent.(object); ok {
		return o[p.key]
	}
	return p.parent.([]any)[p.index]
}

func (p place) set(v any) {
	if o, ok := p.parent.(object); ok {
		o[p.key] = v
	} else {
		p.parent.([]any)[p.index] = v
	}
}

// places lists all values below v, in the same order always.
func places(v any) []place {
	var list []place
	switch v := v.(type) {
	case object:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			list = append(list, place{parent: v, key: key})
			list = append(list, places(v[key])...)
		}
	case []any:
		for i := range v {
			list = append(list, place{parent: v, index: i})
			list = append(list, places(v[i])...)
		}
	}
	return list
}

// values are what a value is replaced by.
func values() []any {
	return []any{
		nil, true, false, 0, -1, 1, 2, 3, 7, 1 << 53, "", "x", "1.0.31", "2.0.0", "root", "timestamp",
		"snapshot", "targets",
		in(-time.Second), in(0), in(time.Second), "2027-01-01T00:00:00.5Z", "2027-01-01T00:00:00+01:00",
		hashOf(nil), strings.ToUpper(hashOf(nil)), "production", "staging",
		[]any{}, []any{1}, []any{"x"}, object{}, object{"x": 1}, object{"sha256": hashOf(nil)},
		object{"sha512": hashOf(nil)}, object{"md5": "00"},
		object{"version": 2}, object{"version": 2, "length": 0}, object{"version": 2, "hashes": object{}},
		object{"keyids": []any{}, "threshold": 1}, object{"length": 0, "hashes": object{"sha256": "ab"}},
		ed(1).id, ed(2).id, ed(9).id, ed(9).public, p256().id, p256().public,
	}
}

// mutate changes one thing in the tree.
func mutate(d *dice, tree object) {
	all := places(tree)
	if len(all) == 0 {
		return
	}
	p := all[d.roll(len(all))]
	switch d.roll(10) {
	case 0: // remove
		if o, ok := p.parent.(object); ok {
			delete(o, p.key)
		} else {
			p.set(nil)
		}
	case 1, 2: // replace
		v := values()
		p.set(v[d.roll(len(v))])
	case 3: // copy from elsewhere
		p.set(copyJSON(all[d.roll(len(all))].get()))
	case 4: // a number or text that is a little different
		switch v := p.get().(type) {
		case int:
			p.set(v + d.roll(5) - 2)
		case string:
			p.set([]string{v + "x", strings.ToUpper(v), strings.ToLower(v), " " + v, v + "\n",
				strings.TrimSuffix(v, "0"),
				v + v}[d.roll(7)])
		}
	case 5: // another name
		if o, ok := p.parent.(object); ok {
			v := p.get()
			delete(o, p.key)
			o[[]string{strings.ToUpper(p.key), p.key + "x", "x" + p.key,
				strings.ToTitle(p.key[:min(1, len(p.key))]) + p.key[min(1, len(p.key)):], ""}[d.roll(5)]] = v
		}
	case 6, 8, 9: // one more
		v := values()
		switch at := p.get().(type) {
		case object:
			keys := []string{"x", "X", "é", "\u007f", "a\"b", "custom", "mirrors", "targets.json",
				"team.json", ed(9).id,
				"b/" + PayloadName}
			at[keys[d.roll(len(keys))]] = v[d.roll(len(v))]
		case []any:
			p.set(append(at, v[d.roll(len(v))]))
		}
	case 7: // one twice
		if at, ok := p.get().([]any); ok && len(at) > 0 {
			p.set(append(at, copyJSON(at[d.roll(len(at))])))
		}
	}
}

// mutated returns version 1 and a mutated version 2 of a repository.
func mutated(d *dice) (before, after *repo) {
	r := newRepo()
	r.listHashes = d.roll(2) == 1
	rotation := d.roll(4)
	before = &repo{objects: maps.Clone(r.objects)}
	if rotation == 1 {
		r.rotate([]string{roleTimestamp, roleSnapshot, roleTargets}[d.roll(3)], ed(9))
	}
	role := []string{roleTargets, roleSnapshot, roleTimestamp, roleRoot}[d.roll(4)]
	if rotation > 0 || role == roleRoot {
		r.bump(roleRoot)
	}
	r.setPayload("checkout", "v2")
	for _, next := range []string{roleTargets, roleSnapshot, roleTimestamp} {
		r.signed[next]["version"] = r.version(next) + 1
	}
	for _, next := range []string{roleRoot, roleTargets, roleSnapshot, roleTimestamp} {
		name := r.name(next)
		if next != roleRoot {
			r.publish(next)
		}
		if next != role {
			continue
		}
		signed := copyJSON(r.signed[role]).(object)
		for range []int{1, 1, 1, 2}[d.roll(4)] {
			mutate(d, signed)
		}
		data := signDocument(signed, signersOf(d, r, role)...)
		if d.roll(6) == 1 { // what is not signed
			outside := object{"signatures": signaturesOf(data)}
			mutate(d, outside)
			outside["signed"] = signed
			data = encodeJSON(outside)
		}
		r.objects[name] = data
		if r.listHashes && next != roleTimestamp && next != roleRoot {
			l := r.listed(next)
			l["length"], l["hashes"] = len(data), object{"sha256": hashOf(data)}
		}
	}
	return before, r
}

// signaturesOf returns the signatures of a document as a tree.
func signaturesOf(data []byte) []any {
	e, err := open(data)
	if err != nil {
		return []any{}
	}
	list := []any{}
	for _, keyid := range slices.Sorted(maps.Keys(e.signatures)) {
		list = append(list, object{"keyid": keyid, "sig": fmt.Sprintf("%x", e.signatures[keyid])})
	}
	return list
}

// signersOf are mostly the right ones.
func signersOf(d *dice, r *repo, role string) []testKey {
	right := r.signers[role]
	switch d.roll(16) {
	case 1:
		return nil
	case 2:
		return eds(9)
	case 3:
		return append(slices.Clone(right), eds(9, 10)...)
	case 4:
		return append(slices.Clone(right), right...)
	case 5:
		return eds(0, 1, 2, 3, 9)
	}
	return right
}

// verdict is what a client makes of an update.
type verdict struct {
	accepted bool
	reason   error
}

// ours is the verdict of this verifier. If warm, it has seen before.
func ours(t testing.TB, before, after *repo, warm bool) (v verdict, unchanged bool) {
	verifier := before.verifier(t)
	var last *Release
	if warm {
		var err error
		if last, err = verifier.Update(t.Context(), before, nil, testNow); err != nil {
			t.Fatalf("version 1: %v", err)
		}
	}
	next, err := verifier.Update(t.Context(), after, last, testNow)
	if err != nil {
		if _, ok := ClassOf(err); !ok {
			t.Errorf("an error without a class: %v", err)
		}
	}
	return verdict{err == nil, err}, last != nil && next == last
}

// theirs is the verdict of go-tuf, led through the workflow as its updater does.
func theirs(before, after *repo, warm bool) (v verdict) {
	defer func() {
		if r := recover(); r != nil {
			v = verdict{false, fmt.Errorf("go-tuf panics: %v", r)}
		}
	}()
	set, err := trustedmetadata.New(before.objects["1.root.json"])
	if err != nil {
		return verdict{false, err}
	}
	set.RefTime = testNow
	if data, ok := after.objects["2.root.json"]; ok {
		if _, err := set.UpdateRoot(data); err != nil {
			return verdict{false, err}
		}
	}
	ignore := func(err error) bool { return err == nil || errors.Is(err, &metadata.ErrRepository{}) }
	if warm {
		if _, err := set.UpdateTimestamp(before.objects["timestamp.json"]); !ignore(err) {
			return verdict{false, err}
		}
	}
	if _, err := set.UpdateTimestamp(after.objects["timestamp.json"]); err != nil &&
		!errors.Is(err, &metadata.ErrEqualVersionNumber{}) {
		return verdict{false, err}
	}
	if warm {
		if _, err := set.UpdateSnapshot(before.objects["1.snapshot.json"], true); !ignore(err) {
			return verdict{false, err}
		}
	}
	name := fmt.Sprintf("%d.snapshot.json", set.Timestamp.Signed.Meta["snapshot.json"].Version)
	if _, err := set.UpdateSnapshot(after.objects[name], false); err != nil {
		return verdict{false, fmt.Errorf("%s: %w", name, err)}
	}
	name = fmt.Sprintf("%d.targets.json", set.Snapshot.Signed.Meta["targets.json"].Version)
	if _, err := set.UpdateTargets(after.objects[name]); err != nil {
		return verdict{false, fmt.Errorf("%s: %w", name, err)}
	}
	return verdict{true, nil}
}

// compareVerdicts reports the verdicts of both on one mutation.
func compareVerdicts(t testing.TB, data []byte) (we, they bool) {
	warm := len(data) > 0 && data[0]&1 == 1
	d := dice(data)
	if len(d) > 0 {
		d = d[1:]
	}
	before, after := mutated(&d)
	mine, unchanged := ours(t, before, after, warm)
	if unchanged {
		return true, true // go-tuf would look at the snapshot again
	}
	other := theirs(before, after, warm)
	if mine.accepted && !other.accepted {
		t.Errorf("accepted, but go-tuf says: %v\n%s", other.reason, describe(before, after))
	}
	return mine.accepted, other.accepted
}

// describe shows what was published after version 1.
func describe(before, after *repo) string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(after.objects)) {
		if string(after.objects[name]) != string(before.objects[name]) && strings.HasSuffix(name, ".json") {
			fmt.Fprintf(&b, "%s: %s\n", name, after.objects[name])
		}
	}
	return b.String()
}

func seeds(n int) [][]byte {
	random := rand.New(rand.NewPCG(1, 2))
	list := make([][]byte, n)
	for i := range list {
		for range 16 {
			list[i] = append(list[i], byte(random.Uint32()))
		}
	}
	return list
}

// TestDifferential also checks that mutations are of both kinds, so that the
// comparison means something.
func TestDifferential(t *testing.T) {
	rounds := soak.Times(100, 5000)
	count := make(map[[2]bool]int)
	for _, seed := range seeds(rounds) {
		we, they := compareVerdicts(t, seed)
		count[[2]bool{we, they}]++
	}
	t.Logf("both accept %d, both refuse %d, only we refuse %d",
		count[[2]bool{true, true}], count[[2]bool{false, false}], count[[2]bool{false, true}])
	if count[[2]bool{true, true}] < rounds/10 || count[[2]bool{false, false}] < rounds/10 {
		t.Errorf("mutations are one-sided: %v", count)
	}
}

func FuzzDifferential(f *testing.F) {
	for _, seed := range seeds(32) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, data []byte) { compareVerdicts(t, data) })
}
