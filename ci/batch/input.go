package batch

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/serin-flags/serin/ci/internal/source"
)

// MaxInput is how many bytes of a file [Read] and [Lines] take.
const MaxInput = 256 << 20

// Parse reads VERSION=HOST,HOST… White space around hosts is ignored.
func Parse(text string) (Version, error) {
	name, list, ok := strings.Cut(text, "=")
	if !ok {
		return Version{}, fmt.Errorf("%.80q isn't of the form VERSION=HOST,HOST", text)
	}
	v := Version{Name: strings.TrimSpace(name)}
	if err := checkVersion(v.Name); err != nil {
		return Version{}, err
	}
	if strings.TrimSpace(list) == "" {
		return v, nil
	}
	v.Hosts = strings.Split(list, ",")
	for i, host := range v.Hosts {
		v.Hosts[i] = strings.TrimSpace(host)
	}
	return v, nil
}

// Lines reads hosts, one per line. White space around them, and lines that start with # are
// ignored. A blank line is an error, unless only blank ones follow.
func Lines(data []byte) ([]string, error) {
	if len(data) > MaxInput {
		return nil, errTooLong
	}
	text := strings.TrimRight(strings.TrimPrefix(string(data), "\ufeff"), " \t\r\n")
	if text == "" {
		return nil, nil
	}
	hosts := make([]string, 0, strings.Count(text, "\n")+1)
	n := 0
	for line := range strings.SplitSeq(text, "\n") {
		n++
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "#") {
			continue
		}
		if line == "" {
			return nil, fmt.Errorf("line %d is blank: remove it, or fill the name in", n)
		}
		if err := checkHost(line); err != nil {
			return nil, fmt.Errorf("line %d %w", n, err)
		}
		hosts = append(hosts, line)
	}
	return hosts, nil
}

var errTooLong = fmt.Errorf("there are more than %d MiB", MaxInput>>20)

// Read reads a mapping from versions to lists of hosts in JSON or YAML, such as
// {"v2": ["web-1", "web-2"]}. The order of versions is that of the file. name is the file
// as a user would type it; if it ends in .json, the text is JSON. YAML may have at most 1
// MiB and follows the rules of flag files: no anchors, no tags. Read may change data.
func Read(name string, data []byte) ([]Version, error) {
	if len(data) > MaxInput {
		return nil, errTooLong
	}
	object := bytes.HasPrefix(bytes.TrimSpace(data), []byte("{"))
	if strings.HasSuffix(name, ".json") || object && json.Valid(data) {
		versions, at, err := readJSON(data)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", 1+bytes.Count(data[:min(at, int64(len(data)))], []byte("\n")), err)
		}
		return versions, nil
	}
	return readYAML(name, data)
}

// errShape is about JSON and YAML of another form.
var errShape = errors.New(`expected a mapping from versions to lists of hosts, such as {"v2": ["web-1", "web-2"]}`)

// readJSON reads an object. If it fails, at is about where.
func readJSON(data []byte) (versions []Version, at int64, err error) {
	d := json.NewDecoder(bytes.NewReader(data))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, 0, jsonError(err)
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, d.InputOffset(), jsonError(err)
		}
		v := Version{Name: name.(string)} // as every key is
		if t, err := d.Token(); err != nil || t != json.Delim('[') {
			return nil, d.InputOffset(), jsonError(err)
		}
		for d.More() {
			t, err := d.Token()
			host, ok := t.(string)
			if err != nil || !ok {
				return nil, d.InputOffset(), jsonError(err)
			}
			v.Hosts = append(v.Hosts, host)
		}
		if _, err := d.Token(); err != nil {
			return nil, d.InputOffset(), jsonError(err)
		}
		versions = append(versions, v)
	}
	if _, err := d.Token(); err != nil {
		return nil, d.InputOffset(), jsonError(err)
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, d.InputOffset(), errors.New("unexpected text after the object")
	}
	return versions, 0, nil
}

func jsonError(err error) error {
	switch {
	case err == nil:
		return errShape
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("the JSON ends early")
	}
	return fmt.Errorf("malformed JSON: %w", err)
}

func readYAML(name string, data []byte) ([]Version, error) {
	f := source.Parse(filepath.Base(name)+".yaml", "", data)
	if len(f.Problems) > 0 {
		return nil, first(name, f)
	}
	if f.Root.Kind != source.Mapping {
		return nil, misshapen(name, f, f.Root)
	}
	versions := make([]Version, 0, len(f.Root.Fields))
	for _, field := range f.Root.Fields {
		if field.Value.Kind != source.Sequence {
			return nil, misshapen(name, f, field.Value)
		}
		v := Version{Name: field.Key.Text, Hosts: make([]string, 0, len(field.Value.Items))}
		for _, item := range field.Value.Items {
			if item.Kind != source.Scalar {
				return nil, misshapen(name, f, item)
			}
			v.Hosts = append(v.Hosts, item.Text)
		}
		versions = append(versions, v)
	}
	return versions, nil
}

func misshapen(name string, f *source.File, n *source.Node) error {
	f.ProblemAt(n.Line(), n.Column(), errShape.Error())
	return first(name, f)
}

// first returns the first problem of a file, of which there is at least one.
func first(name string, f *source.File) error {
	p := f.Problems[0]
	return fmt.Errorf("%s:%d:%d: %s", name, p.Line, p.Column, p.Message)
}
