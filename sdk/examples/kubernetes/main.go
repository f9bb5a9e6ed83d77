// The program kubernetes is an example of a container without access to the bucket. A
// sidecar mirrors the flags into a shared volume with an ordinary tool. See
// deployment.yaml in this folder for the manifest.
//
//	SERIN_DIR   folder of the environment in the volume
//	SERIN_ROOT  path of the pinned root.json, which must not be in that volume
//
// "kubernetes ready" is a probe. Its exit status is 0 if there are flags.
package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/serin-flags/serin/sdk"
)

var maintenance = sdk.Bool("maintenance", false)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	command := run
	if len(os.Args) == 2 && os.Args[1] == "ready" {
		command = ready
	}
	if err := command(ctx); err != nil {
		slog.Error("the program ends", "error", err)
		os.Exit(1)
	}
}

// config returns the configuration that the environment variables describe.
func config() (sdk.Config, error) {
	source, err := sdk.File(os.Getenv("SERIN_DIR")) // notices changes immediately
	if err != nil {
		return sdk.Config{}, err
	}
	root, err := os.ReadFile(os.Getenv("SERIN_ROOT"))
	return sdk.Config{Source: source, Root: root, Logger: slog.Default()}, err
}

// run prints the flag at the start and whenever it changes.
func run(ctx context.Context) error {
	cfg, err := config()
	if err != nil {
		return err
	}
	client, err := sdk.Open(ctx, cfg)
	if err != nil {
		return err
	}
	defer client.Close()
	say := func() { fmt.Printf("maintenance: %t\n", maintenance.Get(client, sdk.Context{})) }
	defer client.OnChange(func(sdk.Change) { say() })()
	say()
	<-ctx.Done()
	return nil
}

// ready returns an error if there are no flags.
func ready(ctx context.Context) error {
	cfg, err := config()
	if err != nil {
		return err
	}
	cfg.Interval, cfg.InitTimeout = -1, time.Second
	client, err := sdk.Open(ctx, cfg)
	if err != nil {
		return err
	}
	defer client.Close()
	if status := client.Status(); status.State == sdk.Empty {
		return fmt.Errorf("no flags: %w", status.LastError)
	}
	return nil
}
