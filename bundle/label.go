package bundle

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"

	"github.com/tinylib/msgp/msgp"
)

// A Label says what a payload is, and where it belongs.
type Label struct {
	Format      int // 1 or 2
	Environment string
	Namespace   string
	// Features are what readers must know, sorted; see [Needs]. Format 1 has none.
	Features []string
	// Lists are the SHA-256 of the lists that the payload refers to, in hexadecimal.
	Lists []string
	// Public says what [Payload] does. Format 1 can't.
	Public bool
}

// ReadLabel reads the label of a payload, and no more. If the payload is made for
// newer versions of this package the error wraps [ErrUnsupported].
func ReadLabel(data []byte) (Label, error) {
	l, err := newUnpacker(data).label()
	if err != nil {
		return Label{}, fmt.Errorf("reading label: %w", err)
	}
	return Label{int(l.format), l.environment, l.namespace, l.features, l.lists, l.public}, nil
}

// The formats that exist. A reader refuses any other: what it doesn't know it
// would evaluate wrongly.
const (
	format1 = 1
	format2 = 2
)

// A label is a [Label] as it is encoded: a MessagePack map. The package
// documentation describes it. Format 2 has as many entries as format 1, because
// readers of format 1 count them first: so they can say which format they lack.
type label struct {
	format      uint32
	environment string
	namespace   string
	size        uint32   // bytes of the columns before compression
	features    []string // of format 2, ascending
	lists       []string // SHA-256 of lists, in hexadecimal
	public      bool     // of format 2
}

// has reports whether the label names a feature.
func (l *label) has(feature string) bool { return slices.Contains(l.features, feature) }

func (l *label) marshal() []byte {
	b := msgp.AppendMapHeader(nil, 4)
	b = msgp.AppendUint32(msgp.AppendString(b, "format"), l.format)
	b = msgp.AppendString(msgp.AppendString(b, "environment"), l.environment)
	b = msgp.AppendString(msgp.AppendString(b, "namespace"), l.namespace)
	if l.format == format2 {
		entries := 2 + bit(len(l.lists) > 0, 1) + bit(l.public, 1)
		b = msgp.AppendMapHeader(msgp.AppendString(b, "columns"), entries)
	}
	b = msgp.AppendUint32(msgp.AppendString(b, "size"), l.size)
	if l.format == format2 {
		b = msgp.AppendArrayHeader(msgp.AppendString(b, "features"), uint32(len(l.features)))
		for _, f := range l.features {
			b = msgp.AppendString(b, f)
		}
	}
	if len(l.lists) > 0 {
		b = msgp.AppendArrayHeader(msgp.AppendString(b, "lists"), uint32(len(l.lists)))
		for _, hash := range l.lists {
			digest, _ := hex.DecodeString(hash)
			b = msgp.AppendBytes(b, digest)
		}
	}
	if l.public {
		b = msgp.AppendBool(msgp.AppendString(b, "public"), true)
	}
	return b
}

// unmarshal reads a label. If only its features are not known, all of it is read.
func (l *label) unmarshal(b []byte) error {
	r := &labelReader{b: b}
	if n := r.mapHeader(); r.err == nil && n != 4 {
		r.err = errors.New("it does not have four fields")
	}
	r.key("format")
	l.format = r.uint32()
	if r.err == nil && l.format != format1 && l.format != format2 {
		return fmt.Errorf("format %d is not known, only 1 and 2: %w", l.format, ErrUnsupported)
	}
	r.key("environment")
	l.environment = r.text()
	r.key("namespace")
	l.namespace = r.text()
	more := 0
	if l.format == format2 {
		r.key("columns")
		if more = int(r.mapHeader()) - 2; r.err == nil && more < 0 {
			r.err = errors.New("it does not have the size and the features of its columns")
		}
	}
	r.key("size")
	l.size = r.uint32()
	if l.format == format2 {
		r.key("features")
		l.features = r.features()
	}
	known := l.has(featureLists) // if not, it is only known to newer readers
	for ; more > 0 && r.err == nil; more-- {
		switch name := r.text(); {
		case name == "lists" && known:
			l.lists, known = r.lists(), false
		case name == "public" && !l.public:
			l.public = readNext(r, msgp.ReadBoolBytes)
		default:
			r.skip() // what only newer readers know
		}
	}
	if r.err == nil && len(r.b) > 0 {
		r.err = errors.New("there is something after its fields")
	}
	if r.err != nil {
		return r.err
	}
	return checkKnown(l.features)
}

// A labelReader takes a label off the front of b, until there is an error.
type labelReader struct {
	b   []byte
	err error
}

// readNext takes one value.
func readNext[T any](r *labelReader, read func([]byte) (T, []byte, error)) (v T) {
	if r.err == nil {
		v, r.b, r.err = read(r.b)
	}
	return v
}

func (r *labelReader) mapHeader() uint32 { return readNext(r, msgp.ReadMapHeaderBytes) }
func (r *labelReader) uint32() uint32    { return readNext(r, msgp.ReadUint32Bytes) }
func (r *labelReader) text() string      { return readNext(r, msgp.ReadStringBytes) }

// skip takes one value of any kind.
func (r *labelReader) skip() {
	if r.err == nil {
		r.b, r.err = msgp.Skip(r.b)
	}
}

// key takes the name of an entry, which must be this one.
func (r *labelReader) key(name string) {
	if key := r.text(); r.err == nil && key != name {
		r.err = fmt.Errorf("a field that is not %q is in its place", name)
	}
}

// unprintable reports whether c is no printable ASCII character.
func unprintable(c byte) bool { return c < ' ' || c > '~' }

// maxFeature is how long the name of a feature may be.
const maxFeature = 64

// lists takes the hashes of lists.
func (r *labelReader) lists() []string {
	n := readNext(r, msgp.ReadArrayHeaderBytes)
	if n > maxLists {
		r.err = fmt.Errorf("it names %d lists; the limit is %d", n, maxLists)
	}
	var list []string
	for ; n > 0 && r.err == nil; n-- {
		digest := readNext(r, msgp.ReadBytesZC)
		hash := hex.EncodeToString(digest)
		switch {
		case r.err != nil:
		case len(digest) != sha256.Size:
			r.err = errors.New("what names a list is not a SHA-256")
		case slices.Contains(list, hash):
			r.err = errors.New("it names a list twice")
		}
		list = append(list, hash)
	}
	return list
}

// features takes the names of features.
func (r *labelReader) features() []string {
	n := readNext(r, msgp.ReadArrayHeaderBytes)
	var list []string
	for ; n > 0 && r.err == nil; n-- {
		f := r.text()
		switch {
		case r.err != nil:
		case f == "" || len(f) > maxFeature || slices.ContainsFunc([]byte(f), unprintable):
			r.err = fmt.Errorf("a feature is not a name of 1 to %d ASCII characters", maxFeature)
		case len(list) > 0 && f <= list[len(list)-1]:
			r.err = errors.New("its features are not in ascending order")
		}
		list = append(list, f)
	}
	return list
}
