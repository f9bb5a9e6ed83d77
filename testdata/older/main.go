// Older is a client that a test builds with the SDK of an earlier commit.
//
//	older serve URL ROOT CACHE [NAMESPACE…]   follow a source ("" is no cache)
//	older encode FILE…                        decode payloads and encode them again
//
// Serve polls once for each line that it reads, and prints what it serves then as
// a line of JSON. Encode fails unless each payload comes out as it was.
package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"

	"github.com/serin-flags/serin/bundle"
	"github.com/serin-flags/serin/sdk"
)

func main() {
	err := fmt.Errorf("used wrongly")
	switch args := os.Args[1:]; {
	case len(args) >= 4 && args[0] == "serve":
		err = serve(args[1], args[2], args[3], args[4:])
	case len(args) >= 2 && args[0] == "encode":
		err = encode(args[1:])
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// served is what serve prints.
type served struct {
	Revision int64
	State    string
	Error    string
	Values   map[string]int64 // of the flags shop and search; 0: not served
}

func serve(url, rootFile, cache string, namespaces []string) error {
	root, err := os.ReadFile(rootFile)
	if err != nil {
		return err
	}
	source, err := sdk.FromURL(url)
	if err != nil {
		return err
	}
	ctx := context.Background()
	client, err := sdk.Open(ctx, sdk.Config{
		Source: source, Root: root, CacheDir: cache, Namespaces: namespaces, Interval: -1, InitTimeout: -1,
	})
	if err != nil {
		return err
	}
	defer client.Close()
	lines := bufio.NewScanner(os.Stdin)
	out := json.NewEncoder(os.Stdout)
	for lines.Scan() {
		answer := served{Values: make(map[string]int64)}
		if err := client.Refresh(ctx); err != nil {
			answer.Error = err.Error()
		}
		status := client.Status()
		answer.Revision, answer.State = status.Revision, status.State.String()
		for _, key := range []string{"shop", "search"} {
			answer.Values[key], _ = client.Evaluate(key, sdk.User("u-1")).Value().Int()
		}
		if err := out.Encode(answer); err != nil {
			return err
		}
	}
	return lines.Err()
}

func encode(files []string) error {
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		payload, err := bundle.DecodePayload(data)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		again, err := bundle.EncodePayload(payload)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if !bytes.Equal(again, data) {
			return fmt.Errorf("%s: %d bytes became %d others", name, len(data), len(again))
		}
	}
	return nil
}
