// The program worker is an example of a worker. It reads jobs from standard input, and
// pauses while a flag says so. Its flags come from a bucket in one region or, if that
// can't be reached, from its replica in another.
//
//	SERIN_FROM      URL of a published environment
//	SERIN_REPLICA   URL of its replica
//	SERIN_ROOT      path of the pinned root.json
//	SERIN_INTERVAL  time between polls, such as 10s
//
// A job is a line with a user and the channel from which they got the app.
package main

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/serin-flags/serin/sdk"
)

var (
	readOnly     = sdk.Bool("read-only", false)
	pushProvider = sdk.String("push-provider", "websocket")
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		slog.Error("the worker ends", "error", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	first, err := sdk.FromURL(os.Getenv("SERIN_FROM"))
	if err != nil {
		return err
	}
	replica, err := sdk.FromURL(os.Getenv("SERIN_REPLICA"))
	if err != nil {
		return err
	}
	root, err := os.ReadFile(os.Getenv("SERIN_ROOT"))
	if err != nil {
		return err
	}
	interval, err := time.ParseDuration(os.Getenv("SERIN_INTERVAL"))
	if err != nil {
		return err
	}
	client, err := sdk.Open(ctx, sdk.Config{
		Source:   sdk.Fallback(first, replica),
		Root:     root,
		Interval: interval,
		Logger:   slog.Default(),
	})
	if err != nil {
		return err
	}
	defer client.Close()

	// Wake up whenever any flag has changed.
	changed := make(chan struct{}, 1)
	defer client.OnChange(func(sdk.Change) {
		select {
		case changed <- struct{}{}:
		default:
		}
	})()

	jobs := bufio.NewScanner(os.Stdin)
	for jobs.Scan() {
		for readOnly.Get(client, sdk.Context{}) {
			fmt.Println("resting")
			select {
			case <-changed:
			case <-ctx.Done():
				return nil
			}
		}
		deliver(client, jobs.Text())
	}
	return jobs.Err()
}

// deliver processes a job.
func deliver(client *sdk.Client, job string) {
	user, channel, _ := strings.Cut(job, " ")
	provider := pushProvider.Explain(client, sdk.User(user, sdk.Attr("channel", channel)))
	// Store the explanation with a job if people may ask about it later.
	fmt.Printf("%s goes by %s (%s %s)\n", user, provider.Value, provider.Reason, provider.Rule)
}
