package evaluator_test

import (
	"fmt"
	"math"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/twmb/murmur3"

	"github.com/serin-flags/serin/evaluator"
)

// The tests here look at buckets as statisticians do: 50 flags put ids of the
// kinds that there are in the world into 100 buckets each. They run on a million
// ids, and on a portion under the race detector.
const (
	flagCount = 50
	buckets   = 100
	flagPairs = flagCount * (flagCount - 1) / 2
)

// The chi-square statistic of 100 cells that are equally likely has 99 degrees
// of freedom. It is below lowest with a probability of 1.5e-13, and above highest
// with one of 1.1e-13. There are 1,475 of them here, so that by chance one in
// 2,700,000,000 runs would fail, if ids were not the same ones every time. Counts
// that are too even to be random are a defect as well.
const lowest, highest = 28, 240

// idKinds make ids: the i-th of a kind, and no id twice.
var idKinds = []struct {
	name string
	make func(i int) string
}{
	{"sequential integers", strconv.Itoa},
	{"UUIDs", func(i int) string {
		a, b := scramble(uint64(i)), scramble(uint64(i)+1<<40)
		return fmt.Sprintf("%08x-%04x-4%03x-%04x-%012x", a>>32, a>>16&0xffff, a&0xfff, 0x8000|b>>48&0x3fff, b&(1<<48-1))
	}},
	{"e-mail addresses", func(i int) string {
		first := []string{"anna", "bo", "chen", "dmitri", "eva", "farid", "grace", "hana", "wei", "zoë"}
		return first[i%10] + "." + first[i/10%10] + strconv.Itoa(i/100) + []string{"@example.com", "@mail.example"}[i%2]
	}},
	{"phone numbers", func(i int) string { return fmt.Sprintf("+86138%08d", i*37) }},
}

// scramble is a bijection of 64-bit integers without a pattern to see.
func scramble(x uint64) uint64 {
	x = (x + 0x9e3779b97f4a7c15) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>29) * 0x94d049bb133111eb
	return x ^ x>>32
}

// salts are those of the 50 flags: keys as teams write them, alike and not.
func saltOf(flag int) string {
	return []string{"new-checkout", "search-v", "ab-", "dark-mode-", "layer:", "x"}[flag%6] + strconv.Itoa(flag)
}

// A bucketing puts an id into one of a flag's buckets.
type bucketing func(flag int, id string) int

// evaluated is the bucketing of the evaluator: splits of 100 equal shares.
func evaluated(t *testing.T) bucketing {
	set := userSet()
	for i := range flagCount {
		f := evaluator.Flag{Key: strconv.Itoa(i), Type: evaluator.KindInt, Rules: []evaluator.Rule{{Name: "all"}}}
		split := &evaluator.Split{Bucketing: evaluator.Bucketing{By: "user", Salt: saltOf(i),
			Hash: evaluator.HashMurmur3}}
		for b := range buckets {
			f.Variants = append(f.Variants,
				evaluator.Variant{Name: strconv.Itoa(b), Value: evaluator.IntValue(int64(b))})
			split.Ranges = append(split.Ranges, evaluator.Range{From: percent(b), To: percent(b + 1), Variant: b})
		}
		f.Rules[0].Split = split
		set.Flags = append(set.Flags, f)
	}
	flags := compiled(t, set)
	return func(flag int, id string) int {
		bucket, _ := flags[flag].Evaluate(&evaluator.Context{Key: id}).Value().Int()
		return int(bucket)
	}
}

func userSet() evaluator.Ruleset {
	return evaluator.Ruleset{Unit: "user",
		Attributes: []evaluator.Attribute{{Name: "user", Type: evaluator.AttrString}}}
}

func percent(n int) uint64 { return evaluator.Positions * uint64(n) / 100 }

// compiled returns the flags of a ruleset in its order.
func compiled(t *testing.T, set evaluator.Ruleset) (flags []*evaluator.CompiledFlag) {
	t.Helper()
	p, err := evaluator.Compile(set)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range set.Flags {
		flags = append(flags, p.Flag(f.Key))
	}
	return flags
}

// A tally counts ids.
type tally struct {
	single [][flagCount][buckets]int // by kind
	joint  [flagPairs][100]int       // by pair of flags: tenth of the one, tenth of the other
}

// count goes through n ids of each kind, on all processors.
func count(n int, bucket bucketing) *tally {
	sum := &tally{single: make([][flagCount][buckets]int, len(idKinds))}
	var mu sync.Mutex
	parallel(n, func(from, to int) {
		part := &tally{single: make([][flagCount][buckets]int, len(idKinds))}
		for kind := range idKinds {
			for i := from; i < to; i++ {
				part.add(kind, idKinds[kind].make(i), i%4 == 0, bucket)
			}
		}
		mu.Lock()
		defer mu.Unlock()
		sum.merge(part)
	})
	return sum
}

// add counts an id, and if joint also for every pair of flags.
func (t *tally) add(kind int, id string, joint bool, bucket bucketing) {
	var tenths [flagCount]int
	for flag := range flagCount {
		b := bucket(flag, id)
		t.single[kind][flag][b]++
		tenths[flag] = b / 10
	}
	if !joint {
		return
	}
	pair := 0
	for a := range flagCount {
		for b := range a {
			t.joint[pair][tenths[a]*10+tenths[b]]++
			pair++
		}
	}
}

func (t *tally) merge(part *tally) {
	for kind := range t.single {
		for flag := range flagCount {
			for b, n := range part.single[kind][flag] {
				t.single[kind][flag][b] += n
			}
		}
	}
	for pair := range flagPairs {
		for cell, n := range part.joint[pair] {
			t.joint[pair][cell] += n
		}
	}
}

// parallel calls f with parts of 0 to n, one for each processor.
func parallel(n int, f func(from, to int)) {
	workers := runtime.GOMAXPROCS(0)
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() { f(n*w/workers, n*(w+1)/workers) })
	}
	wg.Wait()
}

// chiSquare returns the statistic of counts that should be equal.
func chiSquare(counts []int) float64 {
	total := 0
	for _, n := range counts {
		total += n
	}
	want := float64(total) / float64(len(counts))
	sum := 0.0
	for _, n := range counts {
		sum += (float64(n) - want) * (float64(n) - want) / want
	}
	return sum
}

// uneven returns what is not as if drawn by chance: buckets of a flag, for one
// kind of ids or all of them.
func (t *tally) uneven() (found []string) {
	for flag := range flagCount {
		var all [buckets]int
		for kind := range t.single {
			for b, n := range t.single[kind][flag] {
				all[b] += n
			}
			if x := chiSquare(t.single[kind][flag][:]); x < lowest || x > highest {
				found = append(found, fmt.Sprintf("flag %d, %s: chi-square %.0f", flag, idKinds[kind].name, x))
			}
		}
		if x := chiSquare(all[:]); x < lowest || x > highest {
			found = append(found, fmt.Sprintf("flag %d, all ids: chi-square %.0f", flag, x))
		}
	}
	return found
}

// dependent returns pairs of flags of which one tells something of the other.
func (t *tally) dependent() (found []string) {
	pair := 0
	for a := range flagCount {
		for b := range a {
			if x := chiSquare(t.joint[pair][:]); x < lowest || x > highest {
				found = append(found, fmt.Sprintf("flags %d and %d: chi-square %.0f", a, b, x))
			}
			pair++
		}
	}
	return found
}

func TestUniformity(t *testing.T) {
	counts := count(idsPerKind(), evaluated(t))
	total := 0
	for _, n := range counts.single[0][0] {
		total += n
	}
	if total != idsPerKind() {
		t.Fatalf("%d ids were counted, not %d", total, idsPerKind())
	}
	for _, s := range append(counts.uneven(), counts.dependent()...) {
		t.Error(s)
	}
}

// TestUniformityFails holds that the statistics find what other systems got
// wrong, and on much fewer ids.
func TestUniformityFails(t *testing.T) {
	position := func(flag int, id string) uint32 {
		seed, _ := murmur3.SeedSum128(0, 0, []byte(saltOf(flag)))
		h, _ := murmur3.SeedSum128(uint64(uint32(seed)), uint64(uint32(seed)), []byte(id))
		return uint32(h >> 32)
	}
	bucket := func(position uint32) int { return int(uint64(position) * buckets >> 32) }
	sum := func(text string) (h uint32) {
		for i := range len(text) {
			h = h*31 + uint32(text[i])
		}
		return h
	}
	const n = 2000
	for _, test := range []struct {
		name              string
		bucket            bucketing
		uneven, dependent bool // what must be found; neither: nothing may
	}{
		{"nothing wrong", func(flag int, id string) int { return bucket(position(flag, id)) }, false, false},
		{"two flags of one salt", func(flag int, id string) int { return bucket(position(max(flag, 1), id)) }, false, true},
		{"one salt for all", func(_ int, id string) int { return bucket(position(0, id)) }, false, true},
		{"a truncated hash", func(flag int, id string) int { return bucket(position(flag, id) & 0xff000000) }, true, false},
		{"low bits of a sum", func(flag int, id string) int { return int(sum(id)+sum(saltOf(flag))) & 0x7f % buckets }, true, true},
		{"a salt that is added", func(flag int, id string) int { return bucket(sum(id) + sum(saltOf(flag))) }, true, true},
		{"a salt behind the id", func(flag int, id string) int { return bucket(sum(id + saltOf(flag))) }, true, true},
		{"an empty bucket", func(flag int, id string) int {
			if b := bucket(position(flag, id)); b != 7 {
				return b
			}
			return 8
		}, true, false},
		{"ids in turn", func(flag int, id string) int {
			n, _ := strconv.Atoi(strings.TrimLeft(id, "+"))
			return (n + flag) % buckets
		}, true, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			counts := count(n, test.bucket)
			uneven, dependent := counts.uneven(), counts.dependent()
			if test.uneven && len(uneven) == 0 || test.dependent && len(dependent) == 0 {
				t.Errorf("found %d buckets that are uneven and %d pairs that are dependent", len(uneven),
					len(dependent))
			}
			if found := append(uneven, dependent...); len(found) > 0 && !test.uneven && !test.dependent {
				t.Errorf("found %.3q", found)
			}
		})
	}
}

// steps is how many times a share grows from 0 to 100 %.
const steps = 20

// A growth reports whether an id has a variant at a step, from 0 to steps.
type growth func(step int, id string) bool

// lost returns ids that have something at step 0, lose it later or don't have it
// at the end, the first few.
func lost(n int, has growth) (found []string) {
	var mu sync.Mutex
	parallel(n, func(from, to int) {
		for _, kind := range idKinds {
			for i := from; i < to; i++ {
				id := kind.make(i)
				if s := loses(id, has); s != "" {
					mu.Lock()
					found = append(found, s)
					mu.Unlock()
					return
				}
			}
		}
	})
	return found
}

func loses(id string, has growth) string {
	had := false
	for step := range steps + 1 {
		now := has(step, id)
		if had && !now || step == 0 && now || step == steps && !now {
			return fmt.Sprintf("%s: %v at step %d of %d", id, now, step, steps)
		}
		had = now
	}
	return ""
}

// shareAt is the first positions that belong to a variant at a step: the sizes of
// steps differ, and are not round.
func shareAt(step int) uint64 {
	if step == steps {
		return evaluator.Positions
	}
	return uint64(step) * uint64(step) * evaluator.Positions / (steps*steps + 1)
}

// grown returns a flag for each step, of variants "off", "on" and "other".
func grown(t *testing.T, change func(step int, f *evaluator.Flag)) []*evaluator.CompiledFlag {
	set := userSet()
	for step := range steps + 1 {
		f := evaluator.Flag{Key: strconv.Itoa(step), Type: evaluator.KindInt, Rules: []evaluator.Rule{{Name: "all"}}}
		for i, name := range []string{"off", "on", "other"} {
			f.Variants = append(f.Variants, evaluator.Variant{Name: name, Value: evaluator.IntValue(int64(i))})
		}
		change(step, &f)
		set.Flags = append(set.Flags, f)
	}
	return compiled(t, set)
}

// ranges leaves out empty ones.
func ranges(list ...evaluator.Range) (out []evaluator.Range) {
	for _, r := range list {
		if r.From < r.To {
			out = append(out, r)
		}
	}
	return out
}

func serves(f *evaluator.CompiledFlag, id string, now int64) int64 {
	variant, _ := f.Evaluate(&evaluator.Context{Key: id, Now: now}).Value().Int()
	return variant
}

// TestSharesGrow holds that nobody who has a variant loses it while its share
// grows, by splits, ramps and layers, for each id.
func TestSharesGrow(t *testing.T) {
	by := func(list ...evaluator.Range) *evaluator.Split {
		return &evaluator.Split{Bucketing: evaluator.Bucketing{By: "user", Salt: "grow", Hash: evaluator.HashMurmur3},
			Ranges: ranges(list...)}
	}
	t.Run("split", func(t *testing.T) {
		flags := grown(t, func(step int, f *evaluator.Flag) {
			cut := shareAt(step)
			f.Rules[0].Split = by(evaluator.Range{From: 0, To: cut, Variant: 1},
				evaluator.Range{From: cut, To: evaluator.Positions})
		})
		report(t, lost(idsPerKind(), func(step int, id string) bool { return serves(flags[step], id, 0) == 1 }))
	})
	t.Run("split in three", func(t *testing.T) {
		// The last third stays what it is; the first variant grows into the second.
		third := uint64(evaluator.Positions * 2 / 3)
		flags := grown(t, func(step int, f *evaluator.Flag) {
			cut := shareAt(step) * 2 / 3
			f.Rules[0].Split = by(evaluator.Range{From: 0, To: cut, Variant: 1}, evaluator.Range{From: cut,
				To: third}, evaluator.Range{From: third, To: evaluator.Positions, Variant: 2})
		})
		report(t, lost(idsPerKind()/4, func(step int, id string) bool {
			v := serves(flags[step], id, 0)
			if serves(flags[0], id, 0) == 2 { // to be seen by lost: has it after step 0, and for ever
				return step > 0 && v == 2
			}
			return v == 1
		}))
	})
	t.Run("layer", func(t *testing.T) {
		// Out of free traffic behind another flag's share, then of that before it.
		flags := grown(t, func(step int, f *evaluator.Flag) {
			cut := shareAt(step)
			f.Default, f.Rules[0].Variant = 0, 1
			half := uint64(evaluator.Positions / 2)
			f.Reserved = &evaluator.Reservation{Layer: "l",
				Bucketing: evaluator.Bucketing{By: "user", Salt: "layer", Hash: evaluator.HashMurmur3}}
			if cut > half {
				f.Reserved.Spans = append(f.Reserved.Spans, evaluator.Span{From: 0, To: cut - half})
			}
			f.Reserved.Spans = append(f.Reserved.Spans, evaluator.Span{From: half, To: half + max(1, min(cut, half))})
		})
		report(t, lost(idsPerKind()/4, func(step int, id string) bool { return serves(flags[step], id, 0) == 1 }))
	})
	for _, linear := range []bool{false, true} {
		t.Run(fmt.Sprintf("ramp, linear %v", linear), func(t *testing.T) {
			const length = 86_400 // of a step, in seconds
			flags := grown(t, func(_ int, f *evaluator.Flag) {
				ramp := &evaluator.Ramp{Variant: 1, Linear: linear}
				for step := 0; step <= steps; step += 4 { // most steps are between points
					ramp.Points = append(ramp.Points, evaluator.Point{At: int64(step) * length, Level: shareAt(step)})
				}
				f.Rules[0].Split = by()
				f.Rules[0].Split.Ramp = ramp
			})
			report(t, lost(idsPerKind()/2,
				func(step int, id string) bool { return serves(flags[0], id, int64(step)*length) == 1 }))
			// A second before each of them, and at the end.
			report(t, lost(idsPerKind()/4, func(step int, id string) bool {
				return serves(flags[0], id, int64(step)*length-1+int64(step/steps)) == 1
			}))
		})
	}
}

func report(t *testing.T, found []string) {
	t.Helper()
	for _, s := range found {
		t.Error(s)
	}
}

// TestSharesGrowFails holds that a share that is hashed, or rounded, is found.
func TestSharesGrowFails(t *testing.T) {
	position := func(salt, id string) uint64 {
		h, _ := murmur3.SeedSum128(0, 0, []byte(salt+id))
		return h >> 32
	}
	for _, test := range []struct {
		name string
		has  growth
		want bool
	}{
		{"nothing wrong", func(step int, id string) bool { return position("s", id) < shareAt(step) }, false},
		{"the share is part of the salt", func(step int, id string) bool { return position(strconv.Itoa(step), id) < shareAt(step) }, true},
		{"the other end moves", func(step int, id string) bool {
			p, cut := position("s", id), shareAt(step)
			if step%2 == 1 {
				return p >= evaluator.Positions-cut
			}
			return p < cut
		}, true},
		{"as many buckets as steps", func(step int, id string) bool {
			return step == steps || step > 0 && position("s", id)%uint64(step+1) == 0
		}, true},
		{"one position is left out", func(step int, id string) bool {
			p := position("s", id)
			return p < shareAt(step) && (step != 7 || p%1000 != 0)
		}, true},
		{"the first position is always in", func(step int, id string) bool { return position("s", id)>>20 <= shareAt(step)>>20 }, true},
	} {
		if found := lost(20_000, test.has); (len(found) > 0) != test.want {
			t.Errorf("%s: found %.3q", test.name, found)
		}
	}
}

// TestSharesAreExact holds the border of a share to the position: the share that
// ends at a unit's position doesn't have it, the share that is larger by one does.
// Positions rounded to floating point of 32 bits would be found: they are here.
func TestSharesAreExact(t *testing.T) {
	const n = 2000
	set := userSet()
	var positions [n]uint64
	seed, _ := murmur3.SeedSum128(0, 0, []byte("exact"))
	rounded := 0
	for i := range positions {
		h, _ := murmur3.SeedSum128(uint64(uint32(seed)), uint64(uint32(seed)), []byte(idKinds[1].make(i)))
		p := max(h>>32, 1)
		positions[i] = p
		for _, cut := range []uint64{p, p + 1} {
			if (float32(p) < float32(cut)) != (p < cut) {
				rounded++
			}
			f := evaluator.Flag{Key: fmt.Sprintf("%d %d", i, cut-p), Type: evaluator.KindInt,
				Variants: []evaluator.Variant{{Name: "off", Value: evaluator.IntValue(0)},
					{Name: "on", Value: evaluator.IntValue(1)}}}
			f.Rules = []evaluator.Rule{{Name: "all",
				Split: &evaluator.Split{Bucketing: evaluator.Bucketing{By: "user", Salt: "exact",
					Hash: evaluator.HashMurmur3},
					Ranges: ranges(evaluator.Range{From: 0, To: cut, Variant: 1},
						evaluator.Range{From: cut, To: evaluator.Positions})}}}
			set.Flags = append(set.Flags, f)
		}
	}
	if rounded < n/2 {
		t.Errorf("only %d of these positions differ from those of 32-bit floating point", rounded)
	}
	for i, f := range compiled(t, set) {
		id := idKinds[1].make(i / 2)
		if got, want := serves(f, id, 0), int64(i%2); got != want {
			t.Errorf("id %s at %d, share %d: served %d, want %d", id, positions[i/2],
				positions[i/2]+uint64(i%2), got, want)
		}
	}
}

// TestShareSizes holds that the shares that ids get are those that were written
// down, to within what is left to chance: six standard deviations.
func TestShareSizes(t *testing.T) {
	flags := grown(t, func(step int, f *evaluator.Flag) {
		cut := shareAt(step)
		f.Rules[0].Split = &evaluator.Split{Bucketing: evaluator.Bucketing{By: "user", Salt: "sizes",
			Hash: evaluator.HashMurmur3}, Ranges: ranges(evaluator.Range{From: 0, To: cut, Variant: 1},
			evaluator.Range{From: cut, To: evaluator.Positions})}
	})
	n := idsPerKind() / 4
	for _, kind := range idKinds {
		for step := range steps + 1 {
			have := 0
			for i := range n {
				have += int(serves(flags[step], kind.make(i), 0))
			}
			p := float64(shareAt(step)) / evaluator.Positions
			if diff := math.Abs(float64(have) - float64(n)*p); diff > 6*math.Sqrt(float64(n)*p*(1-p)) {
				t.Errorf("%s: %d of %d have a share of %.4f", kind.name, have, n, p)
			}
		}
	}
}
