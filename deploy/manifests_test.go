//go:build unix

package deploy

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v4"
)

// manifests are the files of container/, and the schema of each.
var manifests = map[string]string{
	"container/kubernetes.yaml": "kubernetes.json", "container/kubernetes-sidecar.yaml": "kubernetes.json",
	"container/compose.yaml": "compose.json",
}

// documents returns the documents in a YAML file.
func documents(t *testing.T, data []byte) (all []any) {
	t.Helper()
	for d := yaml.NewDecoder(bytes.NewReader(data)); ; {
		var one any
		if err := d.Decode(&one); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, one)
	}
}

func schemaOf(t *testing.T, name string) *jsonschema.Schema {
	t.Helper()
	compiler := jsonschema.NewCompiler()
	schema, err := compiler.Compile("testdata/schemas/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// valid returns why a manifest isn't one.
func valid(t *testing.T, schema *jsonschema.Schema, data []byte) error {
	t.Helper()
	var errs []error
	for _, document := range documents(t, data) {
		errs = append(errs, schema.Validate(document))
	}
	return errors.Join(errs...)
}

// TestManifests checks the manifests with schemas, and that these find mistakes: in each
// manifest, every key is misspelt once.
func TestManifests(t *testing.T) {
	for file, name := range manifests {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		schema := schemaOf(t, name)
		if err := valid(t, schema, data); err != nil {
			t.Errorf("%s: %v", file, err)
		}
		missed := 0
		lines := strings.SplitAfter(string(data), "\n")
		for i, line := range lines {
			key, _, ok := strings.Cut(strings.TrimLeft(line, " -"), ":")
			if !ok || strings.ContainsAny(key, "#{[ \"'./=") || key == "" {
				continue
			}
			changed := slices.Clone(lines)
			changed[i] = strings.Replace(line, key+":", key+"x:", 1)
			if valid(t, schema, []byte(strings.Join(changed, ""))) == nil {
				missed++
				if !free(key) {
					t.Errorf("%s:%d: the schema doesn't mind %q", file, i+1, strings.TrimSpace(changed[i]))
				}
			}
		}
		if missed > 12 {
			t.Errorf("%s: %d misspelt keys aren't found", file, missed)
		}
	}
	kubernetes, compose := schemaOf(t, "kubernetes.json"), schemaOf(t, "compose.json")
	for text, schema := range map[string]*jsonschema.Schema{
		"kind: Deployment":                  kubernetes,
		"{apiVersion: v1, kind: Deploment}": kubernetes,
		"{apiVersion: v1, kind: Service, metadata: {name: x}, spec: {ports: [{port: http}]}}":                             kubernetes,
		"{apiVersion: v1, kind: Pod, metadata: {}, spec: {containers: [{image: x}]}}":                                     kubernetes,
		"{apiVersion: v1, kind: Pod, metadata: {}, spec: {containers: [{name: x, resources: {limits: {memory: lots}}}]}}": kubernetes,
		"{apiVersion: v1, kind: Pod, metadata: {}, spec: {containers: [{name: x}], hostNetwork: maybe}}":                  kubernetes,
		"services: {x: {read_only: [1]}}":  compose,
		"services: {x: {cap_drop: ALL}}":   compose,
		"services: {x: {restart: [true]}}": compose,
	} {
		if valid(t, schema, []byte(text)) == nil {
			t.Errorf("%s: no error", text)
		}
	}
}

// free reports whether a manifest may have a key of any name: names of services, volumes,
// labels and variables, and an optional file of a ConfigMap.
func free(key string) bool {
	return slices.Contains([]string{"root.json", "flags", "shop", "OFREP_ENDPOINT", "GOMEMLIMIT"}, key)
}

// TestManifestArguments starts the command with the arguments of each manifest, apart from
// the address to listen on. It must get as far as reading the root.
func TestManifestArguments(t *testing.T) {
	n := 0
	for file := range manifests {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, args := range argumentsIn(documents(t, data)) {
			n++
			out, err := exec.Command(command(t), args...).CombinedOutput()
			if err == nil || !strings.Contains(string(out), "/etc/serin/root.json: no such file or directory") {
				t.Errorf("%s: serin %q: %v\n%s", file, args, err, out)
			}
		}
	}
	if n != len(manifests) {
		t.Errorf("%d manifests have arguments", n)
	}
}

// argumentsIn returns the lists of arguments of serve that are anywhere in a value.
func argumentsIn(v any) (all [][]string) {
	switch v := v.(type) {
	case map[string]any:
		for _, member := range v {
			all = append(all, argumentsIn(member)...)
		}
	case []any:
		if len(v) > 0 && v[0] == "serve" {
			var args []string
			for _, arg := range v {
				args = append(args, fmt.Sprint(arg))
			}
			return [][]string{args}
		}
		for _, element := range v {
			all = append(all, argumentsIn(element)...)
		}
	}
	return all
}

// TestManifestsAreHardened holds that each container runs with as little as possible.
func TestManifestsAreHardened(t *testing.T) {
	for _, file := range []string{"container/kubernetes.yaml", "container/kubernetes-sidecar.yaml"} {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		pods := 0
		for _, document := range documents(t, data) {
			pod, ok := at(document, "spec", "template", "spec").(map[string]any)
			if !ok {
				continue
			}
			pods++
			if at(pod, "securityContext", "runAsNonRoot") != true ||
				at(pod, "securityContext", "seccompProfile", "type") != "RuntimeDefault" ||
				at(pod, "automountServiceAccountToken") != false {
				t.Errorf("%s: a pod has %v", file, pod["securityContext"])
			}
			for _, list := range []string{"containers", "initContainers"} {
				containers, _ := pod[list].([]any)
				for _, c := range containers {
					drop, _ := at(c, "securityContext", "capabilities", "drop").([]any)
					if at(c, "securityContext", "readOnlyRootFilesystem") != true ||
						at(c, "securityContext", "allowPrivilegeEscalation") != false ||
						len(drop) != 1 || drop[0] != "ALL" || at(c, "resources", "limits", "memory") == nil {
						t.Errorf("%s: container %v has %v", file, at(c, "name"), at(c, "securityContext"))
					}
				}
			}
		}
		if pods != 1 {
			t.Errorf("%s has %d pods", file, pods)
		}
	}
}

// at returns what is in a value at these keys, or nil.
func at(v any, keys ...string) any {
	for _, key := range keys {
		members, _ := v.(map[string]any)
		v = members[key]
	}
	return v
}
