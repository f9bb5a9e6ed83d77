package openfeature_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	of "github.com/open-feature/go-sdk/openfeature"
	"github.com/open-feature/go-sdk/openfeature/isolated"

	"github.com/serin-flags/serin/ci"
	"github.com/serin-flags/serin/ci/filestore"
	"github.com/serin-flags/serin/ci/release"
	"github.com/serin-flags/serin/sdk"
	"github.com/serin-flags/serin/sdk/openfeature"
)

func ExampleNew() {
	// In a program, client is what sdk.Open returns for what the program pulls,
	// and api is the package of the go-sdk itself.
	client := published()
	defer client.Close()
	api := isolated.NewAPI()
	defer api.Shutdown(context.Background())

	err := api.SetProviderAndWait(context.Background(), openfeature.New(client, openfeature.Config{}))
	if err != nil {
		log.Print(err) // there are no flags yet: defaults are served until there are
	}
	user := of.NewEvaluationContext("u-42", map[string]any{"tags": []string{"vip"}})
	details, err := api.NewClient().BooleanValueDetails(context.Background(), "tagged", false, user)
	fmt.Println(details.Value, details.Variant, details.Reason, details.FlagMetadata["rule"], err)
	// Output: true on TARGETING_MATCH tag <nil>
}

// published publishes testdata/flags and returns a client of that.
func published() *sdk.Client {
	dir, err := os.MkdirTemp("", "serin-example-")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	estate, err := ci.Load("testdata/flags")
	if err != nil {
		log.Fatal(err)
	}
	payloads, err := estate.Compile("production")
	if err != nil {
		log.Fatal(err)
	}
	if _, err := release.InitKeys(dir, "production"); err != nil {
		log.Fatal(err)
	}
	keys, err := release.LoadKeys(dir)
	if err != nil {
		log.Fatal(err)
	}
	environment := filepath.Join(dir, "production")
	if _, err := release.Publish(context.Background(), release.Options{
		Store: filestore.New(environment), Keys: keys, Environment: "production", Payloads: payloads,
	}); err != nil {
		log.Fatal(err)
	}
	source, err := sdk.File(environment)
	if err != nil {
		log.Fatal(err)
	}
	client, err := sdk.Open(context.Background(), sdk.Config{Source: source, Root: keys.Root, Interval: -1})
	if err != nil {
		log.Fatal(err)
	}
	return client
}
