package diff

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/serin-flags/serin/evaluator"
)

// A Population is people to count: contexts. It can be counted once.
type Population struct {
	name  string
	total int64 // of what progress is measured in: bytes
	// next returns what makes the next contexts, nil at the end, and how much of
	// total they are. It is called by one goroutine at a time; the batches are
	// made by several.
	next func() (b batch, done int64, err error)
}

// A batch calls f for each of some contexts, which are valid until f returns.
type batch func(f func(*evaluator.Context)) error

// Bounds of a file of contexts.
const (
	maxLine    = 1 << 20 // bytes of a line
	batchLines = 512
	batchBytes = 1 << 20 // after which a batch ends
)

// NewPopulation returns the population that r holds: contexts as OpenFeature has
// them, one JSON object a line. Empty lines are ignored. r is read as people
// are counted, and is called name in errors, which have the line's number; size
// is how many bytes it has, as far as is known, for progress. A line has 1 MiB at
// most.
func NewPopulation(r io.Reader, name string, size int64) *Population {
	f := &contextFile{r: bufio.NewReaderSize(r, 1<<16), name: name}
	return &Population{name: name, total: size, next: f.next}
}

// Reading lines takes a fraction of the time that decoding and evaluating them takes. So one goroutine
// at a time reads a batch of lines, and decodes it after it has let others read.

// A contextFile reads lines.
type contextFile struct {
	r    *bufio.Reader
	name string
	line int // lines read
}

// next reads a batch of lines. Errors and draws by chance are numbered by line, so the result doesn't
// depend on which goroutine counts which batch.
func (f *contextFile) next() (batch, int64, error) {
	var data []byte
	var ends []int
	first := f.line + 1
	for len(ends) < batchLines && len(data) < batchBytes {
		before := len(data)
		var err error
		// The lines of a batch share one block of memory.
		data, err = f.readLine(data)
		if err != nil && err != io.EOF {
			return nil, 0, err
		}
		if len(data) > before || err == nil {
			f.line++
			ends = append(ends, len(data))
		}
		if err == io.EOF {
			break
		}
	}
	if len(ends) == 0 {
		return nil, 0, nil
	}
	return func(use func(*evaluator.Context)) error {
		from := 0
		for i, end := range ends {
			line := bytes.TrimSpace(data[from:end])
			from = end
			if first+i == 1 { // spreadsheets put a byte order mark before the first line
				line = bytes.TrimPrefix(line, []byte("\xef\xbb\xbf"))
			}
			if len(line) == 0 {
				continue
			}
			ctx, err := evaluator.DecodeContext(line)
			if err != nil {
				return fmt.Errorf("%s:%d: %w", f.name, first+i, err)
			}
			ctx.Chance = drawFor(uint64(first + i))
			use(&ctx)
		}
		return nil
	}, int64(len(data)), nil
}

// readLine appends a line, with its end. At the end of the file it returns io.EOF, possibly with a last
// line.
func (f *contextFile) readLine(data []byte) ([]byte, error) {
	before := len(data)
	for {
		part, err := f.r.ReadSlice('\n')
		data = append(data, part...)
		if len(data)-before > maxLine+1 {
			return data, fmt.Errorf("%s:%d: the line is longer than 1 MiB; a context is one JSON object a line",
				f.name, f.line+1)
		}
		if err == nil || err == io.EOF {
			return data, err
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return data, fmt.Errorf("reading %s: %w", f.name, err)
		}
	}
}

// A feed hands out batches to several goroutines.
type feed struct {
	next     func() (batch, int64, error)
	total    int64
	progress func(done, total int64)

	mu     sync.Mutex
	done   int64
	lots   int // handed out
	err    error
	failed int // the lot that err is of: the first that has one
}

// A lot is a batch that was handed out.
type lot struct {
	people batch // nil at the end, or after an error
	size   int64
	number int
}

// take returns the next batch and reports progress on the last one, which is done. It holds the lock, so
// one goroutine at a time reports.
func (f *feed) take(last lot) lot {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.done += last.size
	if f.progress != nil && last.size > 0 {
		f.progress(f.done, f.total)
	}
	if f.err != nil {
		return lot{}
	}
	f.lots++
	people, size, err := f.next()
	if err != nil {
		f.err, f.failed = err, f.lots
		return lot{}
	}
	return lot{people, size, f.lots}
}

// fail makes all end. Of several errors the one of the first lot stays, so that it
// doesn't depend on who was quicker.
func (f *feed) fail(l lot, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err == nil || l.number < f.failed {
		f.err, f.failed = err, l.number
	}
}
