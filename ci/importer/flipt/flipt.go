// Package flipt reads the flags of Flipt v1: features.yaml, as it stands in repositories and
// as "flipt export" writes it.
//
// It follows the evaluation of Flipt's server. Start at [Read].
package flipt

import (
	"encoding/json"
	"fmt"
	"hash/crc32"

	"github.com/serin-flags/serin/ci/importer"
)

// unit is the attribute that identifies users: the entity's ID.
const unit = "entityId"

// Read reads features.yaml in YAML or JSON, which may hold several documents. o.Environment
// is the namespace to take, empty for all of them.
func Read(data []byte, o importer.Options) (*importer.Import, error) {
	docs, err := documents(data)
	if err != nil {
		return nil, err
	}
	out := &importer.Import{System: "Flipt", Unit: unit, Notes: []importer.Note{
		{Reason: "the ID of the entity is the attribute \"entityId\"; values in the contexts of Flipt are text"},
	}}
	r := &reader{segments: make(map[[2]string]*segment), out: out, seen: make(map[string]bool)}
	flags := 0
	for _, doc := range docs {
		if err := r.addSegments(doc); err != nil {
			return nil, err
		}
	}
	for _, doc := range docs {
		if o.Environment != "" && o.Environment != string(doc.Namespace) {
			continue
		}
		flags += len(doc.Flags)
		for i := range doc.Flags {
			r.read(doc, &doc.Flags[i], fmt.Sprintf("%sflags[%d]", doc.at, i))
		}
	}
	if flags == 0 && o.Environment != "" {
		return nil, importer.Refusef("flags", "the namespace %q has no flags", o.Environment)
	}
	if flags == 0 {
		return nil, importer.Refusef("flags", "there are no flags")
	}
	return out, nil
}

// A reader reads the flags of all namespaces.
type reader struct {
	segments map[[2]string]*segment // by namespace and key
	out      *importer.Import
	seen     map[string]bool // keys of flags
}

func (r *reader) addSegments(doc *document) error {
	for i := range doc.Segments {
		s := &doc.Segments[i]
		s.at = fmt.Sprintf("%ssegments[%d]", doc.at, i)
		id := [2]string{string(doc.Namespace), s.Key}
		if r.segments[id] != nil {
			return importer.Refusef(s.at+".key", "there are two segments %q", s.Key)
		}
		r.segments[id] = s
	}
	return nil
}

// read adds a flag, and a second one if its variants have attachments.
func (r *reader) read(doc *document, f *flag, at string) {
	if r.seen[f.Key] {
		r.out.Refuse(f.Key, importer.Refusef(at+".key",
			"there are two flags %q; import one namespace with --env", f.Key))
		return
	}
	r.seen[f.Key] = true
	x := &reading{reader: r, doc: doc, f: f, at: at}
	x.flag = &importer.Flag{Key: f.Key, Namespace: importer.NamespaceOf(string(doc.Namespace)),
		Description: f.Description, Place: at}
	if x.flag.Description == "" && f.Name != f.Key {
		x.flag.Description = f.Name
	}
	if len(f.Metadata) > 0 {
		x.flag.Note(at+".metadata", "metadata isn't carried over; no answer depends on it")
	}
	if err := x.body(); err != nil {
		r.out.Refuse(f.Key, err)
		return
	}
	r.out.Flags = append(r.out.Flags, x.flag)
	x.attachments()
}

// A reading is one flag while it is read.
type reading struct {
	*reader
	doc      *document
	f        *flag
	flag     *importer.Flag
	at       string
	names    map[string]string // of variants, by their keys
	fallback string            // the variant served where no other is
}

// body sets the flag's type, variants and rules.
func (x *reading) body() error {
	switch {
	case x.f.Type == "BOOLEAN_FLAG_TYPE":
		return x.boolean()
	case x.f.Type != "" && x.f.Type != "VARIANT_FLAG_TYPE":
		return importer.Refusef(x.at+".type", "unknown type %q", x.f.Type)
	case len(x.f.Variants) == 0:
		x.flag.Type, x.fallback = "boolean", "off"
		x.flag.Note(x.at, "the flag has no variants, so it says here whether a rule matches, which is \"match\" in "+
			"Flipt's answers")
	default:
		if err := x.variants(); err != nil {
			return err
		}
	}
	x.flag.Default, x.flag.Disabled = x.fallback, !x.f.Enabled
	for i := range x.f.Rules {
		if err := x.rule(&x.f.Rules[i], i, fmt.Sprintf("%s.rules[%d]", x.at, i)); err != nil {
			return err
		}
	}
	return nil
}

// variants sets the flag's variants, whose values are their keys.
func (x *reading) variants() error {
	x.names = make(map[string]string)
	var values []json.RawMessage
	for i, v := range x.f.Variants {
		if v.Key == "" {
			return importer.Refusef(fmt.Sprintf("%s.variants[%d].key", x.at, i), "the key is missing")
		}
		if _, twice := x.names[v.Key]; twice {
			return importer.Refusef(fmt.Sprintf("%s.variants[%d].key", x.at, i), "there are two variants %q", v.Key)
		}
		x.names[v.Key] = ""
		values = append(values, json.RawMessage(importer.JSONText(v.Key)))
	}
	typ, list, err := importer.Values(values, x.at+".variants")
	if err != nil {
		return err
	}
	x.flag.Type, x.flag.Variants = typ, list
	taken := make(map[string]bool)
	for i, v := range x.f.Variants {
		x.names[v.Key] = list[i].Name
		taken[list[i].Name] = true
		if v.Default {
			x.fallback = list[i].Name // the last one counts
		}
	}
	if x.fallback == "" {
		x.fallback = "none"
		for taken[x.fallback] {
			x.fallback += "-"
		}
		x.flag.Variants = append(x.flag.Variants, importer.Variant{Name: x.fallback, Value: `""`})
		x.flag.Note(x.at, "the flag has no default variant: where no rule decides, it serves the empty text, as Flipt does")
	}
	return nil
}

// attachments adds a flag that serves the variants' attachments, if there are any.
func (x *reading) attachments() {
	var values []json.RawMessage
	some := false
	for _, v := range x.flag.Variants {
		raw := json.RawMessage("{}")
		for i, source := range x.f.Variants {
			if x.names[source.Key] != v.Name || source.Attachment == nil {
				continue
			}
			some = true
			var err error
			if raw, err = json.Marshal(source.Attachment); err != nil {
				place := fmt.Sprintf("%s.variants[%d].attachment", x.at, i)
				x.out.Refuse(x.f.Key+attachment, importer.Refusef(place, "the attachment can't be written as JSON"))
				return
			}
		}
		values = append(values, raw)
	}
	if !some {
		return
	}
	second := *x.flag
	second.Key += attachment
	typ, _, err := importer.Values(values, x.at+".variants")
	if err == nil && x.seen[second.Key] {
		err = importer.Refusef(x.at, "there is a flag %q already", second.Key)
	}
	if err != nil {
		x.out.Refuse(second.Key, err)
		return
	}
	x.seen[second.Key] = true
	second.Type, second.Notes = typ, append([]importer.Note(nil), x.flag.Notes...)
	second.Variants = append([]importer.Variant(nil), x.flag.Variants...)
	for i := range second.Variants {
		second.Variants[i].Value = string(values[i])
	}
	second.Rules = append([]importer.Rule(nil), x.flag.Rules...)
	second.Note(x.at, "it serves the attachments of the variants of %q; a variant without one has {}", x.f.Key)
	x.flag.Note(x.at, "the attachments of its variants are the flag %q", second.Key)
	x.out.Flags = append(x.out.Flags, &second)
}

// attachment is what the key of a flag with attachments ends with.
const attachment = ".attachment"

// emptyPosition returns the position of an entity without an ID: Flipt hashes the empty text.
func emptyPosition(key string, positions uint64) uint64 {
	return uint64(crc32.ChecksumIEEE([]byte(key))) % positions
}
