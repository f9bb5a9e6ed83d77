package plan

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/serin-flags/serin/ci/internal/share"
	"github.com/serin-flags/serin/ci/internal/word"
)

// header is the comment that a new releases.lock starts with.
const header = `# How far each release has got. "serin guard" and "serin release" write this file; nobody edits
# it by hand. After a merge conflict, keep the line with the higher count.
`

// A State says whether a plan may go on.
type State string

// The states.
const (
	Running  State = "running"
	Held     State = "held"     // it keeps its share until somebody resumes it
	Back     State = "back"     // it was rolled back
	Finished State = "finished" // it reached its last step, and nothing watches it any more
)

// Words says what a plan is, such as "rolled back".
func (s State) Words() string {
	if s == Back {
		return "rolled back"
	}
	return string(s)
}

// A Line says how far a plan has got. A plan without a line has cleared no step.
type Line struct {
	Flag        string
	Environment string
	Rule        string
	Plan        string    // Plan.Hash of the cleared steps
	Share       Share     // the last one that was cleared
	Since       time.Time // when it was cleared, or when the plan went on from it
	By          string    // who wrote the line
	Count       int64     // which only grows: 1 for the first line of a plan
	State       State
	Why         string    // why it is held or was rolled back
	Approved    Share     // the share up to which steps are approved
	Start       time.Time // when the plan starts again after it was rolled back; zero: when the plan says
	Blind       time.Time // since when nothing can be measured, if no source tells; zero: it can
	line        int
}

// maxWhy is the length in bytes of the longest reason, and of the longest name in by=.
const maxWhy = 300

// MaxCount is the highest count that files may have. No release moves so often, and a line
// near the highest number of all could never be followed by another one.
const MaxCount = 1_000_000_000

// next returns a copy of the line with the next count.
func (l Line) next(now time.Time, by string) Line {
	l.Count++
	l.By = reason(by)
	l.line = 0
	if now = now.UTC().Truncate(time.Second); l.Since.IsZero() {
		l.Since = now
	}
	return l
}

// NewLine returns the line of a plan that has cleared nothing. Its count is 0, so it is no
// line of a file before one of its methods has returned another.
func NewLine(p *Plan) Line {
	return Line{Flag: p.Flag, Environment: p.Environment, Rule: p.Rule, Plan: p.Hash(0), State: Running}
}

// Clear returns the line after a step, counted from 1, was cleared.
func (l Line) Clear(p *Plan, step int, now time.Time, by string) Line {
	l = l.next(now, by)
	l.Share, l.Plan, l.State, l.Why = p.Steps[step-1].To, p.Hash(step), Running, ""
	l.Since, l.Blind = now.UTC().Truncate(time.Second), time.Time{}
	return l
}

// Hold returns the line of a plan that keeps its share.
func (l Line) Hold(why string, now time.Time, by string) Line {
	l = l.next(now, by)
	l.State, l.Why, l.Blind = Held, reason(why), time.Time{}
	return l
}

// See returns the line of a plan about which nothing can be measured since a time or, if
// that is zero, of one about which something can be measured again.
func (l Line) See(blind, now time.Time, by string) Line {
	l = l.next(now, by)
	if l.Blind = blind; !blind.IsZero() {
		l.Blind = blind.UTC().Truncate(time.Second)
	}
	return l
}

// Resume returns the line of a plan that goes on: a held one from its share, and one that was
// rolled back from the beginning, no earlier than start. Evidence from before now doesn't count.
func (l Line) Resume(p *Plan, start, now time.Time, by string) Line {
	was := l.State
	l = l.next(now, by)
	l.State, l.Why = Running, ""
	l.Since, l.Blind = now.UTC().Truncate(time.Second), time.Time{}
	if was == Back {
		l.Share, l.Plan, l.Approved = 0, p.Hash(0), 0
		l.Start = start.UTC().Truncate(time.Second)
	}
	return l
}

// RollBack returns the line of a plan that was rolled back to a step, 0 being none.
func (l Line) RollBack(p *Plan, step int, why string, now time.Time, by string) Line {
	l = l.next(now, by)
	l.State, l.Why, l.Share, l.Plan = Back, reason(why), 0, p.Hash(step)
	if step > 0 {
		l.Share = p.Steps[step-1].To
	}
	l.Since, l.Blind = now.UTC().Truncate(time.Second), time.Time{}
	return l
}

// Approve returns the line of a plan whose steps up to a share are approved.
func (l Line) Approve(upTo Share, now time.Time, by string) Line {
	l = l.next(now, by)
	l.Approved = upTo
	return l
}

// Finish returns the line of a plan that nothing watches any more.
func (l Line) Finish(now time.Time, by string) Line {
	l = l.next(now, by)
	l.State, l.Why, l.Blind = Finished, "", time.Time{}
	return l
}

// Replan returns the line for a plan whose cleared steps were edited. The share must be that of
// a step. The rule may have another name now. What was approved was another plan, so no step is
// approved.
func (l Line) Replan(p *Plan, steps int, now time.Time, by string) Line {
	l = l.next(now, by)
	l.Rule, l.Plan = p.Rule, p.Hash(steps)
	l.Share = 0
	if steps > 0 {
		l.Share = p.Steps[steps-1].To
	}
	l.Since, l.Blind, l.Approved = now.UTC().Truncate(time.Second), time.Time{}, 0
	return l
}

// reason returns a reason as a line can hold it.
func reason(why string) string {
	why = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(why, ""))
	if len(why) > maxWhy {
		why = strings.ToValidUTF8(why[:maxWhy-3], "") + "…"
	}
	return why
}

// Number returns on which line of its file it is, or 0.
func (l Line) Number() int { return l.line }

// A Key identifies a plan: a flag has at most one in each environment.
type Key struct{ Flag, Environment string }

// Key returns which plan it is.
func (p *Plan) Key() Key { return Key{p.Flag, p.Environment} }

// Key returns which plan the line is of.
func (l Line) Key() Key { return Key{l.Flag, l.Environment} }

// Lines are the lines of a file.
type Lines map[Key]Line

// Get returns the line of a plan. If there is none, it returns that of a plan that has cleared nothing,
// whose count is 0.
func (l Lines) Get(p *Plan) Line {
	if line, ok := l[p.Key()]; ok {
		return line
	}
	return NewLine(p)
}

// Of returns the lines of an environment.
func (l Lines) Of(environment string) Lines {
	list := make(Lines)
	for k, line := range l {
		if k.Environment == environment {
			list[k] = line
		}
	}
	return list
}

// Sorted returns the lines in the order of a file.
func (l Lines) Sorted() []Line {
	list := make([]Line, 0, len(l))
	for _, line := range l {
		list = append(list, line)
	}
	slices.SortFunc(list, func(a, b Line) int {
		return cmp.Or(cmp.Compare(a.Flag, b.Flag), cmp.Compare(a.Environment, b.Environment))
	})
	return list
}

// Merge returns the newer line of each plan that either has, and those for which other has a
// newer line than l has, in the order of a file. Of equal counts that of l counts.
func (l Lines) Merge(other Lines) (merged Lines, newer []Line) {
	merged = make(Lines, len(l))
	for k, line := range l {
		merged[k] = line
	}
	for _, line := range other.Sorted() {
		if mine, ok := l[line.Key()]; !ok || line.Count > mine.Count {
			merged[line.Key()] = line
			newer = append(newer, line)
		}
	}
	return merged, newer
}

// Settle returns the line that counts if two have moved a plan from the same line: the more
// cautious of both, or l if neither is. It gets the next count, so that it is newer than both.
// ok is false if there is nothing to settle: the counts differ, or the lines are the same.
func (l Line) Settle(other Line) (line Line, ok bool) {
	if l.Count != other.Count || l.String() == other.String() {
		return Line{}, false
	}
	line = l
	if cmp.Or(cmp.Compare(other.State.caution(), l.State.caution()), cmp.Compare(l.Share, other.Share)) > 0 {
		line = other
	}
	line.Count++
	line.line = 0
	return line, true
}

// caution orders states by how far they are from exposing more people.
func (s State) caution() int { return slices.Index([]State{Finished, Running, Held, Back}, s) }

// Format returns a file with these lines.
func (l Lines) Format() []byte {
	var b strings.Builder
	b.WriteString(header)
	for _, line := range l.Sorted() {
		b.WriteString("\n") // or git couldn't merge edits of neighbours
		b.WriteString(line.String())
		b.WriteString("\n")
	}
	return []byte(b.String())
}

// String returns the line as a file has it.
func (l Line) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s %s plan=%s share=%v since=%s by=%s count=%d", word.Quote(l.Flag), word.Quote(l.Environment),
		word.Quote(l.Rule), word.Quote(l.Plan), l.Share, l.Since.UTC().Format(timeFormat), word.Quote(l.By), l.Count)
	if l.State != Running {
		b.WriteString(" state=" + string(l.State))
	}
	if l.Why != "" {
		b.WriteString(" why=" + strconv.Quote(l.Why))
	}
	if l.Approved != 0 {
		fmt.Fprintf(&b, " approved=%v", l.Approved)
	}
	if !l.Start.IsZero() {
		b.WriteString(" start=" + l.Start.UTC().Format(timeFormat))
	}
	if !l.Blind.IsZero() {
		b.WriteString(" blind=" + l.Blind.UTC().Format(timeFormat))
	}
	return b.String()
}

// timeFormat is how a line has times: in UTC, in whole seconds.
const timeFormat = "2006-01-02T15:04:05Z"

// An Error says what is wrong with a line of a file.
type Error struct {
	Line, Column int // from 1
	Err          error
}

// ErrKeep is wrapped by errors whose way out is to keep the line with the higher count.
var ErrKeep = errors.New("keep the line with the higher count")

// isConflict reports whether a line is one that git writes around a conflict.
func isConflict(text string) bool {
	return slices.ContainsFunc([]string{"<<<<<<<", "|||||||", "=======", ">>>>>>>"}, func(mark string) bool {
		return strings.HasPrefix(text, mark)
	})
}

// Parse reads a file. Of an unresolved merge conflict it reports nothing else.
func Parse(data []byte) (Lines, []Error) {
	lines, number := make(Lines), 0
	var errs []Error
	for text := range strings.Lines(string(data)) {
		number++
		text = strings.TrimRight(text, " \t\r\n")
		if text == "" || text[0] == '#' {
			continue
		}
		if isConflict(text) {
			return lines, []Error{{number, 1,
				fmt.Errorf("a merge conflict isn't resolved; of each flag and environment, %w", ErrKeep)}}
		}
		s := scanner{word.Scanner{Rest: text, Max: 50}}
		line, err := s.line()
		if err != nil {
			errs = append(errs, Error{number, 1 + len([]rune(text[:len(text)-len(s.Rest)])), err})
			continue
		}
		line.line = number
		if other, twice := lines[line.Key()]; twice {
			errs = append(errs, Error{number, 1,
				fmt.Errorf("flag %q is on line %d too, for the same environment; %w", line.Flag, other.line, ErrKeep)})
			continue
		}
		lines[line.Key()] = line
	}
	return lines, errs
}

// A scanner reads a line.
type scanner struct{ word.Scanner }

func (s *scanner) line() (l Line, err error) {
	for i, field := range []*string{&l.Flag, &l.Environment, &l.Rule} {
		if i > 0 && !s.Skip(" ") {
			return l, word.Err
		}
		if *field, err = s.Word(); err != nil {
			return l, err
		}
		if *field == "" {
			return l, word.Err
		}
	}
	l.State = Running
	for _, f := range []struct {
		name     string
		required bool
		read     func(text string) error
	}{
		{"plan", true, func(text string) error { l.Plan = text; return nil }},
		{"share", true, func(text string) error { return l.Share.UnmarshalText([]byte(text)) }},
		{"since", true, readTime(&l.Since)},
		{"by", true, readText(&l.By)},
		{"count", true, l.readCount},
		{"state", false, l.readState},
		{"why", false, readText(&l.Why)},
		{"approved", false, func(text string) error { return l.Approved.UnmarshalText([]byte(text)) }},
		{"start", false, readTime(&l.Start)},
		{"blind", false, readTime(&l.Blind)},
	} {
		if !s.Skip(" " + f.name + "=") {
			if f.required {
				return l, fmt.Errorf("%s= is missing", f.name)
			}
			continue
		}
		text, err := s.value()
		if err == nil {
			err = f.read(text)
		}
		if err != nil {
			return l, fmt.Errorf("%s=: %w", f.name, err)
		}
	}
	if s.Rest != "" {
		return l, word.Err
	}
	return l, nil
}

// value reads a word, a share or a time.
func (s *scanner) value() (string, error) {
	if strings.HasPrefix(s.Rest, `"`) {
		return s.Word()
	}
	end := strings.IndexByte(s.Rest, ' ')
	if end < 0 {
		end = len(s.Rest)
	}
	text := s.Rest[:end]
	if text == "" {
		return "", word.Err
	}
	s.Rest = s.Rest[end:]
	return text, nil
}

// readText reads what people see, which [reason] leaves as it is.
func readText(to *string) func(text string) error {
	return func(text string) error {
		if *to = text; reason(text) != text {
			return fmt.Errorf("it is longer than %d bytes, or has characters that can't be printed", maxWhy)
		}
		return nil
	}
}

func (l *Line) readCount(text string) error {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 1 {
		return errors.New("it is not a number from 1 on")
	}
	l.Count = n
	return nil
}

func (l *Line) readState(text string) error {
	switch l.State = State(text); l.State {
	case Held, Back, Finished:
		return nil
	}
	return errors.New(`it is "held", "back" or "finished"`)
}

func readTime(t *time.Time) func(text string) error {
	return func(text string) (err error) {
		*t, err = time.Parse(timeFormat, text)
		if err != nil {
			return errors.New("it is not a time such as 2026-12-01T10:00:00Z")
		}
		return nil
	}
}

// Level returns the share as a boundary among positions: [share.Boundary].
func (s Share) Level(total uint64) uint64 { return share.Boundary(int64(s), total) }
