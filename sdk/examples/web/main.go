// The program web is an example of a web service: one context for each request,
// several flags, and a health check that shows how old the flags are.
//
//	SERIN_FROM   URL of a published environment, such as https://flags.example.com/shop/production
//	SERIN_ROOT   path of the pinned root.json; your own program would embed it
//	SERIN_CACHE  folder for the last good revision
//	LISTEN       address, such as 127.0.0.1:8080
package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/serin-flags/serin/sdk"
)

// Methods is the value of the flag payment-methods.
type Methods struct {
	Methods []string `json:"methods"`
	Default string   `json:"default"`
}

// Declare flags once, with the defaults to serve when there is nothing better.
var (
	newCheckout    = sdk.Bool("new-checkout", false)
	paymentMethods = sdk.JSON("payment-methods", Methods{Methods: []string{"card"}})
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		slog.Error("the service ends", "error", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	source, err := sdk.FromURL(os.Getenv("SERIN_FROM"))
	if err != nil {
		return err
	}
	root, err := os.ReadFile(os.Getenv("SERIN_ROOT"))
	if err != nil {
		return err
	}
	client, err := sdk.Open(ctx, sdk.Config{
		Source:   source,
		Root:     root,
		CacheDir: os.Getenv("SERIN_CACHE"),
		Logger:   slog.Default(),
	})
	if err != nil {
		return err
	}
	defer client.Close()

	mux := http.NewServeMux()
	mux.Handle("GET /checkout", checkout{client})
	mux.Handle("GET /healthz", health{client})
	return serve(ctx, mux)
}

// checkout responds with what a user's checkout looks like.
type checkout struct{ flags *sdk.Client }

func (c checkout) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	user := sdk.User(query.Get("user"), sdk.Attr("country", query.Get("country")))

	page := "classic"
	if newCheckout.Get(c.flags, user) {
		page = "one page"
	}
	methods := paymentMethods.Get(c.flags, user)
	w.Write([]byte(page + ": " + strings.Join(methods.Methods, ", ") + "\n"))
}

// health reports whether there are flags. Don't take a service out of rotation because
// its flags are old: the status is for people and alerts.
type health struct{ flags *sdk.Client }

func (h health) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	status := h.flags.Status()
	if status.State == sdk.Empty {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	w.Write([]byte(status.String() + "\n"))
}

// serve serves until ctx is done.
func serve(ctx context.Context, h http.Handler) error {
	listener, err := net.Listen("tcp", os.Getenv("LISTEN"))
	if err != nil {
		return err
	}
	slog.Info("listening", "url", "http://"+listener.Addr().String())
	server := &http.Server{Handler: h}
	ended := make(chan struct{})
	context.AfterFunc(ctx, func() {
		server.Shutdown(context.WithoutCancel(ctx))
		close(ended)
	})
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	<-ended // running requests have finished
	return nil
}
