package edit

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/serin-flags/serin/ci/internal/compose"
	"github.com/serin-flags/serin/ci/internal/source"
	"github.com/serin-flags/serin/ci/internal/splice"
	"github.com/serin-flags/serin/internal/suggest"
)

// segmentOrder is the order of a segment's keys.
var segmentOrder = []string{"description", "lint", "include", "exclude", "when"}

// segment opens the file that "segments/NAME" names.
func (e *editing) segment(word string) (doc *splice.Doc, file string, err error) {
	name, ok := strings.CutPrefix(word, "segments/")
	if !ok {
		return nil, "", fmt.Errorf("%q isn't a segment; write segments/NAME", word)
	}
	entries, err := fs.ReadDir(e.fsys, "segments")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, "", err
	}
	var names []string
	for _, entry := range entries {
		p := path.Join("segments", entry.Name())
		if source.RoleOf(p) != source.SegmentFile || strings.HasPrefix(entry.Name(), ".") {
			continue
		}
		stem := strings.TrimSuffix(entry.Name(), path.Ext(entry.Name()))
		if names = append(names, stem); stem == name {
			doc, err := e.open(p)
			return doc, p, err
		}
	}
	return nil, "", fmt.Errorf("there is no segment %q%s", name, suggest.DidYouMean(name, slices.Values(names)))
}

// listFile returns the path of the file of IDs that a node names as {list: FILE}.
func listFile(file string, n *source.Node) (string, bool) {
	if n == nil || n.Kind != source.Mapping || n.Get("list") == nil {
		return "", false
	}
	return path.Join(path.Dir(file), n.Get("list").Text), true
}

// members returns the IDs that a node of a segment lists.
func (e *editing) members(file string, n *source.Node) ([]string, error) {
	name, ok := listFile(file, n)
	if !ok {
		var ids []string
		for _, item := range items(n) {
			ids = append(ids, item.Text)
		}
		return ids, nil
	}
	data, err := fs.ReadFile(e.fsys, name)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", e.shown(name), err)
	}
	return listed(data), nil
}

// listed returns the IDs in a file of them.
func listed(data []byte) []string {
	var ids []string
	for line := range bytes.Lines(bytes.TrimPrefix(data, []byte("\ufeff"))) {
		if id := lineID(line); id != "" {
			ids = append(ids, id)
		}
	}
	return ids
}

// lineID returns the ID that a line of a list holds, "" if it holds none.
func lineID(line []byte) string {
	id := strings.TrimSpace(string(line))
	if strings.HasPrefix(id, "#") {
		return ""
	}
	return id
}

// add is "add ID to segments/NAME".
func (e *editing) add(words []string) error {
	id := words[1]
	doc, file, err := e.segment(words[3])
	if err != nil {
		return err
	}
	include, exclude := doc.Root().Get("include"), doc.Root().Get("exclude")
	ids, err := e.members(file, exclude)
	if err != nil {
		return err
	}
	if slices.Contains(ids, id) {
		return fmt.Errorf("%s excludes %q; remove it from \"exclude\" in the file first", e.shown(file), id)
	}
	if ids, err = e.members(file, include); err != nil || slices.Contains(ids, id) {
		return err
	}
	if name, ok := listFile(file, include); ok {
		return e.addLine(name, id)
	}
	if include == nil {
		err = doc.Set(splice.Path{"include"}, &source.Node{Kind: source.Sequence, Items: []*source.Node{member(id)}},
			segmentOrder...)
	} else {
		err = doc.Append(splice.Path{"include"}, member(id))
	}
	if err != nil {
		return err
	}
	e.save(file, doc)
	return nil
}

// member returns a scalar for an ID, which is text.
func member(id string) *source.Node {
	n := compose.Word(id)
	if t := n.Type(); t != source.TextScalar {
		i, err := strconv.ParseInt(id, 10, 64)
		n.Plain = t == source.IntScalar && err == nil && strconv.FormatInt(i, 10) == id
	}
	return n
}

// removeMember is "remove ID from segments/NAME".
func (e *editing) removeMember(words []string) error {
	id := words[1]
	doc, file, err := e.segment(words[3])
	if err != nil {
		return err
	}
	include := doc.Root().Get("include")
	ids, err := e.members(file, include)
	if err != nil {
		return err
	}
	if !slices.Contains(ids, id) {
		return fmt.Errorf("%q isn't listed in %s%s", id, words[3], suggest.DidYouMean(id, slices.Values(ids)))
	}
	if len(ids) == 1 {
		return fmt.Errorf("%q is the only ID that %s includes, and a list can't be empty; edit the file by hand", id,
			words[3])
	}
	if name, ok := listFile(file, include); ok {
		return e.removeLine(name, id)
	}
	for i := len(ids) - 1; i >= 0; i-- {
		if ids[i] == id {
			if err := doc.Remove(splice.Path{"include", i}); err != nil {
				return err
			}
		}
	}
	e.save(file, doc)
	return nil
}

// addLine adds an ID at the end of a file of them.
func (e *editing) addLine(name, id string) error {
	data, err := fs.ReadFile(e.fsys, name)
	if err != nil {
		return fmt.Errorf("reading %s: %w", e.shown(name), err)
	}
	eol := "\n"
	if bytes.Contains(data, []byte("\r\n")) {
		eol = "\r\n"
	}
	after := slices.Concat(data, []byte(eol), []byte(id))
	if bytes.HasSuffix(data, []byte("\n")) {
		after = slices.Concat(data, []byte(id), []byte(eol))
	}
	if !slices.Equal(listed(after), append(listed(data), id)) {
		return fmt.Errorf("%q can't be an ID in %s", id, e.shown(name))
	}
	e.fsys = e.fsys.Put(name, after)
	return nil
}

// removeLine removes the lines of an ID from a file of them.
func (e *editing) removeLine(name, id string) error {
	data, err := fs.ReadFile(e.fsys, name)
	if err != nil {
		return fmt.Errorf("reading %s: %w", e.shown(name), err)
	}
	mark := data[:len(data)-len(bytes.TrimPrefix(data, []byte("\ufeff")))]
	after := slices.Clone(mark)
	for line := range bytes.Lines(data[len(mark):]) {
		if lineID(line) != id {
			after = append(after, line...)
		}
	}
	if !bytes.HasSuffix(data, []byte("\n")) {
		after = bytes.TrimSuffix(bytes.TrimSuffix(after, []byte("\n")), []byte("\r"))
	}
	e.fsys = e.fsys.Put(name, after)
	return nil
}
