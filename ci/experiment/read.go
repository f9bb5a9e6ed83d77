package experiment

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

const (
	maxLine    = 16 << 20 // bytes of a line of JSON, or of a row of CSV
	maxColumns = 1000
)

// Exposures reads which variant units got. name is what errors call the file. Lines that
// start with a brace are JSON lines: objects with the attributes of the SDK's events
// (package sdk/otel), the lines of an OTLP file, or those that OpenTelemetry's exporter for
// Go writes to standard output. Everything else is CSV with a line of names. Fields have the
// names of OpenTelemetry's semantic conventions or short ones: flag, unit, variant, reason,
// environment, time.
//
// Events of other flags and environments are ignored. Those with another reason than "split"
// are left out, because chance didn't choose their variants. Read all exposures before the
// outcomes. An error names the line; then the analysis is of no use.
func (a *Analysis) Exposures(name string, r io.Reader) error {
	return a.read(name, r, true, a.expose)
}

// Outcomes reads what units did. Fields are unit, time and the metric. Outcomes with a time
// before the first exposure of their unit are left out.
func (a *Analysis) Outcomes(name string, r io.Reader) error {
	a.outcomes = true
	return a.read(name, r, false, a.outcome)
}

func (a *Analysis) read(name string, r io.Reader, exposures bool, add func(*event) error) error {
	in := bufio.NewReaderSize(r, 64<<10)
	emit := func(r record) error {
		e, err := a.cfg.event(r)
		if err != nil {
			return err
		}
		return add(&e)
	}
	if start, err := in.Peek(3); err == nil && bytes.Equal(start, []byte("\ufeff")) {
		_, _ = in.Discard(3) // which are there
	}
	first, err := in.Peek(1)
	line := 0
	switch {
	case err == io.EOF:
		err = errors.New("the file is empty")
	case err != nil:
	case first[0] == '{':
		line, err = a.readLines(in, exposures, emit)
	default:
		line, err = a.readCSV(in, exposures, emit)
	}
	if err != nil {
		return fmt.Errorf("%s:%d: %w", name, max(line, 1), err)
	}
	return nil
}

// readLines reads JSON lines. It returns the number of the line that an error is about.
func (a *Analysis) readLines(in *bufio.Reader, exposures bool, emit func(record) error) (n int, err error) {
	events := newDecoder(&a.cfg, exposures, emit)
	var long []byte // the start of a line that is longer than the buffer
	for {
		part, err := in.ReadSlice('\n')
		if len(long)+len(part) > maxLine {
			return n + 1, fmt.Errorf("the line is longer than %d MiB", maxLine>>20)
		}
		if err == bufio.ErrBufferFull {
			long = append(long, part...)
			continue
		}
		line := part
		if len(long) > 0 {
			line = append(long, part...)
		}
		n++
		if trimmed := bytes.TrimSpace(line); len(trimmed) > 0 {
			if err := events.line(trimmed); err != nil {
				return n, err
			}
		}
		if err == io.EOF {
			return n, nil
		}
		if err != nil {
			return n, err
		}
		long = long[:0]
	}
}

// budget fails when more has been read for one row than maxLine.
type budget struct {
	r    io.Reader
	left int
}

var errLongRow = fmt.Errorf("the row is longer than %d MiB", maxLine>>20)

func (b *budget) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errLongRow
	}
	n, err := b.r.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}

// readCSV reads CSV with a header.
func (a *Analysis) readCSV(in *bufio.Reader, exposures bool, emit func(record) error) (line int, err error) {
	b := &budget{r: in, left: maxLine}
	c := csv.NewReader(b)
	c.ReuseRecord = true
	header, err := c.Read()
	if err != nil {
		return 1, csvProblem(err)
	}
	header = slices.Clone(header)
	for i, h := range header {
		header[i] = strings.TrimSpace(h)
	}
	if err := a.checkHeader(header, exposures); err != nil {
		return 1, err
	}
	for line = 1; ; {
		b.left = maxLine
		row, err := c.Read()
		if err == io.EOF {
			return line, nil
		}
		if err != nil {
			if parse := (*csv.ParseError)(nil); errors.As(err, &parse) {
				line = parse.Line - 1
			}
			return line + 1, csvProblem(err)
		}
		line, _ = c.FieldPos(0)
		r := make(record, len(row))
		for i, text := range row {
			r[header[i]] = field{text: strings.TrimSpace(text)}
		}
		if err := emit(r); err != nil {
			return line, err
		}
	}
}

// csvProblem describes an error without the text that it is about.
func csvProblem(err error) error {
	var parse *csv.ParseError
	if errors.As(err, &parse) {
		return fmt.Errorf("malformed CSV: %w", parse.Err)
	}
	return err
}

// checkHeader reports columns that are needed and not there.
func (a *Analysis) checkHeader(header []string, exposures bool) error {
	if len(header) > maxColumns {
		return fmt.Errorf("there are more than %d columns", maxColumns)
	}
	has := func(names []string) bool {
		return slices.ContainsFunc(names, func(n string) bool { return slices.Contains(header, n) })
	}
	switch {
	case !has(a.cfg.unitNames()):
		return fmt.Errorf("no column is named %s", strings.Join(a.cfg.unitNames(), " or "))
	case exposures && !has(fields.variant):
		return fmt.Errorf("no column is named %s", strings.Join(fields.variant, " or "))
	case !exposures && a.cfg.Metric != "" && !slices.Contains(header, a.cfg.Metric):
		return fmt.Errorf("no column is named %.80q, as the metric is", a.cfg.Metric)
	}
	return nil
}
