package main

import (
	"context"
	"io"
	"log/slog"
	"sync/atomic"

	"github.com/aws/aws-lambda-go/lambdacontext"
)

// currentRequest is the ID of the request that is being handled, for logs: the client logs
// without its context. A function handles one request at a time.
var currentRequest atomic.Pointer[string]

// newLogger returns a logger that writes JSON with the fields of Lambda's own: timestamp,
// level, message, requestId. level is the value of AWS_LAMBDA_LOG_LEVEL.
func newLogger(w io.Writer, level string) *slog.Logger {
	return slog.New(requestHandler{slog.NewJSONHandler(w, &slog.HandlerOptions{
		Level:       logLevel(level),
		ReplaceAttr: lambdacontext.ReplaceAttr,
	})})
}

// logLevel returns the level that Lambda calls by that name.
func logLevel(name string) slog.Level {
	switch name {
	case "TRACE", "DEBUG":
		return slog.LevelDebug
	case "WARN":
		return slog.LevelWarn
	case "ERROR", "FATAL":
		return slog.LevelError
	}
	return slog.LevelInfo
}

// A requestHandler adds the request's ID.
type requestHandler struct{ slog.Handler }

func (h requestHandler) Handle(ctx context.Context, r slog.Record) error {
	if id := currentRequest.Load(); id != nil && *id != "" {
		r.AddAttrs(slog.String("requestId", *id))
	}
	return h.Handler.Handle(ctx, r)
}

func (h requestHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return requestHandler{h.Handler.WithAttrs(attrs)}
}

func (h requestHandler) WithGroup(name string) slog.Handler {
	return requestHandler{h.Handler.WithGroup(name)}
}
