package flipt

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/serin-flags/serin/ci/importer"
	"go.yaml.in/yaml/v4"
)

// A document is one namespace, or a part of one.
type document struct {
	Version   string    `yaml:"version"`
	Namespace namespace `yaml:"namespace"`
	Flags     []flag    `yaml:"flags"`
	Segments  []segment `yaml:"segments"`

	at string // what places in it start with
}

type flag struct {
	Key         string         `yaml:"key"`
	Name        string         `yaml:"name"`
	Type        string         `yaml:"type"`
	Description string         `yaml:"description"`
	Enabled     bool           `yaml:"enabled"`
	Metadata    map[string]any `yaml:"metadata"`
	Variants    []variant      `yaml:"variants"`
	Rules       []rule         `yaml:"rules"`
	Rollouts    []rollout      `yaml:"rollouts"`
}

type variant struct {
	Key        string `yaml:"key"`
	Default    bool   `yaml:"default"`
	Attachment any    `yaml:"attachment"`
}

type rule struct {
	Segment       *segmentRule   `yaml:"segment"`
	Segments      []string       `yaml:"segments"` // with Operator, as in the first versions with several
	Operator      string         `yaml:"operator"`
	Rank          int64          `yaml:"rank"`
	Distributions []distribution `yaml:"distributions"`
}

type distribution struct {
	Variant string  `yaml:"variant"`
	Rollout float32 `yaml:"rollout"`
}

type rollout struct {
	Description string       `yaml:"description"`
	Segment     *segmentRule `yaml:"segment"`
	Threshold   *threshold   `yaml:"threshold"`
}

type threshold struct {
	Percentage float32 `yaml:"percentage"`
	Value      bool    `yaml:"value"`
}

type segment struct {
	Key         string       `yaml:"key"`
	MatchType   string       `yaml:"match_type"`
	Constraints []constraint `yaml:"constraints"`

	at string
}

type constraint struct {
	Type     string `yaml:"type"`
	Property string `yaml:"property"`
	Operator string `yaml:"operator"`
	Value    string `yaml:"value"`
}

// A segmentRule names segments: by a key, a list of keys, or an object.
type segmentRule struct {
	Key      string   `yaml:"key"`
	Keys     []string `yaml:"keys"`
	Operator string   `yaml:"operator"`
	Value    bool     `yaml:"value"`
}

// UnmarshalYAML reads each of the three forms.
func (s *segmentRule) UnmarshalYAML(n *yaml.Node) error {
	switch n.Kind {
	case yaml.ScalarNode:
		return n.Decode(&s.Key)
	case yaml.SequenceNode:
		return n.Decode(&s.Keys)
	}
	type object segmentRule
	return n.Decode((*object)(s))
}

// A namespace is a key, or an object with one.
type namespace string

// UnmarshalYAML reads both forms.
func (ns *namespace) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode {
		return n.Decode((*string)(ns))
	}
	var object struct {
		Key string `yaml:"key"`
	}
	err := n.Decode(&object)
	*ns = namespace(object.Key)
	return err
}

// versions are those of the format that is read here.
var versions = []string{"", "1", "1.0", "1.1", "1.2", "1.3", "1.4", "1.5"}

// maxDocuments bounds how many documents one file has.
const maxDocuments = 1000

// documents decodes all documents of a file.
func documents(data []byte) ([]*document, error) {
	var list []*document
	d := yaml.NewDecoder(bytes.NewReader(data))
	for {
		doc := new(document)
		err := d.Decode(doc)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, importer.Refusef("", "it isn't a document of Flipt: %s",
				strings.TrimPrefix(err.Error(), "yaml: "))
		}
		if list = append(list, doc); len(list) > maxDocuments {
			return nil, importer.Refusef("", "there are more than %d documents", maxDocuments)
		}
	}
	for i, doc := range list {
		if len(list) > 1 {
			doc.at = fmt.Sprintf("documents[%d].", i)
		}
		if !slices.Contains(versions, doc.Version) {
			return nil, importer.Refusef(doc.at+"version", "version %q of the format isn't known", doc.Version)
		}
		if doc.Namespace == "" {
			doc.Namespace = "default"
		}
	}
	return list, nil
}
