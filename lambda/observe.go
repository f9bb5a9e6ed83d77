package lambda

import (
	"net/http"
	"strings"
	"time"

	"github.com/serin-flags/serin/lambda/route"
)

// The endpoints, as [Config].Observe gets them.
const (
	flagEndpoint   = "flag"
	flagsEndpoint  = "flags"
	eventsEndpoint = "events"
	routeEndpoint  = "route"
	statusEndpoint = "status"
	healthEndpoint = "healthz"
	otherEndpoint  = "other" // OPTIONS, and paths at which there is nothing
)

// Endpoints returns every endpoint that [Config].Observe is called with: flag and flags,
// which are OFREP's, events, route, status, healthz and other.
func Endpoints() []string {
	return []string{flagEndpoint, flagsEndpoint, eventsEndpoint, routeEndpoint, statusEndpoint, healthEndpoint,
		otherEndpoint}
}

// locate returns the endpoint that a request is for, and the flag or flags in its path.
func (h *Handler) locate(r *http.Request) (endpoint, flags string) {
	path, ok := strings.CutPrefix(r.URL.Path, h.base)
	if !ok {
		return otherEndpoint, ""
	}
	if flags, ok := strings.CutPrefix(path, route.Prefix); ok {
		return routeEndpoint, flags
	}
	if r.Method == http.MethodOptions {
		return otherEndpoint, ""
	}
	if key, ok := strings.CutPrefix(path, flagsPath+"/"); ok {
		return flagEndpoint, key
	}
	switch path {
	case flagsPath:
		return flagsEndpoint, ""
	case statusPath:
		return statusEndpoint, ""
	case healthPath:
		return healthEndpoint, ""
	case eventsPath:
		if h.offer != nil {
			return eventsEndpoint, ""
		}
	}
	return otherEndpoint, ""
}

// An observed is a response whose status is remembered. What [http.ResponseController] does
// goes to the response within it.
type observed struct {
	http.ResponseWriter
	status int // 0: no header has been written
	began  time.Time
}

func (o *observed) Unwrap() http.ResponseWriter { return o.ResponseWriter }

func (o *observed) WriteHeader(status int) {
	if o.status == 0 {
		o.status = status
	}
	o.ResponseWriter.WriteHeader(status)
}

func (o *observed) Write(p []byte) (int, error) {
	if o.status == 0 {
		o.status = http.StatusOK
	}
	return o.ResponseWriter.Write(p)
}

// innermost returns the response within all that wrap it.
func innermost(w http.ResponseWriter) http.ResponseWriter {
	for {
		outer, ok := w.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			return w
		}
		w = outer.Unwrap()
	}
}

// A Load is what a [Handler] is busy with, and what it has done, at one moment.
type Load struct {
	Streams  int   // open streams of events
	Bodies   int64 // bytes that large bodies take up in memory
	Routed   int64 // answers to gateways that had a variant, since the start
	Unrouted int64 // answers to gateways that had none
}

// Load returns the handler's load. It is cheap.
func (h *Handler) Load() Load {
	return Load{Streams: h.streams.count(), Bodies: h.bodies.inFlight.Load(), Routed: h.router.Decided(),
		Unrouted: h.router.Failures()}
}
