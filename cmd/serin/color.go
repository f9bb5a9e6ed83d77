package main

import (
	"bytes"
	"io"
	"regexp"
)

// A colorWriter colors what lines begin with, such as "error:", if it is on. Lines come
// from a [display.Writer], so nothing in them is an escape sequence.
type colorWriter struct {
	w       io.Writer
	on      bool
	midLine bool
}

const (
	red    = "\x1b[31m"
	green  = "\x1b[32m"
	yellow = "\x1b[33m"
	cyan   = "\x1b[36m"
	bold   = "\x1b[1m"
	plain  = "\x1b[0m"
)

// colored are the beginnings of lines that have a color. Of each the first group has it.
var colored = []struct {
	begin *regexp.Regexp
	color string
}{
	{regexp.MustCompile(`^(error:|FAIL) `), bold + red},
	{regexp.MustCompile(`^(warning:) `), bold + yellow},
	{regexp.MustCompile(`^(hint:|note:|next:)`), cyan},
	{regexp.MustCompile(`^(ok(?::|  )) `), green},
	{regexp.MustCompile(`^(\+) `), green},
	{regexp.MustCompile(`^(-) `), red},
	{regexp.MustCompile(`^(~) `), yellow},
	{regexp.MustCompile(`^[^ ]+:\d+:\d+: (warning:)`), yellow},
	{regexp.MustCompile(`^([^ ]+:\d+:\d+:) `), bold},
	{regexp.MustCompile(`^ +(\^)$`), green},
}

func (c *colorWriter) Write(p []byte) (int, error) {
	if !c.on {
		return c.w.Write(p)
	}
	var out []byte
	for line := range bytes.Lines(p) {
		if c.midLine {
			out = append(out, line...)
		} else {
			out = append(out, colorLine(line)...)
		}
		c.midLine = line[len(line)-1] != '\n'
	}
	if _, err := c.w.Write(out); err != nil {
		return 0, err
	}
	return len(p), nil
}

// colorLine colors the beginning of a line.
func colorLine(line []byte) []byte {
	text := bytes.TrimSuffix(line, []byte("\n"))
	for _, c := range colored {
		m := c.begin.FindSubmatchIndex(text)
		if m == nil {
			continue
		}
		from, to := m[2], m[3]
		return bytes.Join([][]byte{line[:from], []byte(c.color), line[from:to], []byte(plain), line[to:]}, nil)
	}
	return line
}
