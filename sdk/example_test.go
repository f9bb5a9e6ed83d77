package sdk_test

import (
	"context"
	"fmt"
	"io/fs"
	"log"
	"os"

	"github.com/serin-flags/serin/bundle"
	"github.com/serin-flags/serin/ci/release"
	"github.com/serin-flags/serin/sdk"
)

// A flag is declared once, with the default that is served when nothing better is
// known.
var (
	Local       = sdk.Bool("local", false)
	Color       = sdk.String("color", "black")
	NotThereYet = sdk.Int("not-there-yet", 3)
)

func Example() {
	// In a program, source is sdk.FromURL("https://flags.example.com/shop/production"),
	// say, and root is a file that was embedded with go:embed.
	source, root := published()
	client, err := sdk.Open(context.Background(), sdk.Config{Source: source, Root: root})
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()

	user := sdk.User("u-42", sdk.Attr("city", "shenzhen"), sdk.Attr("app_version", "2.3.0"))
	fmt.Println(Local.Get(client, user))
	fmt.Println(Color.Get(client, user))
	fmt.Println(NotThereYet.Get(client, user))
	// Output:
	// true
	// #00f
	// 3
}

func ExampleFlag_Explain() {
	client := exampleClient()
	defer client.Close()

	e := Local.Explain(client, sdk.User("u-42", sdk.Attr("city", "shenzhen")))
	fmt.Println(e.Value, e.Variant, e.Reason, e.Rule)
	e = Local.Explain(client, sdk.User("u-42"))
	fmt.Println(e.Value, e.Variant, e.Reason)
	e = Local.Explain(nil, sdk.User("u-42"))
	fmt.Println(e.Value, e.Reason, e.Err)
	// Output:
	// true on TARGETING_MATCH by city
	// false off DEFAULT
	// false ERROR no flags loaded yet
}

func ExampleClient_Status() {
	client := exampleClient()
	defer client.Close()

	status := client.Status()
	fmt.Println(status.State, status.Environment, status.Revision, status.LastError)
	// Output:
	// FRESH production 1 <nil>
}

// One snapshot gives several answers that belong together.
func ExampleSnapshot_Evaluate() {
	client := exampleClient()
	defer client.Close()

	user := sdk.User("u-42", sdk.Attr("city", "lhasa"))
	snapshot := client.Snapshot()
	for _, key := range []string{"color", "local"} {
		result := snapshot.Evaluate(key, user)
		fmt.Printf("%s: %s\n", key, result.Value().JSON())
	}
	// Output:
	// color: "#00f"
	// local: false
}

func exampleClient() *sdk.Client {
	source, root := published()
	client, err := sdk.Open(context.Background(), sdk.Config{Source: source, Root: root})
	if err != nil {
		log.Fatal(err)
	}
	return client
}

// published returns the source of an environment that was just published, and its
// root.
func published() (source bundle.Source, root []byte) {
	dir, err := os.MkdirTemp("", "serin-example-")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	if _, err := release.InitKeys(dir, "production"); err != nil {
		log.Fatal(err)
	}
	keys, err := release.LoadKeys(dir)
	if err != nil {
		log.Fatal(err)
	}
	m := make(memory)
	_, err = release.Publish(context.Background(), release.Options{
		Store: m, Keys: keys, Environment: "production", Payloads: numbered("production", 1),
	})
	if err != nil {
		log.Fatal(err)
	}
	return m, keys.Root
}

// memory is a repository in memory, to be published to once.
type memory map[string][]byte

func (m memory) Get(_ context.Context, name string, _ int64) (data []byte, etag string, err error) {
	data, ok := m[name]
	if !ok {
		return nil, "", fs.ErrNotExist
	}
	return data, "any", nil
}

func (m memory) Put(_ context.Context, name string, data []byte, _ release.PutOptions) error {
	m[name] = data
	return nil
}

func (m memory) Fetch(_ context.Context, name, _ string, _ int64) (bundle.Object, error) {
	data, ok := m[name]
	if !ok {
		return bundle.Object{}, bundle.ErrNotFound
	}
	return bundle.Object{Data: data}, nil
}
