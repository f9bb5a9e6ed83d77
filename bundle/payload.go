package bundle

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/serin-flags/serin/evaluator"
)

// PayloadName is the file name of payloads. The payload of a namespace is the
// TUF target <namespace>/<PayloadName>.
const PayloadName = "flags.msgpack.gz"

// A Payload is the content of a TUF target: the flags of one namespace in one
// environment.
type Payload struct {
	Environment string
	Namespace   string
	// Public says that anybody may read the flags, as serin.yaml has it. Endpoints show
	// browsers and apps no others. Evaluation doesn't depend on it.
	Public  bool
	Ruleset evaluator.Ruleset
}

// Limits on payloads.
const (
	maxLabel   = 4 << 10   // bytes of a label
	maxDecoded = 128 << 20 // bytes of the columns and the lists before compression
	maxMemory  = 1 << 30   // bytes that a ruleset takes, see [wire.memory]
)

// maxRatio is the most that DEFLATE can compress.
const maxRatio = 1032

// EncodePayload encodes p in the oldest format that can express it, except that long
// lists become targets of their own: those of [MinList] or more strings, in ascending
// order, that a segment or a condition on a string has. It returns these beside the
// payload, each once.
//
// Equal payloads give equal bytes. Nil lists are equal to empty ones, and rules with a
// split are equal whatever their Variant, which isn't used.
//
// It refuses rulesets that [evaluator.Compile] refuses, a namespace that isn't
// valid ([ValidNamespace]), an environment that is empty or has more than 3,000
// bytes (400 if there are lists), and rulesets of more than 128 MiB before compression
// or 1 GiB in memory.
func EncodePayload(p Payload) ([]byte, []*List, error) {
	if !ValidNamespace(p.Namespace) {
		return nil, nil, fmt.Errorf("encoding payload: %q is not a valid namespace", p.Namespace)
	}
	if p.Environment == "" {
		return nil, nil, fmt.Errorf("encoding payload of %s: the environment is empty", p.Namespace)
	}
	data, lists, err := encode(p)
	if err != nil {
		return nil, nil, fmt.Errorf("encoding payload of %s: %w", p.Namespace, err)
	}
	return data, lists, nil
}

func encode(p Payload) ([]byte, []*List, error) {
	if _, err := evaluator.Compile(p.Ruleset); err != nil {
		return nil, nil, err
	}
	l := label{format: format1, environment: p.Environment, namespace: p.Namespace, public: p.Public}
	for _, a := range p.Ruleset.Attributes {
		if strings.Contains(a.From, "\n") {
			return nil, nil, fmt.Errorf("what attribute %q comes from has a line break", a.Name)
		}
	}
	if p.Public || takesFrom(&p.Ruleset) || isGuarded(&p.Ruleset) {
		l.format = format2
	}
	for _, n := range Needs(&p.Ruleset) {
		l.format, l.features = format2, append(l.features, n.Feature)
	}
	if !l.has(featureLists) {
		data, err := pack(l, encodeRuleset(&p.Ruleset))
		return data, nil, err
	}
	w, lists, err := encodeWithLists(&p.Ruleset)
	if err != nil {
		return nil, nil, err
	}
	for _, list := range lists {
		l.lists = append(l.lists, list.SHA256)
	}
	data, err := pack(l, w, lists...)
	return data, lists, err
}

// DecodePayload decodes a payload. Empty lists become nil. It checks the form, and
// leaves the ruleset to [evaluator.Compile]. Any data is safe to decode: it
// allocates at most 2 GiB, and at most 200,000 times the length of data and lists. If
// the payload is made for newer versions of this package, the error wraps
// [ErrUnsupported].
//
// lists are those that the payload refers to, in any order, as
// [VerifiedPayload.Lists] has them. Others don't matter.
//
// The texts of the ruleset are slices of blocks of 64 KiB or more, which stay in
// memory as long as one of them is in use.
func DecodePayload(data []byte, lists ...*List) (Payload, error) {
	l, columns, err := unpack(data)
	if err != nil {
		return Payload{}, fmt.Errorf("decoding payload: %w", err)
	}
	contents, err := l.contents(lists, func(list *List) (listContent, error) {
		strings, err := list.decode()
		return listContent{strings: strings}, err
	})
	if err != nil {
		return Payload{}, fmt.Errorf("decoding payload: %w", err)
	}
	set, err := decodeRuleset(&l, columns, contents...)
	if err != nil {
		return Payload{}, fmt.Errorf("decoding payload: %w", err)
	}
	return Payload{l.environment, l.namespace, l.public, set}, nil
}

// A CompiledPayload is a payload whose flags are ready to be evaluated.
type CompiledPayload struct {
	Environment string
	Namespace   string
	Public      bool // as in [Payload]
	Module      *evaluator.Module
}

// CompilePayload decodes and compiles a payload. It accepts what [DecodePayload]
// and then [evaluator.CompileModule] accept, but takes far less time and memory:
// the whole ruleset is never in memory. It decodes a list when a payload first needs
// it, and whatever refers to the same *List after that shares the result.
//
// Any data is safe: decoding allocates at most twice what DecodePayload may. The
// errors of compiling are those that [evaluator.Compile] joins.
func CompilePayload(data []byte, lists ...*List) (CompiledPayload, error) {
	l, columns, err := unpack(data)
	if err != nil {
		return CompiledPayload{}, fmt.Errorf("decoding payload: %w", err)
	}
	contents, err := l.contents(lists, func(list *List) (listContent, error) {
		set, err := list.set()
		return listContent{set: set}, err
	})
	if err != nil {
		return CompiledPayload{}, fmt.Errorf("decoding payload: %w", err)
	}
	module, decoding, compiling := compileRuleset(&l, columns, contents...)
	if decoding != nil {
		return CompiledPayload{}, fmt.Errorf("decoding payload: %w", decoding)
	}
	if compiling != nil {
		return CompiledPayload{}, fmt.Errorf("compiling payload of %s: %w", l.namespace, compiling)
	}
	return CompiledPayload{l.environment, l.namespace, l.public, module}, nil
}

// unpack returns the label and the columns of a payload.
func unpack(data []byte) (label, []byte, error) {
	u := newUnpacker(data)
	l, err := u.label()
	if err != nil {
		return label{}, nil, err
	}
	columns, err := u.rest(l.size)
	return l, columns, err
}

// pack returns a payload: the label and the columns, each a gzip member of its
// own, so that the label can be read without the columns.
func pack(l label, w *wire, lists ...*List) ([]byte, error) {
	columns := w.marshal(l.format)
	if len(columns) > maxDecoded {
		return nil, fmt.Errorf("the payload has %d bytes before compression; the limit is %d", len(columns), maxDecoded)
	}
	if n := w.memory(); n > maxMemory {
		return nil, fmt.Errorf("the payload takes %d bytes of memory; the limit is %d", n, maxMemory)
	}
	l.size = uint32(len(columns))
	if err := l.checkSizes(lists); err != nil {
		return nil, err
	}
	name := l.marshal()
	if len(name) > maxLabel {
		return nil, fmt.Errorf("the label has %d bytes, %d of them the environment's name; the limit is %d",
			len(name), len(l.environment), maxLabel)
	}
	var buf bytes.Buffer
	if err := compress(&buf, name, gzip.NoCompression); err != nil {
		return nil, err
	}
	if err := compress(&buf, columns, gzip.BestCompression); err != nil {
		return nil, err
	}
	return buf.Bytes(), nil
}

// compress appends data as a gzip member.
func compress(buf *bytes.Buffer, data []byte, level int) error {
	zw, err := gzip.NewWriterLevel(buf, level)
	if err != nil {
		return err
	}
	if _, err := zw.Write(data); err != nil {
		return err
	}
	return zw.Close()
}

// An unpacker reads the two parts of a payload, one after the other.
type unpacker struct {
	compressed *bytes.Reader
	zr         gzip.Reader
}

func newUnpacker(data []byte) *unpacker {
	return &unpacker{compressed: bytes.NewReader(data)}
}

// next goes to the next gzip member.
func (u *unpacker) next() error {
	if err := u.zr.Reset(u.compressed); err != nil {
		return err
	}
	u.zr.Multistream(false)
	return nil
}

func (u *unpacker) label() (l label, err error) {
	if err := u.next(); err != nil {
		return label{}, err
	}
	b, err := io.ReadAll(io.LimitReader(&u.zr, maxLabel+1))
	if err == nil && len(b) > maxLabel {
		err = fmt.Errorf("it has more than %d bytes", maxLabel)
	}
	if err == nil {
		err = l.unmarshal(b)
	}
	if err != nil {
		return label{}, fmt.Errorf("its label: %w", err)
	}
	return l, nil
}

// rest decompresses the next member, which must have that size and end the data.
func (u *unpacker) rest(size uint32) ([]byte, error) {
	if size > maxDecoded {
		return nil, fmt.Errorf("it decompresses to %d bytes; the limit is %d", size, maxDecoded)
	}
	if int64(size) > maxRatio*int64(u.compressed.Len()) { // don't allocate for a lie
		return nil, errors.New("it is shorter than it says")
	}
	if err := u.next(); err != nil {
		return nil, err
	}
	b := make([]byte, size)
	if _, err := io.ReadFull(&u.zr, b); err != nil {
		return nil, err
	}
	if n, err := u.zr.Read(make([]byte, 1)); n > 0 {
		return nil, errors.New("it is longer than it says")
	} else if err != io.EOF {
		return nil, err
	}
	if u.compressed.Len() > 0 {
		return nil, errors.New("there is something after the compressed data")
	}
	return b, nil
}
