package release_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/serin-flags/serin/bundle"
	"github.com/serin-flags/serin/ci/filestore"
	"github.com/serin-flags/serin/ci/release"
	"github.com/serin-flags/serin/evaluator"
)

func ExamplePublish() {
	dir, err := os.MkdirTemp("", "serin")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)

	// Once for each environment:
	if _, err := release.InitKeys(filepath.Join(dir, "keys"), "production"); err != nil {
		log.Fatal(err)
	}

	// Whenever flags have changed:
	keys, err := release.LoadKeys(filepath.Join(dir, "keys"))
	if err != nil {
		log.Fatal(err)
	}
	report, err := release.Publish(context.Background(), release.Options{
		Store:       filestore.New(filepath.Join(dir, "published", "production")),
		Keys:        keys,
		Environment: "production",
		Payloads: []bundle.Payload{{
			Environment: "production",
			Namespace:   "checkout",
			Ruleset: evaluator.Ruleset{
				Unit:       "user",
				Attributes: []evaluator.Attribute{{Name: "user", Type: evaluator.AttrString}},
				Flags: []evaluator.Flag{{
					Key:      "new-checkout",
					Type:     evaluator.KindBool,
					Variants: []evaluator.Variant{{Name: "on", Value: evaluator.BoolValue(true)}},
				}},
			},
		}},
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("revision", report.Revision, "with", report.Added)
	// Output: revision 1 with [checkout]
}
