package main

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// writeUsers writes contexts of users for eval --contexts: users FILE COUNT.
func writeUsers(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: users FILE COUNT")
	}
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "{\"user\": \"u-%d\"}\n", i)
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(b.String()), 0o666))
}

// writeIDs is "ids FILE COUNT": a list of so many IDs.
func writeIDs(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: ids FILE COUNT")
	}
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "u-%d\n", i)
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(b.String()), 0o666))
}

// checkMoved holds which share of the answers of two runs of eval --json goes from
// one variant to another: moved BEFORE AFTER FROM TO SHARE. A share of 0 is exact.
func checkMoved(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 5 {
		ts.Fatalf("usage: moved BEFORE AFTER FROM TO SHARE")
	}
	want, err := strconv.ParseFloat(args[4], 64)
	ts.Check(err)
	before, after := variants(ts, args[0]), variants(ts, args[1])
	if len(before) != len(after) || len(before) < 10_000 {
		ts.Fatalf("%d answers before and %d after", len(before), len(after))
	}
	n := 0
	for i := range before {
		if before[i] == args[2] && after[i] == args[3] {
			n++
		}
	}
	got := float64(n) / float64(len(before))
	if math.Abs(got-want) > 0.01 || want == 0 && n > 0 {
		ts.Fatalf("%d of %d users move from %s to %s, not %s", n, len(before), args[2], args[3], args[4])
	}
	ts.Logf("%d of %d users move from %s to %s", n, len(before), args[2], args[3])
}

// variants returns the variants of answers.
func variants(ts *testscript.TestScript, name string) []string {
	var list []string
	for line := range strings.Lines(ts.ReadFile(name)) {
		var answer struct{ Variant string }
		ts.Check(json.Unmarshal([]byte(line), &answer))
		list = append(list, answer.Variant)
	}
	return list
}
