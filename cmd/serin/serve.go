package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/serin-flags/serin/lambda"
	"github.com/serin-flags/serin/sdk"
	"github.com/serin-flags/serin/sdk/s3source"
	"github.com/spf13/cobra"
)

// defaultListen is where serve and dev listen.
const defaultListen = "127.0.0.1:8787"

func serveCommand() *cobra.Command {
	var f sourceFlags
	var from, listen, cache string
	var interval time.Duration
	cmd := &cobra.Command{
		Use:   "serve --from SRC",
		Short: "Serve flags over HTTP (OFREP)",
		Long: `Serve serves the flags of SRC over HTTP with the OpenFeature Remote Evaluation
Protocol, like the Lambda function, but as an ordinary server. It follows a
published environment. A folder is compiled only once; "serin dev" watches one.

It prints its URL once it listens. If it can't pull the flags yet, it keeps
trying.`,
		Args: noWord("from"),
		RunE: func(cmd *cobra.Command, args []string) error {
			changed := cmd.Flags().Changed
			switch {
			case changed("interval") && interval <= 0:
				return usagef("--interval must be a positive time between polls, such as 30s, not %v", interval)
			case !published(from) && (changed("interval") || changed("cache")):
				return usagef("--interval and --cache are for published flags; a folder is compiled once")
			}
			log := slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), nil))
			client, closeClient, err := f.client(cmd.Context(), from, sdk.Config{CacheDir: cache, Interval: interval, Logger: log})
			if err != nil {
				return err
			}
			defer closeClient()
			if client.Snapshot() == nil {
				fmt.Fprintln(cmd.ErrOrStderr(), "no flags yet: answering 503 until there are")
			}
			return listenAndServe(cmd, listen, lambda.New(client, lambda.Config{}))
		},
	}
	f.register(cmd)
	registerFrom(cmd, &from)
	cmd.Flags().StringVar(&listen, "listen", defaultListen, "the address to listen on; port 0 selects a free port")
	cmd.Flags().StringVar(&cache, "cache", "", "a folder for the last good revision, so that a restart doesn't need the source")
	cmd.Flags().DurationVar(&interval, "interval", 0, "the mean time between polls (default 30s)")
	return cmd
}

// client opens a client of a source. closeClient must be called in the end.
func (f *sourceFlags) client(ctx context.Context, from string, cfg sdk.Config) (client *sdk.Client, closeClient func(), err error) {
	if !published(from) {
		return f.folderClient(ctx, from)
	}
	if cfg.Root, err = readRoot(f.root); err != nil {
		return nil, nil, err
	}
	if cfg.Source, err = s3source.FromURL(ctx, from); err != nil {
		return nil, nil, err
	}
	if client, err = sdk.Open(ctx, cfg); err != nil {
		return nil, nil, err
	}
	if err := f.checkEnvironment(client.Status().Environment); err != nil {
		client.Close()
		return nil, nil, err
	}
	return client, func() { client.Close() }, nil
}

// folderClient compiles a folder and opens a client of that.
func (f *sourceFlags) folderClient(ctx context.Context, dir string) (*sdk.Client, func(), error) {
	c, err := f.open(ctx, dir)
	if err != nil {
		return nil, nil, err
	}
	l, err := newLocal(f.env)
	if err != nil {
		return nil, nil, err
	}
	if _, err := l.publish(ctx, c.payloads); err != nil {
		l.close()
		return nil, nil, err
	}
	client, err := l.open(ctx)
	if err != nil {
		l.close()
		return nil, nil, err
	}
	return client, func() {
		client.Close()
		l.close()
	}, nil
}

// listenAndServe serves until the command's context ends, and then lets the
// requests that are under way finish.
func listenAndServe(cmd *cobra.Command, address string, handler http.Handler) error {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		if errors.Is(err, os.ErrPermission) || address == defaultListen {
			err = &hintedError{err, "--listen selects another address; port 0 selects a free port"}
		}
		return err
	}
	server := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       2 * time.Minute,
	}
	fmt.Fprintf(cmd.OutOrStdout(), "http://%s\n", listener.Addr())
	stopped := make(chan error, 1)
	go func() { stopped <- server.Serve(listener) }()
	select {
	case err := <-stopped:
		return err
	case <-cmd.Context().Done():
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(cmd.Context()), 5*time.Second)
	defer cancel()
	if err = server.Shutdown(ctx); errors.Is(err, context.DeadlineExceeded) {
		err = server.Close() // who still hasn't sent a whole request won't
	}
	<-stopped
	return err
}
