package main

import (
	"encoding/xml"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/serin-flags/serin/ci"
)

// FuzzJUnit holds that a report is XML whatever bytes names and messages have,
// and says what it was given where XML can.
func FuzzJUnit(f *testing.F) {
	for _, s := range []string{"", "a.b", "]]>", "<&>\"'", "\x00\x1b[31m\x7f", "\xff\xfe", "\ufffe\uffff",
		"\u202e\u0085\u2028", "a\r\nb\tc", " "} {
		f.Add(s, s, s)
	}
	f.Fuzz(func(t *testing.T, flag, name, message string) {
		place := ci.Problem{File: "flags/" + flag, Line: 1, Column: 1, Message: message, Quote: name, Caret: 1}
		report := ci.TestReport{Results: []ci.TestResult{
			{Flag: flag, Name: name, File: place.File, Environment: message, Line: 1},
			{Flag: flag, Name: name, File: place.File, Line: 1, Failures: ci.Problems{place, place}},
		}}
		data, err := junit("flags", report)
		if err != nil {
			t.Fatal(err)
		}
		var got junitSuites
		if err := xml.Unmarshal(data, &got); err != nil {
			t.Fatalf("%v\n%s", err, data)
		}
		if !utf8.Valid(data) {
			t.Errorf("not UTF-8: %q", data)
		}
		if len(got.Suites) != 1 || len(got.Suites[0].Cases) != 2 || got.Tests != 2 || got.Failures != 1 {
			t.Fatalf("want a suite of two cases, one failed:\n%s", data)
		}
		if c := got.Suites[0].Cases[1]; c.Name != inXML(name) || c.Failure == nil ||
			c.Failure.Message != inXML(message) {
			t.Errorf("want the name %q and the message %q:\n%s", name, message, data)
		}
	})
}

// inXML returns s with what XML can't hold replaced.
func inXML(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' && r != '\t' && r != '\n' && r != '\r' || r == 0xfffe || r == 0xffff {
			return utf8.RuneError
		}
		return r
	}, s)
}

// TestReplaceFile holds that a file is replaced whole or stays as it is.
func TestReplaceFile(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "reports", "serin.xml")
	for i := range 3 {
		if err := replaceFile(name, fmt.Append(nil, i)); err != nil {
			t.Fatal(err)
		}
	}
	if data, err := os.ReadFile(name); err != nil || string(data) != "2" {
		t.Errorf("the file holds %q, %v; want 2", data, err)
	}
	// A folder that stands in the way of the name.
	if err := os.Mkdir(filepath.Join(dir, "folder"), 0o777); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{filepath.Join(dir, "folder"), filepath.Join(name, "below.xml")} {
		if err := replaceFile(bad, nil); err == nil {
			t.Errorf("%s was written", bad)
		}
	}
	if err := replaceFile(os.DevNull, nil); err != nil {
		t.Errorf("a device isn't written to: %v", err)
	}
	entries, err := os.ReadDir(filepath.Dir(name))
	if err != nil || len(entries) != 1 {
		t.Errorf("beside the file there are %v, %v", entries, err)
	}
}
