package main

import (
	"bytes"
	"os"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/serin-flags/serin/ci"
)

// TestManifest holds that the manifests of this repository's flags are valid by OpenFeature's
// schema, and that the schema would notice a wrong one.
func TestManifest(t *testing.T) {
	schema, err := jsonschema.NewCompiler().Compile("testdata/openfeature/flag-manifest.json")
	if err != nil {
		t.Fatal(err)
	}
	e, err := ci.Load("../../flags")
	if err != nil {
		t.Fatal(err)
	}
	for _, env := range append([]string{""}, e.Environments()...) {
		data, err := manifestOf(e, env)
		if err != nil {
			t.Fatal(err)
		}
		if err := validManifest(schema, data); err != nil {
			t.Errorf("environment %q: %v", env, err)
		}
		wrong := bytes.Replace(data, []byte(`"flagType": "boolean"`), []byte(`"flagType": "number"`), 1)
		if bytes.Equal(wrong, data) || validManifest(schema, wrong) == nil {
			t.Errorf("environment %q: a flag of type number passes", env)
		}
	}
}

func validManifest(schema *jsonschema.Schema, data []byte) error {
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		return err
	}
	return schema.Validate(doc)
}

// TestManifestSchema holds that the copy of the schema says where it is from.
func TestManifestSchema(t *testing.T) {
	text, err := os.ReadFile("testdata/openfeature/README.md")
	if err != nil || !bytes.Contains(text, []byte("Apache-2.0")) {
		t.Errorf("the README doesn't name the licence: %v", err)
	}
}
