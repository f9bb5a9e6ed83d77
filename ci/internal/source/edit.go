package source

import (
	"bytes"
	"io/fs"
	"path/filepath"
)

// Parse parses the content of one file, as [Read] does for the files of an estate.
// name is the file's path below the estate, and dir the estate's as a user would type
// it. Parse may change data.
func Parse(name, dir string, data []byte) *File {
	s := &File{Path: name, Shown: filepath.Join(dir, filepath.FromSlash(name)), Role: RoleOf(name), Data: data}
	if len(data) > maxFileSize {
		s.Problem("the file is larger than %d MiB", maxFileSize>>20)
		return s
	}
	s.parse()
	return s
}

// Same reports whether two nodes mean the same, wherever and however they are written.
// The order of a mapping's keys counts.
func (n *Node) Same(other *Node) bool {
	if n == nil || other == nil {
		return n == other
	}
	if n.Kind != other.Kind || len(n.Items) != len(other.Items) || len(n.Fields) != len(other.Fields) {
		return false
	}
	if n.Kind == Scalar {
		return n.Text == other.Text && n.Type() == other.Type()
	}
	for i, item := range n.Items {
		if !item.Same(other.Items[i]) {
			return false
		}
	}
	for i, f := range n.Fields {
		if f.Key.Text != other.Fields[i].Key.Text || !f.Value.Same(other.Fields[i].Value) {
			return false
		}
	}
	return true
}

// Text returns a scalar that is text, without quotes where YAML needs none.
func Text(text string) *Node {
	n := &Node{Kind: Scalar, Text: text, Plain: true}
	n.Plain = n.Type() == TextScalar
	return n
}

// With adds a key to a mapping and returns the mapping.
func (n *Node) With(key string, value *Node) *Node {
	n.Fields = append(n.Fields, Field{Text(key), value})
	return n
}

// With returns the files of a folder without problems as they are with other contents, by path,
// in fsys. Files that stay aren't parsed again. It reports false if that takes reading the
// folder: a file is added or removed, or the contents are too large.
func (f *Files) With(fsys fs.FS, contents map[string][]byte) (*Files, bool) {
	out := &Files{fsys: fsys, Dir: f.Dir, all: make([]*File, 0, len(f.all)),
		ByRole: make(map[Role][]*File, len(f.ByRole))}
	var changed []*File
	for _, s := range f.all {
		next := &File{Path: s.Path, Shown: s.Shown, Role: s.Role, Data: s.Data, Root: s.Root, Kept: true}
		if data, ok := contents[s.Path]; ok &&
			(data == nil || len(data) > maxFileSize && s.Role != ListFile && s.Role != LockFile) {
			return nil, false
		} else if ok {
			if next.Kept = false; s.Role != ListFile { // lists are read from fsys
				next.Data, next.Root = bytes.Clone(data), nil
			}
			changed = append(changed, next)
		}
		out.all = append(out.all, next)
		out.ByRole[next.Role] = append(out.ByRole[next.Role], next)
		if out.total += len(next.Data); out.total > maxTotalSize {
			return nil, false
		}
	}
	for _, s := range changed {
		s.parse()
	}
	return out, len(changed) == len(contents)
}
