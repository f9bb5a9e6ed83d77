package bundle

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/serin-flags/serin/evaluator"
)

// MinList is how many strings a list has at least to be a target of its own. All
// other lists are part of the payload.
const MinList = 10_000

// Limits on lists.
const (
	maxLists  = 100  // of a payload; any more are part of it, so that they fit the label
	maxMember = 1000 // bytes of a string
)

// featureLists is the feature that payloads with lists have.
const featureLists = "lists"

// A List is a long list of strings that is a TUF target of its own: see [ListPath].
// Payloads refer to it by its SHA-256, so any number of them, and of revisions, can
// share it. It is immutable and safe for concurrent use.
type List struct {
	SHA256 string // of Data, in lower-case hexadecimal
	Data   []byte // as published; don't modify it

	set func() (*evaluator.List, error) // decodes once: later revisions have the same List
}

// NewList returns the list that is published as data. [CompilePayload] decodes it once.
func NewList(data []byte) *List {
	digest := sha256.Sum256(data)
	l := &List{SHA256: hex.EncodeToString(digest[:]), Data: data}
	l.set = sync.OnceValues(func() (*evaluator.List, error) {
		list, err := l.decode()
		if err != nil {
			return nil, err
		}
		return evaluator.NewList(list), nil
	})
	return l
}

const (
	listFolder = "lists/"
	listSuffix = ".txt.gz"
)

// ListPath returns the TUF target path of the list with a SHA-256 in hexadecimal.
func ListPath(sha256 string) string { return listFolder + sha256 + listSuffix }

// ListOf returns the SHA-256 in the target path of a list, and whether it is one.
func ListOf(path string) (hash string, ok bool) {
	hash = strings.TrimSuffix(strings.TrimPrefix(path, listFolder), listSuffix)
	b, err := hex.DecodeString(hash)
	return hash, err == nil && len(b) == sha256.Size && path == ListPath(hex.EncodeToString(b))
}

// ListObject returns the name, in a [Source], of the list with a SHA-256 in hexadecimal.
func ListObject(sha256 string) string {
	return "targets/" + listFolder + sha256 + "." + sha256 + listSuffix
}

// isTarget reports whether a list can be a target of its own, and is long enough.
func isTarget(list []string) bool {
	if len(list) < MinList {
		return false
	}
	before := ""
	for _, s := range list {
		if s <= before || len(s) > maxMember || strings.Contains(s, "\n") {
			return false
		}
		before = s
	}
	return true
}

// encodeList encodes a list for which isTarget holds: each string with a newline.
func encodeList(list []string) (*List, error) {
	text := strings.Join(list, "\n") + "\n"
	var buf bytes.Buffer
	err := compress(&buf, []byte(text), gzip.BestCompression)
	return NewList(buf.Bytes()), err
}

// size returns how many bytes the list says it has before compression.
func (l *List) size() int64 {
	if len(l.Data) < 4 {
		return 0
	}
	return int64(binary.LittleEndian.Uint32(l.Data[len(l.Data)-4:])) // the end of a gzip member
}

// decode returns the strings of the list, which share memory. Any data is safe to
// decode.
func (l *List) decode() ([]string, error) {
	list, err := l.lines()
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", l.SHA256, err)
	}
	return list, nil
}

func (l *List) lines() ([]string, error) {
	b, err := newUnpacker(l.Data).rest(uint32(l.size()))
	if err != nil {
		return nil, err
	}
	list := make([]string, bytes.Count(b, []byte("\n")))
	rest, before := string(b), ""
	for i := range list {
		list[i], rest, _ = strings.Cut(rest, "\n")
		if len(list[i]) > maxMember {
			return nil, fmt.Errorf("line %d has %d bytes; the limit is %d", i+1, len(list[i]), maxMember)
		}
		if list[i] <= before {
			return nil, fmt.Errorf("line %d is empty, or not in ascending order", i+1)
		}
		before = list[i]
	}
	if rest != "" || len(list) == 0 {
		return nil, errors.New("its last line doesn't end")
	}
	return list, nil
}

// A listContent is what stands for a list that a payload refers to: its strings, or
// its set.
type listContent struct {
	strings []string
	set     *evaluator.List
}

// contents returns what stands for each list that the label names.
func (l *label) contents(lists []*List, content func(*List) (listContent, error)) ([]listContent, error) {
	named := make([]*List, len(l.lists))
	for i, hash := range l.lists {
		at := slices.IndexFunc(lists, func(l *List) bool { return l.SHA256 == hash })
		if at < 0 {
			return nil, fmt.Errorf("the list %s is missing", hash)
		}
		named[i] = lists[at]
	}
	if err := l.checkSizes(named); err != nil {
		return nil, err
	}
	contents := make([]listContent, len(named))
	for i := range named {
		var err error
		if contents[i], err = content(named[i]); err != nil {
			return nil, err
		}
	}
	return contents, nil
}

// checkSizes checks that the columns and these lists aren't too large together before
// compression, as far as they say.
func (l *label) checkSizes(lists []*List) error {
	total := int64(l.size)
	for _, list := range lists {
		total += list.size()
	}
	if total > maxDecoded {
		return fmt.Errorf("it decompresses, with its lists, to %d bytes; the limit is %d", total, maxDecoded)
	}
	return nil
}
