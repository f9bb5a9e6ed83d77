// Package lambda answers feature flags over HTTP, by the OpenFeature Remote
// Evaluation Protocol (OFREP), so that stock OpenFeature providers in any
// language need no library of ours. It is an ordinary [net/http.Handler]; the
// package bootstrap below it runs it on AWS Lambda.
//
// # Requests
//
//	POST /ofrep/v1/evaluate/flags/{key}   one flag
//	POST /ofrep/v1/evaluate/flags         all flags
//	GET  /status                          the client's condition
//
// The body of both POSTs is {"context": {…}}. An absent body, or one without a
// context, is an empty context; other members are passed over; the media type
// that the request states for it is not looked at.
//
// A flag's answer is the object that [Answer] describes. All flags are answered
// by {"flags": […], "metadata": {"environment": …, "revision": …}}, sorted by
// key. There the answers don't repeat the revision, so that a provider which
// compares them sees which flags changed.
//
// # Entity tags
//
// The answer to a request for all flags has an ETag. It is a hash of that very
// answer, and so covers the revision, whatever the context changes, and the
// draws of flags by chance, which are drawn anew for each request. A request
// whose If-None-Match has it is answered with 304: the answer would have been,
// byte for byte, the one that the asker holds.
//
// # Failures
//
// Statuses and error codes are those that OFREP and its providers know:
//
//	400  PARSE_ERROR      the body is not a JSON object, or broke off
//	400  INVALID_CONTEXT  the context is not an object, its targeting key is not a string, a number is out of range, or there are more than 1,000 attributes
//	404  FLAG_NOT_FOUND   there is no such flag
//
// TARGETING_KEY_MISSING does not occur: rules whose unit is missing don't match,
// which an answer's metadata mentions. Other failures hold no code, only
// {"errorDetails": …}: 404 for other paths, 405 for other methods, 413 for
// bodies of more than 1 MiB, 500 for a bug, and 503 while the client has no
// revision yet. To the last, providers react as to an outage, with defaults in
// code or with what they have stored, and not as if the flags had been deleted.
// No failure quotes the request, except for the flag's key.
//
// # Browsers
//
// Every origin may ask (Access-Control-Allow-Origin: *). The handler has no
// notion of who asks and uses no cookies, so from a public deployment a page
// learns nothing through its visitor's browser that it could not ask for
// itself. Inside a private network any page that is open in a browser there can
// ask too; where flags must not be seen, put authentication in front.
package lambda

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/serin-flags/serin/evaluator"
	"github.com/serin-flags/serin/sdk"
)

const (
	flagsPath  = "/ofrep/v1/evaluate/flags"
	statusPath = "/status"

	// maxBody is the size limit of a request's body in bytes: 1 MiB.
	maxBody = 1 << 20
)

// Handler returns the handler that answers with the flags of client, by the
// revision that client serves when a request comes in. It is safe for
// concurrent use, and closes nothing. A nil client has no flags.
func Handler(client *sdk.Client) http.Handler {
	return recovering(http.HandlerFunc(handler{client}.serve))
}

type handler struct {
	client *sdk.Client
}

func (h handler) serve(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header.Set("Access-Control-Allow-Origin", "*")
	header.Set("Access-Control-Expose-Headers", "ETag")
	header.Set("X-Content-Type-Options", "nosniff")
	key, single := strings.CutPrefix(r.URL.Path, flagsPath+"/")
	switch {
	case r.Method == http.MethodOptions:
		preflight(w)
	case single:
		h.one(w, r, key)
	case r.URL.Path == flagsPath:
		h.all(w, r)
	case r.URL.Path == statusPath:
		h.status(w, r)
	default:
		failure{status: http.StatusNotFound, details: "there is nothing at this path"}.write(w)
	}
}

// preflight tells browsers that any request may be made.
func preflight(w http.ResponseWriter) {
	header := w.Header()
	header.Set("Access-Control-Allow-Methods", "GET, POST")
	// The wildcard lets tracing headers through, but never stands for
	// Authorization, and old browsers don't know it.
	header.Set("Access-Control-Allow-Headers", "Authorization, Content-Type, If-None-Match, X-API-Key, *")
	header.Set("Access-Control-Max-Age", "7200") // seconds; no browser keeps it for much longer
	w.WriteHeader(http.StatusNoContent)
}

// one answers for the flag called key.
func (h handler) one(w http.ResponseWriter, r *http.Request, key string) {
	ctx, snapshot, fail := h.read(w, r)
	if fail != nil {
		fail.key = &key
		fail.write(w)
		return
	}
	answer := Answer{
		Key:         key,
		Result:      snapshot.Evaluate(key, ctx),
		Environment: snapshot.Environment(),
		Revision:    snapshot.Revision(),
	}
	status := http.StatusOK
	if answer.Result.Reason() == evaluator.ReasonError {
		status = http.StatusNotFound
	}
	write(w, status, answer.AppendJSON(nil))
}

// all answers for all flags.
func (h handler) all(w http.ResponseWriter, r *http.Request) {
	ctx, snapshot, fail := h.read(w, r)
	if fail != nil {
		fail.write(w)
		return
	}
	body := appendAnswers(nil, snapshot, ctx)
	tag := entityTag(body)
	w.Header().Set("ETag", tag)
	if hasTag(r.Header.Values("If-None-Match"), tag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	write(w, http.StatusOK, body)
}

// read returns what a request for flags asks for, and the revision to answer it
// by, or how to refuse it.
func (h handler) read(w http.ResponseWriter, r *http.Request) (evaluator.Context, *sdk.Snapshot, *failure) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", "OPTIONS, POST")
		return evaluator.Context{}, nil, &failure{status: http.StatusMethodNotAllowed, details: "the method must be POST"}
	}
	ctx, fail := decodeRequest(w, r)
	if fail != nil {
		return evaluator.Context{}, nil, fail
	}
	snapshot := h.client.Snapshot()
	if snapshot == nil {
		return evaluator.Context{}, nil, &failure{status: http.StatusServiceUnavailable, details: "no flags have been loaded yet"}
	}
	return declared(ctx, snapshot.Program()), snapshot, nil
}

// decodeRequest returns the context that a request's body holds.
func decodeRequest(w http.ResponseWriter, r *http.Request) (evaluator.Context, *failure) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
			return evaluator.Context{}, &failure{status: http.StatusRequestEntityTooLarge, details: "the body is larger than 1 MiB"}
		}
		return evaluator.Context{}, &failure{status: http.StatusBadRequest, code: parseError, details: "the body could not be read to its end"}
	}
	if len(body) == 0 {
		return evaluator.Context{}, nil
	}
	// A map, because the names of a struct's members would match in any case.
	var request map[string]json.RawMessage
	if err := json.Unmarshal(body, &request); err != nil || request == nil {
		return evaluator.Context{}, &failure{status: http.StatusBadRequest, code: parseError, details: "the body is not a JSON object"}
	}
	raw := request["context"]
	if raw == nil || string(raw) == "null" {
		return evaluator.Context{}, nil
	}
	ctx, err := evaluator.DecodeContext(raw)
	if err != nil {
		return evaluator.Context{}, &failure{status: http.StatusBadRequest, code: invalidContext, details: err.Error()}
	}
	return ctx, nil
}

// declared returns ctx with the attributes that the program declares alone. It
// takes ctx over. Conditions look through all attributes of a context, so a
// request full of others would make each of them slow.
func declared(ctx evaluator.Context, program *evaluator.Program) evaluator.Context {
	ctx.Attrs = slices.DeleteFunc(ctx.Attrs, func(a evaluator.Attr) bool {
		_, ok := program.AttributeType(a.Name)
		return !ok
	})
	return ctx
}

// write writes a whole response.
func write(w http.ResponseWriter, status int, body []byte) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	w.Write(body) // an error means that nobody listens any more
}

// recovering answers 500 when next panics, and logs where. What next panicked
// with may hold a part of the request, so neither shows it.
func recovering(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			v := recover()
			if v == nil {
				return
			}
			cause := fmt.Sprintf("%T", v)
			if err, ok := v.(runtime.Error); ok {
				cause = err.Error()
			}
			slog.Error("answering a request panicked", "cause", cause, "stack", string(debug.Stack()))
			failure{status: http.StatusInternalServerError, details: "internal error"}.write(w)
		}()
		next.ServeHTTP(w, r)
	})
}
