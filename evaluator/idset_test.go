package evaluator

import (
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestIDSet holds sets of ids of all lengths against maps.
func TestIDSet(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	longest := 0
	random := func() string {
		b := make([]byte, r.IntN(4))
		if r.IntN(2) == 0 {
			b = make([]byte, r.IntN(longest))
		}
		for i := range b {
			b[i] = "ab\x00\xff"[r.IntN(4)]
		}
		return string(b)
	}
	for size := range 300 {
		longest = []int{maxShortID + 1, maxShortID + 2, 40}[size%3]
		list := make([]string, size)
		want := make(map[string]bool)
		for i := range list {
			list[i] = random()
			want[list[i]] = true
		}
		s := newIDSet(list)
		for range 300 {
			if id := random(); s.has(id) != want[id] {
				t.Fatalf("%q in %q: got %v", id, list, s.has(id))
			}
		}
		got := make(map[string]bool)
		for id := range s.all {
			got[id] = true
		}
		if len(got) != len(want) || size > fewIDs && s.count != len(want) {
			t.Fatalf("%d of %d ids are listed, and it counts %d", len(got), len(want), s.count)
		}
		for _, id := range list {
			if !s.has(id) || !got[id] {
				t.Fatalf("%q is missing in %q", id, list)
			}
		}
	}
}

// TestIDSetOfLongIDs holds ids whose length takes several bytes.
func TestIDSetOfLongIDs(t *testing.T) {
	var list []string
	for _, n := range []int{0, 1, 126, 127, 128, 129, 16_383, 16_384, 16_385, 100_000} {
		list = append(list, strings.Repeat("x", n))
	}
	s := newIDSet(list)
	for _, id := range list {
		if !s.has(id) || s.has(id+"x") && !slices.Contains(list, id+"x") || s.has(id+"y") {
			t.Errorf("an id of %d bytes", len(id))
		}
	}
}

// TestIDSetCompares holds that a text is found nowhere but where it stands. The
// tag, which is looked at first, hides it if that isn't so.
func TestIDSetCompares(t *testing.T) {
	var list []string
	for _, n := range []int{0, 1, 5, 126, 127, 128, 129, 255, 256, 384, 16_383, 16_384} {
		list = append(list, strings.Repeat("x", n), strings.Repeat("x", n)+"y")
	}
	s := newIDSet(list)
	for _, id := range list {
		found := 0
		for slot, place := range s.long {
			if s.used(slot) && s.at(place, id) {
				found++
			}
		}
		if found != 1 {
			t.Errorf("an id of %d bytes is found %d times", len(id), found)
		}
	}
}

// TestIDSetSpreads holds the hash to its purpose: that a question looks at few
// slots, whatever ids look like.
func TestIDSetSpreads(t *testing.T) {
	for name, id := range map[string]func(i int) string{
		"decimal": strconv.Itoa,
		"padded":  func(i int) string { return "user-" + strconv.Itoa(1_000_000+i) },
		"in the middle": func(i int) string {
			return strings.Repeat("a", 20) + strconv.Itoa(1_000_000+i) + strings.Repeat("b", 20)
		},
		"powers": func(i int) string { return strconv.Itoa(i*4096) + "@example.com" },
		"binary": func(i int) string { return string([]byte{0, byte(i), byte(i >> 8), byte(i >> 16), 0, 0, 0, 0, 0}) },
	} {
		const n = 100_000
		list := make([]string, n)
		for i := range list {
			list[i] = id(i)
		}
		s := newIDSet(list)
		longest, run := 0, 0
		for _, tags := range s.tags {
			if run++; equalTags(tags, 0) != 0 {
				run = 0
			}
			longest = max(longest, run)
		}
		// Of a random hash a run of 100 groups without a free slot comes less
		// than once in 100 million tables of this size.
		if longest > 100 {
			t.Errorf("%s: a question may look at %d groups", name, longest)
		}
	}
}

// used reports whether a slot has a text.
func (s *idSet) used(slot int) bool {
	return s.tags[slot/groupSlots]>>(slot%groupSlots*8)&0xff != 0
}

// TestEqualTags holds that the first tag that is equal is found, and none where
// there is none.
func TestEqualTags(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 100_000 {
		var tags uint64
		first := -1
		want := uint64(r.IntN(3))
		for i := groupSlots - 1; i >= 0; i-- {
			b := uint64(r.IntN(4))
			if r.IntN(4) == 0 {
				b = uint64(r.IntN(256))
			}
			if tags |= b << (8 * i); b == want {
				first = i
			}
		}
		switch found := equalTags(tags, want); {
		case first < 0 && found != 0, first >= 0 && (found == 0 || slotOf(0, found) != first):
			t.Fatalf("%016x, %d: got %016x, the first is %d", tags, want, found, first)
		}
	}
}
