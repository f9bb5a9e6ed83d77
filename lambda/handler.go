// Package lambda evaluates feature flags over HTTP with the OpenFeature Remote
// Evaluation Protocol (OFREP). Stock OpenFeature providers in any language work with
// it, without a library of ours. It is an ordinary [net/http.Handler]; package
// bootstrap runs it on AWS Lambda.
//
// # Requests
//
//	POST /ofrep/v1/evaluate/flags/{key}   one flag
//	POST /ofrep/v1/evaluate/flags         all flags
//	GET  /ofrep/v1/events                 events for browsers, if [Config].Events is set
//	GET  /route/{flag}[,{flag}…]          the upstream of a request, for gateways; see package route
//	GET  /status                          the client's status
//	GET  /healthz                         200 while the process can answer at all
//
// The body of both POSTs is {"context": {…}}. A missing body, or one without a
// context, means an empty context. Other members, and the body's media type, are
// ignored.
//
// The response for a flag is the object that [Answer] describes. The response for all
// flags is {"flags": […], "metadata": {"environment": …, "revision": …}}, sorted by
// key. Its answers don't repeat the revision, so that a provider which compares them
// sees which flags have changed. It is compressed if it is larger than 1 KiB and the
// caller accepts gzip.
//
// # Entity tags
//
// The response for all flags has an ETag. It is a hash of the hashes of its parts, so it
// covers the revision, the effects of the context, the place of the events, and the draws of
// flags that split by chance, which differ between requests. If a request's If-None-Match
// has the tag, the status is 304: the body would have been byte for byte the one that the
// caller has. The tag of a compressed response ends in "-gzip".
//
// # Events
//
// With [Config].Events, the response for all flags has an eventStreams member, and
// providers in browsers ask /ofrep/v1/events for server-sent events. After each revision
// that changes a flag they receive refetchEvaluation, and ask for all flags again. The ID
// of an event is the revision, and a stream that resumes (Last-Event-ID) begins with an
// event if there is a newer one. Idle streams get a comment every 20 s. A client that
// doesn't read for 10 s loses its stream. There are at most 4,096 streams.
//
// # Failures
//
// Statuses and error codes are those of OFREP and its providers:
//
//	400  PARSE_ERROR      the body is not a JSON object, or is incomplete
//	400  INVALID_CONTEXT  the context is not an object, its targeting key is not a string,
//	                      a number is out of range, or there are more than 1,000 attributes,
//	                      more than 1,000 elements of lists, or texts are too long for the
//	                      regular expressions that flags match them with: one has more than
//	                      1,024 bytes, or those of more than 256 bytes, each counted once per
//	                      expression, have more than 16 KiB
//	404  FLAG_NOT_FOUND   there is no such flag, or the caller may not see it
//
// TARGETING_KEY_MISSING never occurs: a rule doesn't match if its unit is missing, and
// the answer's metadata says so. Other failures have no code, only
// {"errorDetails": …}: 401, 403 and 429 if there is a [Config].Access, 404 for other paths,
// 405 for other methods, 413 for bodies larger than [Config].MaxBody, 500 for a bug, and 503
// while the client has no revision, or with Retry-After while bodies larger than 4 KiB take
// up 16 MiB or there are more than [Config].MaxRequests. Providers treat 503 like an outage
// and serve defaults or stored values; they don't behave as if the flags had been deleted.
// Failures don't quote the request, except for the flag's key.
//
// # Browsers
//
// Without [Config].Access, every origin is allowed (Access-Control-Allow-Origin: *), and may
// read ETag and Retry-After. OFREP uses no cookies then. So a page learns nothing from a
// public deployment through a visitor's browser that it couldn't request itself. In a
// private network, any page open in a browser there can send requests too.
//
// With it, OFREP callers need a key, a token or an identity of IAM, and see the flags that
// are theirs. Pages of the origins of all clients may send preflights and read answers; a
// request from another page than its client's is a 403. Streams of events need no key, but
// come from these origins or from no page; /route answers [Config].Gateways only, and
// /status and /healthz everyone. What the flag folder takes from requests ("from"), callers
// of kind client can't send. See package access.
package lambda

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/klauspost/compress/gzhttp"

	"github.com/serin-flags/serin/evaluator"
	"github.com/serin-flags/serin/lambda/access"
	"github.com/serin-flags/serin/lambda/enrich"
	"github.com/serin-flags/serin/lambda/internal/limit"
	"github.com/serin-flags/serin/lambda/route"
	"github.com/serin-flags/serin/sdk"
)

const (
	flagsPath  = "/ofrep/v1/evaluate/flags"
	statusPath = "/status"
	healthPath = "/healthz"
)

// Config configures a [Handler]. The zero Config is valid.
type Config struct {
	// MaxBody is the size limit of a request's body in bytes. 0 and less mean 64 KiB.
	MaxBody int64
	// BasePath is what all paths begin with, such as "/flags"; slashes at its end are
	// ignored. Requests for other paths get 404.
	BasePath string
	// Events offers a stream of events to browsers. The server must neither buffer
	// responses nor limit their duration by itself, so it can't be used on AWS Lambda.
	Events bool
	// Gateways are the proxies that may say who a client is and what it has asked for. The
	// zero Trust trusts nobody.
	Gateways enrich.Trust
	// Access decides who may ask for flags over OFREP, and which they see. Then only Gateways
	// may ask /route, which has no keys and answers for all flags. nil: everyone may ask for
	// all flags.
	Access *access.Gate
	// MaxRequests limits the requests for flags that are answered at once, and the streams of
	// events. More get 503 with Retry-After, or no variant on /route. 0 and less: no limit, for
	// servers that have one.
	MaxRequests int
	// Observe is called after each response with one of [Endpoints], the status, and the time
	// since the request's headers had arrived; of a stream of events when it has ended. It
	// must be fast and safe for concurrent use. nil: nobody is told.
	Observe func(endpoint string, status int, took time.Duration)
}

// A Handler evaluates the flags of a client, in the revision that the client serves when
// a request arrives. It is safe for concurrent use and never closes the client.
type Handler struct {
	client   *sdk.Client
	base     string // of all paths
	bodies   bodies
	compress func(http.Handler) http.HandlerFunc
	router   *route.Router
	access   *access.Gate // nil: everyone may ask
	trust    *enrich.Trust
	taken    atomic.Pointer[taken]
	rendered atomic.Pointer[rendered]
	streams  streams
	offer    []byte // the eventStreams of all flags, as JSON; nil: there are none
	draining atomic.Bool
	requests atomic.Int64                                          // for flags, at this moment
	most     int64                                                 // of requests; 0: no limit
	observe  func(endpoint string, status int, took time.Duration) // Config.Observe
}

// New returns a Handler. A nil client has no flags. With cfg.Events, the Handler uses
// [sdk.Client.OnChange] until the client is closed.
func New(client *sdk.Client, cfg Config) *Handler {
	h := &Handler{client: client, base: strings.TrimRight(cfg.BasePath, "/"), compress: newCompressor(),
		observe: cfg.Observe, most: int64(cfg.MaxRequests), access: cfg.Access, trust: &cfg.Gateways}
	h.router = route.New(client, h.trust)
	if h.streams.most = maxStreams; h.most > 0 {
		h.streams.most = int(min(h.most, maxStreams))
	}
	if h.bodies.limit = cfg.MaxBody; h.bodies.limit <= 0 {
		h.bodies.limit = defaultMaxBody
	}
	if cfg.Events {
		place := appendString(nil, (&url.URL{Path: h.base + eventsPath}).EscapedPath())
		h.offer = fmt.Appendf(nil, `[{"endpoint":{"requestUri":%s},"type":"sse"}]`, place)
		client.OnChange(func(sdk.Change) { h.streams.notify() })
	}
	return h
}

// Drain prepares for the end of the server: from now on /status answers 503, so that load
// balancers send no more requests, every response asks for its connection to be closed,
// and streams of events end, so that clients resume them elsewhere. Other requests are
// still answered.
func (h *Handler) Drain() {
	h.draining.Store(true)
	h.streams.end()
}

// ServeHTTP answers a request, as the package documentation describes. If that panics,
// the status is 500, and the log has the place. The panic's value may contain a part of
// the request, so neither the response nor the log contains it.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	endpoint, flags := h.locate(r)
	if h.observe != nil {
		o := &observed{ResponseWriter: w, began: time.Now()}
		w = o
		defer func() { h.observe(endpoint, o.status, time.Since(o.began)) }()
	}
	defer func() {
		v := recover()
		if v == nil {
			return
		}
		cause := fmt.Sprintf("%T", v)
		if err, ok := v.(runtime.Error); ok {
			cause = err.Error()
		}
		slog.Error("panic while handling a request", "cause", cause, "stack", string(debug.Stack()))
		if endpoint == routeEndpoint {
			h.router.Fail(w)
			return
		}
		failure{status: http.StatusInternalServerError, details: "internal error"}.write(w)
	}()
	if h.draining.Load() {
		w.Header().Set("Connection", "close")
	}
	if h.most > 0 && (endpoint == flagEndpoint || endpoint == flagsEndpoint || endpoint == routeEndpoint) {
		defer h.requests.Add(-1)
		if h.requests.Add(1) > h.most {
			h.busy(w, r, endpoint)
			return
		}
	}
	h.serve(w, r, endpoint, flags)
}

// busy answers one request too many.
func (h *Handler) busy(w http.ResponseWriter, r *http.Request, endpoint string) {
	if endpoint == routeEndpoint {
		h.router.Fail(w)
		return
	}
	h.share(w, r)
	failure{status: http.StatusServiceUnavailable, retryAfter: 1,
		details: "there are too many requests at once"}.write(w)
}

func (h *Handler) serve(w http.ResponseWriter, r *http.Request, endpoint, flags string) {
	if endpoint == routeEndpoint {
		if h.access != nil && !h.trust.Gateway(r) {
			h.router.Fail(w)
			return
		}
		h.router.Answer(w, r, flags) // not for other origins: it may read and set cookies
		return
	}
	shared := h.share(w, r)
	w.Header()["X-Content-Type-Options"] = noSniff
	switch endpoint {
	case flagEndpoint:
		h.one(w, r, flags)
	case flagsEndpoint:
		h.all(w, r)
	case statusEndpoint:
		h.status(w, r)
	case healthEndpoint:
		write(w, http.StatusOK, []byte(`{"alive":true}`))
	case eventsEndpoint:
		if !shared {
			failure{status: http.StatusForbidden, details: "no client is for web pages of this origin"}.write(w)
			return
		}
		h.events(w, r)
	default:
		if r.Method == http.MethodOptions {
			preflight(w, shared)
			return
		}
		failure{status: http.StatusNotFound, details: "there is nothing at this path"}.write(w)
	}
}

// preflight tells browsers that all requests are allowed, if the response is shared.
func preflight(w http.ResponseWriter, shared bool) {
	header := w.Header()
	if !shared {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	header.Set("Access-Control-Allow-Methods", "GET, POST")
	// The wildcard admits tracing headers. It doesn't cover Authorization, and old
	// browsers don't know it.
	header.Set("Access-Control-Allow-Headers", "Authorization, Content-Type, If-None-Match, X-API-Key, *")
	header.Set("Access-Control-Max-Age", "7200") // seconds; browsers cap it at about that
	w.WriteHeader(http.StatusNoContent)
}

// one evaluates the flag named key.
func (h *Handler) one(w http.ResponseWriter, r *http.Request, key string) {
	q, fail := h.read(w, r)
	if fail != nil {
		fail.key = &key
		fail.write(w)
		return
	}
	var result evaluator.Result
	if q.sees(key) { // or it is as if there were no such flag
		result = q.snapshot.Evaluate(key, q.ctx)
	}
	if result.Reason() == evaluator.ReasonError {
		write(w, http.StatusNotFound, Answer{Key: key, Result: result}.AppendJSON(nil))
		return
	}
	write(w, http.StatusOK, h.render(q.snapshot).one(key, result))
}

// all evaluates all flags.
func (h *Handler) all(w http.ResponseWriter, r *http.Request) {
	q, fail := h.read(w, r)
	if fail != nil {
		fail.write(w)
		return
	}
	known, s := h.render(q.snapshot), responses.Get().(*response)
	defer s.release()
	s.parts = known.all(q, s.parts[:0])
	tag := s.tag(known)
	w.Header()["Etag"] = []string{tag}
	if hasTag(r.Header["If-None-Match"], tag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	body := s.render(known)
	h.compress(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		write(w, http.StatusOK, body)
	})).ServeHTTP(w, r)
}

// newCompressor returns a function that compresses the responses of a handler where that is
// worth it and the caller accepts it.
func newCompressor() func(http.Handler) http.HandlerFunc {
	wrap, err := gzhttp.NewWrapper(gzhttp.MinSize(minCompressed), gzhttp.EnableZstd(false),
		gzhttp.SuffixETag(gzipSuffix),
		gzhttp.ContentTypes([]string{"application/json"}))
	if err != nil {
		panic(err) // the options are constant
	}
	return wrap
}

// A question is a request for flags.
type question struct {
	ctx      evaluator.Context
	snapshot *sdk.Snapshot  // to answer it with
	caller   *access.Caller // nil: anyone
}

// sees reports whether the caller may see the flag named key.
func (q *question) sees(key string) bool {
	return q.caller == nil || q.caller.Sees(key, q.snapshot.Namespace)
}

// read returns what a request asks, or the failure to respond with.
func (h *Handler) read(w http.ResponseWriter, r *http.Request) (*question, *failure) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", "OPTIONS, POST")
		return nil, &failure{status: http.StatusMethodNotAllowed, details: "the method must be POST"}
	}
	caller, fail := h.admit(w, r)
	if fail != nil {
		return nil, fail
	}
	body, release, fail := h.bodies.read(w, r)
	defer release()
	if fail != nil {
		return nil, fail
	}
	ctx, fail := decodeRequest(body)
	if fail != nil {
		return nil, fail
	}
	snapshot := h.client.Snapshot()
	if snapshot == nil {
		return nil, &failure{status: http.StatusServiceUnavailable, details: "no flags have been loaded yet"}
	}
	if caller != nil && caller.Kind() == access.KindClient {
		h.fill(&ctx, snapshot, r, caller)
	}
	ctx, fail = declared(ctx, snapshot.Program(), snapshot.ReportUnused)
	return &question{ctx, snapshot, caller}, fail
}

// declared removes the attributes from ctx that the program doesn't use, calls unused with
// their names, and returns ctx. Conditions search all attributes, so a request full of
// useless ones would slow each condition down. It refuses long texts that regular
// expressions would be matched with.
func declared(
	ctx evaluator.Context, program *evaluator.Program, unused func(name string),
) (evaluator.Context, *failure) {
	ctx.Attrs = slices.DeleteFunc(ctx.Attrs, func(a evaluator.Attr) bool {
		_, ok := program.AttributeType(a.Name)
		if !ok && a.Value.Kind() != evaluator.KindNone { // objects: their members are reported
			unused(a.Name)
		}
		return !ok
	})
	if err := limit.Check(&ctx, program); err != nil {
		return ctx, &failure{status: http.StatusBadRequest, code: invalidContext, details: err.Error()}
	}
	return ctx, nil
}

// Values of headers that all responses share: net/http only reads them.
var (
	jsonType  = []string{"application/json"}
	noSniff   = []string{"nosniff"}
	anyOrigin = []string{"*"}
	exposed   = []string{"ETag, Retry-After"}
)

// minChunked is the size in bytes from which on net/http may send a body in chunks, unless it
// is told how long the body is.
const minChunked = 1 << 10

// write writes a complete response.
func write(w http.ResponseWriter, status int, body []byte) {
	header := w.Header()
	header["Content-Type"] = jsonType
	if len(body) > minChunked {
		header["Content-Length"] = []string{strconv.Itoa(len(body))}
	}
	w.WriteHeader(status)
	w.Write(body) // an error means that the client has gone
}
