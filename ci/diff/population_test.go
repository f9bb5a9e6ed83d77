package diff_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/serin-flags/serin/ci/diff"
	"github.com/serin-flags/serin/evaluator"
)

// people returns a population of a file with so many lines.
func people(n int) *diff.Population {
	all := lines(n)
	return diff.NewPopulation(bytes.NewReader(all), "users.ndjson", int64(len(all)))
}

func lines(n int) []byte {
	var b bytes.Buffer
	for i := range n {
		fmt.Fprintf(&b, `{"targetingKey": "u-%d", "device": "d-%d", "city": "%s", "uid": %d, "version": "2.%d.0"}`+
			"\n", i, i, []string{"BJ", "SH", "LS"}[i%3], i%120, i%5)
	}
	return b.Bytes()
}

// onlyBeijing is a flag that has to be counted: of everybody in one city.
func onlyBeijing() diff.Pair {
	old := evaluator.Flag{Key: "f", Type: evaluator.KindBool, Default: 1, Variants: []evaluator.Variant{
		{Name: "on", Value: evaluator.BoolValue(true)}, {Name: "off", Value: evaluator.BoolValue(false)},
	}}
	new := old
	new.Rules = []evaluator.Rule{{Name: "r",
		When: &evaluator.Condition{Op: evaluator.OpOneOf, Attribute: "city", Strings: []string{"BJ"}}}}
	return diff.Pair{Environment: "test", Old: payloads([]evaluator.Flag{old}), New: payloads([]evaluator.Flag{new})}
}

func count(r io.Reader) (diff.Report, error) {
	return diff.Compare(context.Background(),
		diff.Config{Pairs: []diff.Pair{onlyBeijing()}, Population: diff.NewPopulation(r, "users", 0)})
}

func TestPopulation(t *testing.T) {
	bom := "\xef\xbb\xbf"
	for text, want := range map[string]string{
		`{"city":"BJ"}`: "100%/1", bom + "{\"city\":\"BJ\"}\r\n\r\n  \n{}": "50%/2",
		strings.Repeat("{\"city\":\"BJ\"}\n{}\n{}\n", 1000):        "33.3333%/3000",
		strings.Repeat("\n", 5000) + "{}":                          "0%/1",
		"{\"city\":\"BJ\"" + strings.Repeat(" ", 1<<20-14) + "}\n": "100%/1",
	} {
		r, err := count(strings.NewReader(text))
		if err != nil {
			t.Errorf("%.40q: %v", text, err)
			continue
		}
		if got := fmt.Sprintf("%v/%d", r.Environments[0].Flags[0].Moved, r.Counted.People); got != want {
			t.Errorf("%.40q: %s, want %s", text, got, want)
		}
	}
}

func TestBadPopulation(t *testing.T) {
	good := strings.Repeat("{}\n", 3000)
	for text, want := range map[string]string{
		"":                                "counting people: users holds no contexts",
		"\n \n":                           "counting people: users holds no contexts",
		"{}\n[]\n{}":                      "counting people: users:2: ",
		good + "{\n" + good + "}\n":       "counting people: users:3001: ",
		good + strings.Repeat(" ", 2<<20): "counting people: users:3001: the line is longer than 1 MiB",
		strings.Repeat("{}\n", 511) + strings.Repeat("x\n", 5000): "counting people: users:512: ",
		strings.Repeat("x\n", 5000):                               "counting people: users:1: ",
	} {
		for range 5 { // however goroutines run
			if _, err := count(strings.NewReader(text)); err == nil || !strings.HasPrefix(err.Error(), want) {
				t.Errorf("%.20q: error %v, want %s", text, err, want)
			}
		}
	}
	broken := errors.New("broken")
	if _, err := count(io.MultiReader(strings.NewReader("{}\n"), iotest.ErrReader(broken))); !errors.Is(err, broken) {
		t.Errorf("a reader that fails: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := diff.Compare(ctx, diff.Config{Pairs: []diff.Pair{onlyBeijing()}}); !errors.Is(err, context.Canceled) {
		t.Errorf("a context that is done: %v", err)
	}
}

// FuzzPopulation: whatever a file holds, it is counted or refused by its line.
func FuzzPopulation(f *testing.F) {
	for _, seed := range []string{"", "{}", "{\"targetingKey\":\"u\",\"city\":\"BJ\"}\n\n{}", "[\n", "{\"a\":1e999}",
		"\xff\n{}", "{}\r\n{}"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := count(bytes.NewReader(data))
		lines := int64(bytes.Count(data, []byte("\n")) + 1)
		switch {
		case err == nil && (r.Counted.People < 1 || r.Counted.People > lines):
			t.Errorf("%d people in %d lines", r.Counted.People, lines)
		case err != nil && !strings.HasPrefix(err.Error(), "counting people: users"):
			t.Errorf("an error without a place: %v", err)
		}
	})
}
