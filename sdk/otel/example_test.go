package otel_test

import (
	"context"
	"fmt"
	"log"

	"github.com/serin-flags/serin/sdk"
	"github.com/serin-flags/serin/sdk/otel"
)

func Example() {
	var client *sdk.Client // in a program, what sdk.Open returns

	stop, err := otel.Observe(client, otel.Config{}) // by the global meter provider
	if err != nil {
		log.Fatal(err)
	}
	defer stop()
	recorder, err := otel.NewRecorder(client, otel.Config{})
	if err != nil {
		log.Fatal(err)
	}
	explained := otel.Explain(context.Background(), recorder, newCheckout, sdk.User("u-42"))
	fmt.Println(explained.Value, explained.Err)
	// Output: false no flags loaded yet
}
