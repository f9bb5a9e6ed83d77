// The program worker is an example of a worker: it takes jobs from its standard
// input, and rests while a flag says so, until that changes. Its flags come from a
// bucket in one region or, where that can't be reached, from its replica.
//
//	SERIN_FROM      URL of a published environment
//	SERIN_REPLICA   URL of its replica
//	SERIN_ROOT      path of the pinned root.json
//	SERIN_INTERVAL  time between polls, such as 10s
//
// A job is a line: a user, and the channel through which they have the app.
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

	// One word whenever flags have changed: a worker needn't know which.
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

// deliver does a job.
func deliver(client *sdk.Client, job string) {
	user, channel, _ := strings.Cut(job, " ")
	provider := pushProvider.Explain(client, sdk.User(user, sdk.Attr("channel", channel)))
	// An explanation is what to keep beside a job that somebody may ask about.
	fmt.Printf("%s goes by %s (%s %s)\n", user, provider.Value, provider.Reason, provider.Rule)
}
