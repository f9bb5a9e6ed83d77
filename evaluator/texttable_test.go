package evaluator

import (
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
)

// TestTextTable holds that a table finds each text of a list of any length, also the empty
// one, and no other, after each addition.
func TestTextTable(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 20 {
		table := textTable{random: random.Uint64()}
		texts := []string{""}
		check := func(text string, want uint32) {
			t.Helper()
			if got := table.find(texts, text); got != want {
				t.Fatalf("%q is at %d of %d texts, want %d", text, got, len(texts), want)
			}
		}
		check("", 0)
		n := 300
		if table.random%4 == 0 {
			n = roomy + 300
		}
		empty := random.IntN(300)
		for i := range n {
			text := strconv.Itoa(i * i)
			switch {
			case i == empty:
				text = ""
			case i%3 == 0:
				text = strings.Repeat("x", random.IntN(30)) + text
			}
			check(text, 0)
			texts = append(texts, text)
			table.addLast(texts)
			for _, j := range []int{1, 1 + random.IntN(i+1), i + 1} {
				check(texts[j], uint32(j))
			}
		}
		for i, text := range texts[1:] {
			check(text, uint32(i+1))
			check(text+"x", 0)
		}
	}
}
