package main

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/serin-flags/serin/ci"
)

// JUnit's XML as GitLab, Jenkins and the reporters for GitHub read it. Times are
// left out: they would make every report another one.
type (
	junitSuites struct {
		XMLName  xml.Name     `xml:"testsuites"`
		Name     string       `xml:"name,attr"`
		Tests    int          `xml:"tests,attr"`
		Failures int          `xml:"failures,attr"`
		Errors   int          `xml:"errors,attr"`
		Suites   []junitSuite `xml:"testsuite"`
	}
	junitSuite struct {
		Name     string      `xml:"name,attr"`
		File     string      `xml:"file,attr"`
		Tests    int         `xml:"tests,attr"`
		Failures int         `xml:"failures,attr"`
		Errors   int         `xml:"errors,attr"`
		Skipped  int         `xml:"skipped,attr"`
		Cases    []junitCase `xml:"testcase"`
	}
	junitCase struct {
		Name    string        `xml:"name,attr"`
		Class   string        `xml:"classname,attr"`
		File    string        `xml:"file,attr"`
		Line    int           `xml:"line,attr"`
		Failure *junitFailure `xml:"failure"`
	}
	junitFailure struct {
		Message string `xml:"message,attr"`
		Type    string `xml:"type,attr"`
		Text    string `xml:",chardata"`
	}
)

// writeJUnit writes the report to a file.
func writeJUnit(name, dir string, report ci.TestReport) error {
	data, err := junit(dir, report)
	if err == nil {
		err = replaceFile(name, data)
	}
	if err != nil {
		return fmt.Errorf("writing JUnit XML: %w", err)
	}
	return nil
}

// junit returns the report as JUnit's XML, a suite for each file.
func junit(dir string, report ci.TestReport) ([]byte, error) {
	all := junitSuites{Name: "serin test", Tests: len(report.Results), Failures: report.Failed()}
	for _, r := range report.Results {
		if n := len(all.Suites); n == 0 || all.Suites[n-1].File != filepath.ToSlash(r.File) {
			all.Suites = append(all.Suites, junitSuite{Name: r.Flag, File: filepath.ToSlash(r.File)})
		}
		suite := &all.Suites[len(all.Suites)-1]
		suite.Tests++
		c := junitCase{Name: r.Name, Class: junitClass(dir, r), File: suite.File, Line: r.Line}
		if r.Environment != "" {
			c.Name += " [" + r.Environment + "]" // another run, in another environment, is another case
		}
		if !r.Passed() {
			suite.Failures++
			var text bytes.Buffer
			if err := r.Failures.Write(&text); err != nil {
				return nil, err
			}
			c.Failure = &junitFailure{Message: r.Failures[0].Message, Type: "expectation", Text: text.String()}
		}
		suite.Cases = append(suite.Cases, c)
	}
	body, err := xml.MarshalIndent(all, "", "  ")
	if err != nil {
		return nil, err
	}
	return slices.Concat([]byte(xml.Header), body, []byte("\n")), nil
}

// junitClass returns the name that readers group cases by, with dots: the
// namespace and the flag, as in payments.risk.risk-review.
func junitClass(dir string, r ci.TestResult) string {
	below, err := filepath.Rel(dir, r.File)
	if err != nil {
		return r.Flag
	}
	return strings.ReplaceAll(path.Join(path.Dir(filepath.ToSlash(below)), r.Flag), "/", ".")
}

// replaceFile writes a file as a whole or not at all, and its folder if need be.
// What is no file, such as a pipe, is written to. A file that is there keeps its mode,
// and a link to one stays.
func replaceFile(name string, data []byte) (err error) {
	mode := os.FileMode(0o644)
	if info, err := os.Stat(name); err == nil {
		if !info.Mode().IsRegular() {
			return os.WriteFile(name, data, 0o666)
		}
		mode = info.Mode().Perm()
		if name, err = filepath.EvalSymlinks(name); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(name), filepath.Base(name)+".*.tmp")
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Chmod(mode)
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		_ = os.Remove(f.Name()) // what went wrong before is what matters
	}
	return err
}
