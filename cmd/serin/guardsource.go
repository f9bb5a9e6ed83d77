package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"

	"github.com/serin-flags/serin/ci/guard"
	"github.com/serin-flags/serin/ci/guard/cloudwatch"
	"github.com/serin-flags/serin/ci/guard/command"
	"github.com/serin-flags/serin/ci/guard/prometheus"
	"github.com/serin-flags/serin/internal/regular"
)

// guardOptions returns what it takes to ask the sources of guards. file is the one with
// credentials; "": they are in a variable, if there are any.
func guardOptions(file string) (guard.Options, error) {
	text := os.Getenv("SERIN_GUARD_CREDENTIALS")
	if file != "" {
		var err error
		if text, err = readCredentials(file); err != nil {
			return guard.Options{}, err
		}
	}
	credentials, err := prometheus.ParseCredentials(text)
	if err != nil {
		return guard.Options{}, fmt.Errorf("reading %s: %w", cmp.Or(file, "SERIN_GUARD_CREDENTIALS"), err)
	}
	return guard.Options{Runner: &command.Runner{Secrets: credentials.Secrets()},
		Open: guard.Keep(func(ctx context.Context, kind, address string) (guard.Source, error) {
			if kind == guard.CloudWatch {
				return cloudwatch.Open(ctx, address)
			}
			return prometheus.Open(address, credentials)
		})}, nil
}

// maxCredentials is the length in bytes of the longest file with credentials.
const maxCredentials = 1 << 20

func readCredentials(name string) (string, error) {
	f, err := regular.Open(name)
	if err != nil {
		return "", fmt.Errorf("reading the credentials: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxCredentials+1))
	switch {
	case err != nil:
		return "", fmt.Errorf("reading the credentials: %w", err)
	case len(data) > maxCredentials:
		return "", fmt.Errorf("reading the credentials: %s is longer than %d bytes", name, maxCredentials)
	}
	return string(data), nil
}
