package ci

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/serin-flags/serin/evaluator"
)

// LockFile is the name of the file, beside serin.yaml, that keeps who has which
// positions of splits and layers.
//
// It has a line for each, sorted, and an empty one before each flag and layer, so that
// edits of neighbours merge. Comments start with #:
//
//	new-checkout * "beta in two cities" by=user on:858993459 off:4294967296
//	layer:result-page by=user (holdout):214748364 result-cards:1932735283 (free):4294967296
//
// That is the flag, the environment whose rules it is ("*" for the flag's own),
// the rule, the unit, the salt unless it is the flag's key, and the hash if it is
// another than murmur3_x64_128. Then the positions from 0 on: whose they are, and
// where they end. Words with other characters than letters, digits and -_./@%+()
// stand in quotes, as in Go.
const LockFile = "flags.lock"

// lockHeader is what the file starts with.
const lockHeader = `# Who has which positions of splits and layers, so that editing a share moves the
# fewest users. "serin lock" writes this file and "serin check" holds it against the
# flags. After a merge conflict take the published branch's file and run it again.
`

// maxLockSize bounds the lock file in bytes.
const maxLockSize = 64 << 20

// maxPieces bounds how many pieces more than parts are kept: with more of them
// evaluation takes longer and a line says less.
const maxPieces = 64

// maxLockWords bounds the words of a line.
const maxLockWords = 4 * maxVariants

// everyEnvironment stands in the place of an environment for the flag's own rules,
// and is no environment's name.
const everyEnvironment = "*"

// layerPrefix stands before the name of a layer. No flag's key has a colon.
const layerPrefix = "layer:"

// A lockID says what is divided: the split of a rule, or a layer.
type lockID struct {
	owner       string // a flag's key, or a layer's name after layerPrefix
	environment string // "" for the flag's own rules
	rule        string
}

// compare orders ids as the file does.
func (id lockID) compare(other lockID) int {
	return cmp.Or(
		cmp.Compare(id.owner, other.owner),
		cmp.Compare(id.environment, other.environment),
		cmp.Compare(id.rule, other.rule),
	)
}

// layer returns the name of the layer, if it is one.
func (id lockID) layer() (string, bool) { return strings.CutPrefix(id.owner, layerPrefix) }

// salt is what units are hashed with unless another salt is written down.
func (id lockID) salt() string { return id.owner }

// A draw says what positions are computed from.
type draw struct{ by, salt, hash string }

// A lockEntry is a line of the lock file.
type lockEntry struct {
	id     lockID
	draw   draw
	pieces []piece
	line   int
}

// A lock is what stands in a lock file.
type lock struct {
	source *source // nil if there is none
	shown  string  // as a user would type it
	byID   map[lockID]*lockEntry
}

// format returns the file that says this of entries, which it sorts.
func formatLock(entries []*lockEntry) []byte {
	slices.SortFunc(entries, func(a, b *lockEntry) int { return a.id.compare(b.id) })
	var b bytes.Buffer
	b.WriteString(lockHeader)
	for i, e := range entries {
		if i == 0 || e.id.owner != entries[i-1].id.owner {
			b.WriteByte('\n') // or git couldn't merge edits of neighbours
		}
		e.format(&b)
	}
	return b.Bytes()
}

func (e *lockEntry) format(b *bytes.Buffer) {
	if name, ok := e.id.layer(); ok {
		b.WriteString(layerPrefix + lockWord(name))
	} else {
		environment := everyEnvironment
		if e.id.environment != "" {
			environment = lockWord(e.id.environment)
		}
		fmt.Fprintf(b, "%s %s %s", lockWord(e.id.owner), environment, lockWord(e.id.rule))
	}
	b.WriteString(" by=" + lockWord(e.draw.by))
	if e.draw.salt != e.id.salt() {
		b.WriteString(" salt=" + lockWord(e.draw.salt))
	}
	if e.draw.hash != evaluator.HashMurmur3 {
		b.WriteString(" hash=" + lockWord(e.draw.hash))
	}
	for _, p := range e.pieces {
		fmt.Fprintf(b, " %s:%d", lockWord(p.name), p.to)
	}
	b.WriteByte('\n')
}

// specialRune reports whether a word with r stands in quotes.
func specialRune(r rune) bool {
	return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("-_./@%+()", r)
}

// lockWord returns a word as it stands in the file.
func lockWord(s string) string {
	if s == "" || strings.ContainsFunc(s, specialRune) {
		return strconv.Quote(s)
	}
	return s
}

// readLock reads a lock file. What is wrong with it is recorded. With again,
// "serin lock" reads it: a split that stands there twice, as after a merge that kept
// both sides, counts as the first line says.
func readLock(s *source, again bool) *lock {
	l := &lock{source: s, shown: s.shown, byID: make(map[lockID]*lockEntry, bytes.Count(s.data, []byte{'\n'}))}
	if len(s.problems) > 0 || !s.normalise() {
		return l
	}
	number := 0
	for line := range strings.Lines(string(s.data)) {
		number++
		line = strings.TrimRight(line, " \t\n")
		if line == "" || line[0] == '#' {
			continue
		}
		if isConflict(line) {
			s.problemAt(number, 1, fmt.Sprintf("a merge conflict: take the file of the branch that is published, for instance by 'git checkout origin/main -- %s', and run 'serin lock'", s.shown))
			return l
		}
		p := lockParser{rest: line}
		e, err := p.entry()
		if err != nil {
			column := 1 + utf8.RuneCountInString(line[:len(line)-len(p.rest)])
			s.problemAt(number, column, err.Error()+"; take the line of the branch that is published or, to start anew, remove it, and run 'serin lock'")
			continue
		}
		e.line = number
		if other, twice := l.byID[e.id]; !twice {
			l.byID[e.id] = e
		} else if !again {
			s.problemAt(number, 1, fmt.Sprintf("%s stands on line %d too; keep the line of the branch that is published, and run 'serin lock'", e.id, other.line))
		}
	}
	return l
}

// String names what is divided, for people.
func (id lockID) String() string {
	if name, ok := id.layer(); ok {
		return fmt.Sprintf("layer %q", name)
	}
	s := fmt.Sprintf("flag %q, rule %q", id.owner, id.rule)
	if id.environment != "" {
		s = fmt.Sprintf("flag %q, environment %q, rule %q", id.owner, id.environment, id.rule)
	}
	return s
}

// A lockParser reads a line from left to right.
type lockParser struct {
	rest  string
	words int
}

var (
	errLockWord   = errors.New("a word is missing or malformed")
	errLockEnd    = errors.New("the last position is not 4294967296")
	errLockBy     = errors.New("what the split is by is missing, such as by=user")
	errLockNumber = errors.New("here stands who has positions, and where they end, 4294967296 at most: on:2147483648")
	errLockLong   = fmt.Errorf("the line has more than %d words", maxLockWords)
)

// entry reads a line.
func (p *lockParser) entry() (*lockEntry, error) {
	e := &lockEntry{draw: draw{hash: evaluator.HashMurmur3}}
	var err error
	if e.id, err = p.id(); err != nil {
		return nil, err
	}
	e.draw.salt = e.id.salt()
	if !p.skip(" by=") {
		return nil, errLockBy
	}
	if e.draw.by, err = p.word(); err != nil {
		return nil, err
	}
	if p.skip(" salt=") {
		if e.draw.salt, err = p.word(); err != nil {
			return nil, err
		}
	}
	if p.skip(" hash=") {
		if e.draw.hash, err = p.word(); err != nil {
			return nil, err
		}
	}
	e.pieces, err = p.pieces()
	return e, err
}

// id reads what is divided.
func (p *lockParser) id() (lockID, error) {
	owner, err := p.layer()
	if err != nil || owner != "" {
		return lockID{owner: owner}, err
	}
	var words [3]string
	for i := range words {
		if i > 0 && !p.skip(" ") {
			return lockID{}, errLockWord
		}
		if i == 1 && p.skip(everyEnvironment) {
			continue
		}
		if words[i], err = p.word(); err != nil {
			return lockID{}, err
		}
		if words[i] == "" || i == 0 && strings.HasPrefix(words[i], layerPrefix) {
			return lockID{}, errLockWord
		}
	}
	return lockID{words[0], words[1], words[2]}, nil
}

// layer reads the name of a layer, if there is one.
func (p *lockParser) layer() (string, error) {
	if !p.skip(layerPrefix) {
		return "", nil
	}
	name, err := p.word()
	return layerPrefix + name, err
}

// pieces reads whose the positions are.
func (p *lockParser) pieces() ([]piece, error) {
	list := make([]piece, 0, 2)
	var from uint64
	for p.rest != "" {
		if !p.skip(" ") {
			return nil, errLockWord
		}
		at := p.rest
		name, err := p.word()
		if err != nil {
			return nil, err
		}
		digits, after, _ := strings.Cut(p.rest, " ")
		number, ok := strings.CutPrefix(digits, ":")
		to, err := strconv.ParseUint(number, 10, 64)
		switch {
		case !ok || err != nil || to > evaluator.Positions:
			return nil, errLockNumber
		case to <= from:
			p.rest = at
			return nil, fmt.Errorf("the positions of %q end at %d, which is not after %d", name, to, from)
		}
		if p.rest = p.rest[len(digits):]; p.rest != "" && after == "" {
			return nil, errLockWord
		}
		list = append(list, piece{name, to})
		from = to
	}
	if from != evaluator.Positions {
		return nil, errLockEnd
	}
	return joined(list), nil
}

// skip skips a text, if it comes next.
func (p *lockParser) skip(text string) bool {
	rest, ok := strings.CutPrefix(p.rest, text)
	p.rest = rest
	return ok
}

// word reads a word, in quotes or without.
func (p *lockParser) word() (string, error) {
	if p.words++; p.words > maxLockWords {
		return "", errLockLong
	}
	if strings.HasPrefix(p.rest, `"`) {
		quoted, err := strconv.QuotedPrefix(p.rest)
		if err != nil {
			return "", errLockWord
		}
		word, err := strconv.Unquote(quoted)
		if err != nil {
			return "", errLockWord
		}
		p.rest = p.rest[len(quoted):]
		return word, nil
	}
	end := strings.IndexFunc(p.rest, specialRune)
	if end < 0 {
		end = len(p.rest)
	}
	if end == 0 {
		return "", errLockWord
	}
	word := p.rest[:end]
	p.rest = p.rest[end:]
	return word, nil
}
