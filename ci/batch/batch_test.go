package batch_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/serin-flags/serin/ci/batch"
)

// A vector is an example of what hosts are divided into, which the command runs too.
type vector struct {
	Name     string
	Versions []struct {
		Version string
		Hosts   []string
	}
	Size     *int // nil: 1, or none if doubling
	First    *int // nil: 1
	Doubling bool
	Priority string
	Want     []batch.Batches
	Error    string
}

// options returns what the command passes on.
func (v vector) options() batch.Options {
	o := batch.Options{First: 1, Doubling: v.Doubling, Priority: v.Priority}
	if !v.Doubling {
		o.Size = 1
	}
	if v.Size != nil {
		o.Size = *v.Size
	}
	if v.First != nil {
		o.First = *v.First
	}
	return o
}

func TestVectors(t *testing.T) {
	data, err := os.ReadFile("testdata/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors []vector
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&vectors); err != nil || len(vectors) < 30 {
		t.Fatalf("%d vectors, %v", len(vectors), err)
	}
	for _, v := range vectors {
		t.Run(v.Name, func(t *testing.T) {
			var versions []batch.Version
			for _, one := range v.Versions {
				versions = append(versions, batch.Version{Name: one.Version, Hosts: one.Hosts})
			}
			got, err := batch.Split(versions, v.options())
			if v.Error != "" {
				if err == nil || err.Error() != v.Error {
					t.Errorf("error %v, want %s", err, v.Error)
				}
				return
			}
			if diff := cmp.Diff(v.Want, got.Versions); err != nil || diff != "" {
				t.Errorf("%v (-want +got):\n%s", err, diff)
			}
		})
	}
}

// TestSplitKeepsHosts checks on random releases that no host is lost, doubled or moved,
// that no batch is empty, and that an append to a batch doesn't change the next one.
func TestSplitKeepsHosts(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 500 {
		var versions []batch.Version
		for i := range 1 + random.IntN(4) {
			versions = append(versions, batch.Version{Name: fmt.Sprint("v", i), Hosts: hosts(1 + random.IntN(60))})
		}
		o := batch.Options{First: 1 + random.IntN(9), Priority: []string{"", "1", "v"}[random.IntN(3)]}
		if o.Doubling = random.IntN(2) == 0; !o.Doubling {
			o.Size = 1 + random.IntN(9)
		}
		r, err := batch.Split(versions, o)
		if err != nil || len(r.Versions) != len(versions) {
			t.Fatalf("%+v: %d versions, %v", o, len(r.Versions), err)
		}
		for _, v := range r.Versions {
			i := slices.IndexFunc(versions, func(w batch.Version) bool { return w.Name == v.Version })
			if got := slices.Concat(v.Batches...); !reflect.DeepEqual(got, versions[i].Hosts) {
				t.Fatalf("%+v: %v of %v", o, v.Batches, versions[i].Hosts)
			}
			for k, b := range v.Batches {
				want := o.First
				if k > 0 {
					want = o.Size
				}
				if o.Doubling {
					want = o.First << k
				}
				if last := k == len(v.Batches)-1; len(b) == 0 || len(b) > want || !last && len(b) != want {
					t.Fatalf("%+v: batch %d has %d hosts, not %d", o, k+1, len(b), want)
				}
				_ = append(b, "more")
			}
			if got := slices.Concat(v.Batches...); slices.Contains(got, "more") {
				t.Fatal("batches overlap")
			}
		}
	}
}

func hosts(n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprintf("web-%d.example.com", i+1)
	}
	return list
}

// TestInputs checks that all forms of input mean the same.
func TestInputs(t *testing.T) {
	want := []batch.Version{{Name: "1.10", Hosts: []string{"web-1", "010", "fe80::1"}},
		{Name: "1.9", Hosts: []string{"on"}}}
	var arguments []batch.Version
	for _, text := range []string{"1.10=web-1, 010,fe80::1", "1.9=on"} {
		v, err := batch.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		arguments = append(arguments, v)
	}
	lines, err := batch.Lines([]byte("\ufeff# web\nweb-1\r\n  010 \nfe80::1\n\n"))
	if err != nil {
		t.Fatal(err)
	}
	for name, got := range map[string][]batch.Version{
		"arguments":        arguments,
		"lines":            {{Name: "1.10", Hosts: lines}, want[1]},
		"JSON":             read(t, "hosts.json", `{"1.10": ["web-1", "010", "fe80::1"], "1.9": ["on"]}`),
		"JSON by its look": read(t, "-", ` {"1.10": ["web-1", "010", "fe80::1"], "1.9": ["on"]}`),
		"YAML":             read(t, "hosts.yaml", "1.10:\n  - web-1\n  - 010\n  - fe80::1\n1.9: [on]\n"),
		"YAML in braces":   read(t, "-", "{1.10: [web-1, 010, 'fe80::1'], 1.9: [on]}"),
	} {
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func read(t *testing.T, name, text string) []batch.Version {
	t.Helper()
	versions, err := batch.Read(name, []byte(text))
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return versions
}

// TestInputErrors checks that what can't be read is refused with its place.
func TestInputErrors(t *testing.T) {
	shape := `expected a mapping from versions to lists of hosts, such as {"v2": ["web-1", "web-2"]}`
	for _, c := range []struct{ name, text, want string }{
		{"a.json", `["a"]`, "line 1: " + shape},
		{"a.json", "", "line 1: the JSON ends early"},
		{"a.json", "{\n\"v1\": \"a\"}", "line 2: " + shape},
		{"a.json", "{\"v1\": [\"a\",\n 1]}", "line 2: " + shape},
		{"a.json", "{\"v1\": [\"a\"", "line 1: the JSON ends early"},
		{"a.json", "{\"v1\": [\"a\"]}\n{}", "line 2: unexpected text after the object"},
		{"a.json", "{v1: [a]}", "line 1: malformed JSON: invalid character 'v'"},
		{"a.yaml", "- a\n- b\n", "a.yaml:1:1: " + shape},
		{"a.yaml", "v1: a\n", "a.yaml:1:5: " + shape},
		{"a.yaml", "v1:\n  - {name: a}\n", "a.yaml:2:5: " + shape},
		{"a.yaml", "v1: [a]\nv1: [b]\n", `a.yaml:2:1: duplicate key "v1"`},
		{"a.yaml", "v1: &x [a]\nv2: *x\n", "anchors (&) and aliases (*) are not allowed"},
		{"a.yaml", "", "the file is empty"},
		{"-", "web-1\nweb-2\n", shape},
	} {
		if _, err := batch.Read(c.name, []byte(c.text)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s %q: %v, want %s", c.name, c.text, err, c.want)
		}
	}
	for text, want := range map[string]string{
		"a\n\nb":                 "line 2 is blank",
		"a\nb,c\n":               `line 2 is "b,c", and no name or address of a host contains ','`,
		strings.Repeat("x", 256): "line 1 is longer than 255 bytes",
	} {
		if _, err := batch.Lines([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40q: %v, want %s", text, err, want)
		}
	}
	for text, want := range map[string]string{
		"web-1": `"web-1" isn't of the form VERSION=HOST,HOST`, "=a": "a version has no name",
		"a\x1b[2J=a": "contains control characters",
	} {
		if _, err := batch.Parse(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}

func release(t testing.TB, o batch.Options, versions ...batch.Version) batch.Release {
	t.Helper()
	r, err := batch.Split(versions, o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestOutputs(t *testing.T) {
	r := release(t, batch.Options{First: 1, Size: 2},
		batch.Version{Name: "v2", Hosts: []string{"a", "b", "10.0.0.1:80"}},
		batch.Version{Name: "it's {{ v1 }}", Hosts: []string{"fe80::1"}})
	var text, inventory strings.Builder
	if err := r.Text(&text); err != nil {
		t.Fatal(err)
	}
	if want := "v2\n  1: a\n  2: b, 10.0.0.1:80\nit's {{ v1 }}\n  1: fe80::1\n"; text.String() != want {
		t.Errorf("text: %q", text.String())
	}
	if err := r.Inventory(&inventory); err != nil {
		t.Fatal(err)
	}
	want := `all:
  children:
    batch_1:
      vars:
        release_version: 'v2'
      hosts:
        'a':
    batch_2:
      vars:
        release_version: 'v2'
      hosts:
        'b':
        '10.0.0.1:80':
    batch_3:
      vars:
        release_version: !unsafe 'it''s {{ v1 }}'
      hosts:
        'fe80::1':
`
	if diff := cmp.Diff(want, inventory.String()); diff != "" {
		t.Errorf("inventory (-want +got):\n%s", diff)
	}
	lists, err := r.Lists()
	if err != nil || len(lists) != 3 || lists[1].Name != "batch_2.txt" ||
		string(lists[1].Data) != "# batch_2 of version v2\nb\n10.0.0.1:80\n" {
		t.Errorf("lists: %q, %v", lists, err)
	}
}

// TestInventoryErrors checks that nothing is written that Ansible would misunderstand.
func TestInventoryErrors(t *testing.T) {
	for want, versions := range map[string][]batch.Version{
		`can have host "a" only once, and it is in batch_1 and batch_2`: {{Name: "v1", Hosts: []string{"a"}},
			{Name: "v2", Hosts: []string{"a"}}},
		`can have host "a" only once, and it is in batch_1 and batch_3`: {{Name: "v1",
			Hosts: []string{"a:80", "b", "a:81"}}},
		`host "batch_1" has the name of a group`: {{Name: "v1", Hosts: []string{"batch_1"}}},
		`host "all" has the name of a group`:     {{Name: "v1", Hosts: []string{"all"}}},
	} {
		var out strings.Builder
		err := release(t, batch.Options{First: 1, Size: 1}, versions...).Inventory(&out)
		if err == nil || !strings.Contains(err.Error(), want) || out.Len() > 0 {
			t.Errorf("%v, want %s; wrote %q", err, want, out.String())
		}
	}
	if _, err := release(t, batch.Options{First: 1, Size: 1},
		batch.Version{Name: "v", Hosts: hosts(10_001)}).Lists(); err == nil {
		t.Error("there are 10,001 lists")
	}
}

// FuzzInput holds that whatever is read is either refused or split without losing a host.
func FuzzInput(f *testing.F) {
	for _, s := range []string{`{"v1": ["a", "b"]}`, "v1: [a, b]\n", "a\nb\n", "v1=a,b", "{", "# a\n\n", "v1=\x00",
		"{\"\":[]}"} {
		f.Add("f.json", []byte(s))
		f.Add("f.yaml", []byte(s))
	}
	f.Fuzz(func(t *testing.T, name string, data []byte) {
		try := func(versions []batch.Version) {
			r, err := batch.Split(versions, batch.Options{First: 1, Size: 2})
			if err != nil {
				return
			}
			for i, v := range r.Versions {
				if !slices.Equal(slices.Concat(v.Batches...), versions[i].Hosts) {
					t.Fatalf("%q became %q", versions, r)
				}
			}
			var text strings.Builder
			if r.Text(&text) != nil || strings.ContainsRune(text.String(), '\x1b') {
				t.Fatalf("text %q", text.String())
			}
		}
		if v, err := batch.Parse(string(data)); err == nil {
			try([]batch.Version{v})
		}
		if lines, err := batch.Lines(data); err == nil {
			try([]batch.Version{{Name: "v", Hosts: lines}})
		}
		if versions, err := batch.Read(name, data); err == nil {
			try(versions)
		}
	})
}

// BenchmarkSplit divides a million hosts.
func BenchmarkSplit(b *testing.B) {
	versions := []batch.Version{{Name: "v1", Hosts: hosts(1_000_000)}}
	for _, o := range []batch.Options{{First: 1, Doubling: true}, {First: 1, Size: 1}} {
		b.Run(fmt.Sprintf("size=%d", o.Size), func(b *testing.B) {
			for b.Loop() {
				if _, err := batch.Split(versions, o); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkLines reads a million hosts, one per line.
func BenchmarkLines(b *testing.B) {
	data := []byte(strings.Join(hosts(1_000_000), "\n"))
	for b.Loop() {
		if lines, err := batch.Lines(data); err != nil || len(lines) != 1_000_000 {
			b.Fatal(err)
		}
	}
}
