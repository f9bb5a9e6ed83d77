package access

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v4"
	"golang.org/x/tools/txtar"

	"github.com/serin-flags/serin/schema"
)

var update = flag.Bool("update", false, "write testdata/refused.txtar")

const (
	hashA = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	hashB = "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
)

// good has everything that a file can say.
const good = `# the clients of the shop
clients:
  - name: checkout
    kind: server
    keys: [` + hashA + `, "` + hashB + `"]
    rate: 2000/s
  - name: website
    kind: client
    keys: sha256:CCcccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc
    flags: [public, shop, ops/banner]
    origins: ["https://shop.example", "http://localhost:3000", "capacitor://localhost"]
    rate: {limit: 90/m, burst: 500}
    rate_per_ip: 1/h
  - name: app
    jwt:
      issuer: https://login.shop.example/
      audience: [flags, shop]
      jwks: https://login.shop.example/.well-known/jwks.json
      algorithms: [RS256, EdDSA]
    flags: "*"
    origins: "*"
  - {name: partner, kind: server, jwt: {issuer: partner, audience: flags, jwks: partner.json}}
  - {name: reports, kind: server, iam: ["arn:aws:iam::123456789012:role/path/reports", "arn:aws-cn:iam::123456789012:root"]}
`

func TestParse(t *testing.T) {
	c, err := Parse("clients.yaml", []byte(good))
	if err != nil {
		t.Fatal(err)
	}
	if c.Len() != 5 || len(c.byKey) != 3 || len(c.byARN) != 2 || len(c.byIssuer) != 2 || !c.origins.any {
		t.Errorf("read %d clients, %d keys, %d ARNs, %d issuers, origins %+v", c.Len(), len(c.byKey), len(c.byARN),
			len(c.byIssuer), c.origins)
	}
	var got []string
	for _, c := range c.list {
		rate := "none"
		if c.all != nil {
			rate = fmt.Sprint(c.all.Limit(), " at once ", c.all.Burst())
		}
		got = append(got, fmt.Sprintf("%s %v: all %v public %v names %v, rate %s, per address %v at once %d",
			c.name, c.kind, c.flags.all, c.flags.public, c.flags.names, rate, c.perAddress.limit, c.perAddress.burst))
	}
	want := []string{
		"checkout server: all true public true names map[], rate 2000 at once 2000, per address 0 at once 0",
		"website client: all false public true names map[ops/banner:true shop:true], rate 1.5 at once 500, per address 0.0002777777777777778 at once 1",
		"app client: all true public false names map[], rate none, per address 0 at once 0",
		"partner server: all true public true names map[], rate none, per address 0 at once 0",
		"reports server: all true public true names map[], rate none, per address 0 at once 0",
	}
	if !slices.Equal(got, want) {
		t.Errorf("clients are\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if app := c.list[2].token; app.issuer != "https://login.shop.example/" || len(app.audiences) != 2 ||
		!slices.Equal(app.algorithms, []string{"RS256", "EdDSA"}) {
		t.Errorf("token %+v", app)
	}
	if partner := c.list[3].token; !slices.Equal(partner.algorithms, []string{"RS256"}) {
		t.Errorf("by default, tokens are signed with %v", partner.algorithms)
	}
}

func TestCheckFlags(t *testing.T) {
	c, err := Parse("clients.yaml", []byte(good))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.CheckFlags(map[string]bool{"shop": true, "ops/banner": true, "other": true}); err != nil {
		t.Error(err)
	}
	err = c.CheckFlags(map[string]bool{"shops": true, "ops/banner": true})
	const want = `clients.yaml:10:21: there is neither a namespace nor a flag "shop" (did you mean "shops"?)`
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

// TestParseRefuses goes through testdata/refused.txtar: files, and what is said of each.
// Nothing that is said may quote a key.
func TestParseRefuses(t *testing.T) {
	archive, err := txtar.ParseFile("testdata/refused.txtar")
	if err != nil {
		t.Fatal(err)
	}
	compiled := compileSchema(t)
	for i := 0; i+1 < len(archive.Files); i += 2 {
		file, want := archive.Files[i], string(archive.Files[i+1].Data)
		data := strings.NewReplacer("HASH_A", hashA, "HASH_B", hashB).Replace(string(file.Data))
		_, err := Parse("clients.yaml", []byte(data))
		got := ""
		if err != nil {
			got = err.Error() + "\n"
		}
		if *update {
			archive.Files[i+1].Data = []byte(got)
		} else if got != want {
			t.Errorf("%s:\n%s\nis refused with\n%s\nwant\n%s", file.Name, data, got, want)
		}
		if strings.Contains(got, "serin_") {
			t.Errorf("%s: a key is quoted: %s", file.Name, got)
		}
		// What the schema refuses, the parser refuses; what only it sees is marked.
		var value any
		if err := yaml.Unmarshal([]byte(data), &value); err != nil {
			continue
		}
		beyond := strings.HasSuffix(file.Name, "(beyond the schema)")
		if err := compiled.Validate(asJSON(t, value)); (err == nil) != beyond {
			t.Errorf("%s: the schema says %v", file.Name, err)
		}
	}
	if *update {
		if err := os.WriteFile("testdata/refused.txtar", txtar.Format(archive), 0o666); err != nil {
			t.Fatal(err)
		}
	}
}

func compileSchema(t testing.TB) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(string(schema.Clients)))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("clients.json", doc); err != nil {
		t.Fatal(err)
	}
	compiled, err := c.Compile("clients.json")
	if err != nil {
		t.Fatal(err)
	}
	return compiled
}

// asJSON returns a value as JSON has it.
func asJSON(t testing.TB, value any) any {
	t.Helper()
	data, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	out, err := jsonschema.UnmarshalJSON(strings.NewReader(string(data)))
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestSchemaAcceptsGoodFiles(t *testing.T) {
	var value any
	if err := yaml.Unmarshal([]byte(good), &value); err != nil {
		t.Fatal(err)
	}
	if err := compileSchema(t).Validate(asJSON(t, value)); err != nil {
		t.Error(err)
	}
	// JSON is YAML, too.
	data, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	if c, err := Parse("clients.json", data); err != nil || c.Len() != 5 {
		t.Errorf("as JSON: %v", err)
	}
}

func TestParseIsBounded(t *testing.T) {
	for name, data := range map[string]string{
		"bytes":            strings.Repeat("#", maxFile+1),
		"clients":          "clients: [" + strings.Repeat("{},", maxClients+1) + "]",
		"keys":             "clients: [{name: a, kind: server, keys: [" + strings.Repeat("a,", maxList+1) + "]}]",
		"problems":         "clients: [" + strings.Repeat("{},", maxClients) + "]",
		"depth":            strings.Repeat("[", maxFile),
		"keys of mappings": strings.Repeat("{? ", maxFile/3),
		"aliases":          "clients: &a [*a, *a]",
	} {
		_, err := Parse("clients.yaml", []byte(data))
		if err == nil || len(err.Error()) > 20_000 {
			t.Errorf("%s: the error is %.100v", name, err)
		}
	}
}

// FuzzParse holds that Parse never panics, that an error names a place, and that no error
// quotes a key, and that the schema refuses nothing that Parse accepts.
func FuzzParse(f *testing.F) {
	f.Add(good)
	archive, err := txtar.ParseFile("testdata/refused.txtar")
	if err != nil {
		f.Fatal(err)
	}
	for i := 0; i < len(archive.Files); i += 2 {
		f.Add(strings.NewReplacer("HASH_A", hashA, "HASH_B", hashB).Replace(string(archive.Files[i].Data)))
	}
	compiled := compileSchema(f)
	f.Fuzz(func(t *testing.T, data string) {
		clients, err := Parse("f", []byte(data))
		if err != nil {
			for line := range strings.Lines(err.Error()) {
				if !strings.HasPrefix(line, "f:") {
					t.Errorf("an error without a place: %q", line)
				}
			}
			if strings.Contains(err.Error(), keyPrefix) {
				t.Errorf("a key is quoted: %v", err)
			}
			return
		}
		for _, c := range clients.list {
			if c.name == "" || c.kind != KindServer && c.kind != KindClient {
				t.Errorf("client %+v", c)
			}
		}
		var value any
		if err := yaml.Unmarshal([]byte(data), &value); err != nil {
			return // such as for a time, which only a decoder looks at
		}
		if err := compiled.Validate(asJSON(t, value)); err != nil {
			t.Errorf("the schema refuses what is accepted: %v", err)
		}
	})
}
