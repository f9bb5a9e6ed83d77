// Package lock reads, checks and updates the lock file, which records which
// positions the variants of a split and the flags of a layer have.
//
// Start at [Read] and [File.Update]. An update keeps positions where they are as
// far as the new shares allow. The package doesn't know how splits and layers are
// written: package lang describes each as a [Division].
package lock

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/serin-flags/serin/ci/internal/problem"
	"github.com/serin-flags/serin/ci/internal/share"
	"github.com/serin-flags/serin/ci/internal/source"
	"github.com/serin-flags/serin/ci/internal/word"
	"github.com/serin-flags/serin/evaluator"
)

// Header is the comment that a new file starts with.
const Header = `# The positions of splits and layers, kept so that editing a share moves as few users as
# possible. "serin lock" writes this file, and "serin check" compares it with the flags.
# After a merge conflict, take the published branch's file and run "serin lock" again.
`

// earlierHeader is what files started with before.
const earlierHeader = `# Who has which positions of splits and layers, so that editing a share moves the
# fewest users. "serin lock" writes this file and "serin check" holds it against the
# flags. After a merge conflict take the published branch's file and run it again.
`

// maxPieces bounds how many more pieces than parts there may be. More would slow
// evaluation down and make lines unreadable.
const maxPieces = 64

// maxWords bounds the words of a line.
const maxWords = 4 * share.MaxVariants

// everyEnvironment is written instead of an environment for the flag's own rules. No
// environment has this name.
const everyEnvironment = "*"

// LayerPrefix precedes the name of a layer. No flag's key contains a colon.
const LayerPrefix = "layer:"

// An ID identifies what is divided: the split of a rule, or a layer.
type ID struct {
	Owner       string // a flag's key, or a layer's name after LayerPrefix
	Environment string // "" for the flag's own rules
	Rule        string
}

// compare orders ids as the file does.
func (id ID) compare(other ID) int {
	return cmp.Or(
		cmp.Compare(id.Owner, other.Owner),
		cmp.Compare(id.Environment, other.Environment),
		cmp.Compare(id.Rule, other.Rule),
	)
}

// layer returns the name of the layer, if it is one.
func (id ID) layer() (string, bool) { return strings.CutPrefix(id.Owner, LayerPrefix) }

// salt is what units are hashed with unless another salt is written down.
func (id ID) salt() string { return id.Owner }

// An Entry is a line of the lock file.
type Entry struct {
	ID     ID
	Draw   evaluator.Bucketing
	pieces []share.Piece
	line   int
}

// A File is the content of a lock file.
type File struct {
	File  *source.File // nil if there is none
	Shown string       // as a user would type it
	byID  map[ID]*Entry
}

// Format returns a file with a header and the entries, which it sorts.
func Format(header string, entries []*Entry) []byte {
	slices.SortFunc(entries, func(a, b *Entry) int { return a.ID.compare(b.ID) })
	var b bytes.Buffer
	b.WriteString(header)
	for i, e := range entries {
		if i == 0 || e.ID.Owner != entries[i-1].ID.Owner {
			b.WriteByte('\n') // or git couldn't merge edits of neighbours
		}
		e.format(&b)
	}
	return b.Bytes()
}

func (e *Entry) format(b *bytes.Buffer) {
	if name, ok := e.ID.layer(); ok {
		b.WriteString(LayerPrefix + word.Quote(name))
	} else {
		environment := everyEnvironment
		if e.ID.Environment != "" {
			environment = word.Quote(e.ID.Environment)
		}
		b.WriteString(word.Quote(e.ID.Owner) + " " + environment + " " + word.Quote(e.ID.Rule))
	}
	b.WriteString(" by=" + word.Quote(e.Draw.By))
	if e.Draw.Salt != e.ID.salt() {
		b.WriteString(" salt=" + word.Quote(e.Draw.Salt))
	}
	if e.Draw.Hash != evaluator.HashMurmur3 {
		b.WriteString(" hash=" + word.Quote(e.Draw.Hash))
	}
	if e.Draw.Positions != 0 {
		fmt.Fprintf(b, " positions=%d", e.Draw.Positions)
	}
	for _, p := range e.pieces {
		b.WriteString(" " + word.Quote(p.Name) + ":")
		b.Write(strconv.AppendUint(b.AvailableBuffer(), p.To, 10))
	}
	b.WriteByte('\n')
}

// header returns the header of an earlier release if the file has it, so that the file
// changes only if positions do, and otherwise that of a new file.
func (l *File) header() string {
	if l.File != nil && bytes.HasPrefix(l.File.Data, []byte(earlierHeader)) {
		return earlierHeader
	}
	return Header
}

// Read reads a lock file and records what is wrong with it. again says that
// "serin lock" is going to rewrite the file: then a split may be there twice, as after
// a merge that kept both sides, and the first line counts.
func Read(s *source.File, again bool) *File {
	l := &File{File: s, Shown: s.Shown, byID: make(map[ID]*Entry, bytes.Count(s.Data, []byte{'\n'}))}
	if len(s.Problems) > 0 || !s.Normalise() {
		return l
	}
	number := 0
	for line := range strings.Lines(string(s.Data)) {
		number++
		line = strings.TrimRight(line, " \t\n")
		if line == "" || line[0] == '#' {
			continue
		}
		if problem.IsConflict(line) {
			s.ProblemAt(number, 1,
				fmt.Sprintf("a merge conflict: take the file of the published branch, for instance with 'git checkout origin/main -- %s', and run 'serin lock'", s.Shown))
			return l
		}
		p := parser{word.Scanner{Rest: line, Max: maxWords}}
		e, err := p.entry()
		if err != nil {
			column := 1 + utf8.RuneCountInString(line[:len(line)-len(p.Rest)])
			s.ProblemAt(number, column,
				err.Error()+"; take the line of the published branch, or remove it to start again, and run 'serin lock'")
			continue
		}
		e.line = number
		if other, twice := l.byID[e.ID]; !twice {
			l.byID[e.ID] = e
		} else if !again {
			s.ProblemAt(number, 1,
				fmt.Sprintf("%s is on line %d too; keep the line of the published branch, and run 'serin lock'", e.ID,
					other.line))
		}
	}
	return l
}

// String names what is divided, for people.
func (id ID) String() string {
	if name, ok := id.layer(); ok {
		return fmt.Sprintf("layer %q", name)
	}
	s := fmt.Sprintf("flag %q, rule %q", id.Owner, id.Rule)
	if id.Environment != "" {
		s = fmt.Sprintf("flag %q, environment %q, rule %q", id.Owner, id.Environment, id.Rule)
	}
	return s
}

// A parser reads a line from left to right.
type parser struct{ word.Scanner }

var errBy = errors.New("the attribute to split by is missing, such as by=user")

// entry reads a line.
func (p *parser) entry() (*Entry, error) {
	e := &Entry{Draw: evaluator.Bucketing{Hash: evaluator.HashMurmur3}}
	var err error
	if e.ID, err = p.id(); err != nil {
		return nil, err
	}
	e.Draw.Salt = e.ID.salt()
	if !p.Skip(" by=") {
		return nil, errBy
	}
	if e.Draw.By, err = p.Word(); err != nil {
		return nil, err
	}
	if p.Skip(" salt=") {
		if e.Draw.Salt, err = p.Word(); err != nil {
			return nil, err
		}
	}
	if p.Skip(" hash=") {
		if e.Draw.Hash, err = p.Word(); err != nil {
			return nil, err
		}
	}
	if p.Skip(" positions=") {
		digits, _, _ := strings.Cut(p.Rest, " ")
		if e.Draw.Positions, err = strconv.ParseUint(digits, 10, 64); err != nil || e.Draw.Positions == 0 {
			return nil, word.Err
		}
		p.Rest = p.Rest[len(digits):]
	}
	if err := e.Draw.Check(); err != nil {
		return nil, err
	}
	e.pieces, err = p.pieces(e.Draw.Total())
	return e, err
}

// id reads what is divided.
func (p *parser) id() (ID, error) {
	owner, err := p.layer()
	if err != nil || owner != "" {
		return ID{Owner: owner}, err
	}
	var words [3]string
	for i := range words {
		if i > 0 && !p.Skip(" ") {
			return ID{}, word.Err
		}
		if i == 1 && p.Skip(everyEnvironment) {
			continue
		}
		if words[i], err = p.Word(); err != nil {
			return ID{}, err
		}
		if words[i] == "" || i == 0 && strings.HasPrefix(words[i], LayerPrefix) {
			return ID{}, word.Err
		}
	}
	return ID{words[0], words[1], words[2]}, nil
}

// layer reads the name of a layer, if there is one.
func (p *parser) layer() (string, error) {
	if !p.Skip(LayerPrefix) {
		return "", nil
	}
	name, err := p.Word()
	return LayerPrefix + name, err
}

// pieces reads whose the positions are.
func (p *parser) pieces(total uint64) ([]share.Piece, error) {
	list := make([]share.Piece, 0, 2)
	var from uint64
	for p.Rest != "" {
		if !p.Skip(" ") {
			return nil, word.Err
		}
		at := p.Rest
		name, err := p.Word()
		if err != nil {
			return nil, err
		}
		digits, after, _ := strings.Cut(p.Rest, " ")
		number, ok := strings.CutPrefix(digits, ":")
		to, err := strconv.ParseUint(number, 10, 64)
		switch {
		case !ok || err != nil || to > total:
			return nil, fmt.Errorf("expected VARIANT:POSITION, up to position %d, such as on:%d", total, total/2)
		case to <= from:
			p.Rest = at
			return nil, fmt.Errorf("the positions of %q end at %d, which is not after %d", name, to, from)
		}
		if p.Rest = p.Rest[len(digits):]; p.Rest != "" && after == "" {
			return nil, word.Err
		}
		list = append(list, share.Piece{Name: name, To: to})
		from = to
	}
	if from != total {
		return nil, fmt.Errorf("the last position is not %d", total)
	}
	return share.Joined(list), nil
}
