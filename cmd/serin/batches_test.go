package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/serin-flags/serin/ci/batch"
)

// TestBatchVectors runs the vectors of package batch through the command.
func TestBatchVectors(t *testing.T) {
	data, err := os.ReadFile("../../ci/batch/testdata/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors []struct {
		Name     string
		Versions []struct {
			Version string
			Hosts   []string
		}
		Size, First *int
		Doubling    bool
		Priority    string
		Want        []batch.Batches
		Error       string
	}
	if err := json.Unmarshal(data, &vectors); err != nil || len(vectors) < 30 {
		t.Fatalf("%d vectors, %v", len(vectors), err)
	}
	for _, v := range vectors {
		t.Run(v.Name, func(t *testing.T) {
			words := []string{"batches", "--json"}
			for _, one := range v.Versions {
				words = append(words, one.Version+"="+strings.Join(one.Hosts, ","))
			}
			if v.Size != nil {
				words = append(words, fmt.Sprint("--size=", *v.Size))
			}
			if v.First != nil {
				words = append(words, fmt.Sprint("--first=", *v.First))
			}
			if v.Doubling {
				words = append(words, "--doubling")
			}
			if v.Priority != "" {
				words = append(words, "--priority", v.Priority)
			}
			var stdout, stderr bytes.Buffer
			status := run(t.Context(), words, strings.NewReader(""), &stdout, &stderr)
			if v.Error != "" {
				// The command names its own flags and arguments.
				start, _, _ := strings.Cut(v.Error, ":")
				if len(v.Versions) == 0 {
					start = "no hosts"
				}
				if status == 0 || stdout.Len() > 0 || !strings.HasPrefix(stderr.String(), "error: "+start) {
					t.Errorf("status %d, %q, want %s", status, &stderr, v.Error)
				}
				return
			}
			var got batch.Release
			if err := json.Unmarshal(stdout.Bytes(), &got); status != 0 || err != nil {
				t.Fatalf("status %d, %v: %s", status, err, &stderr)
			}
			if diff := cmp.Diff(v.Want, got.Versions); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
