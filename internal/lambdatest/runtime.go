//go:build unix

package lambdatest

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"
)

// maxAnswer is Lambda's size limit for buffered responses: 6 MiB.
const maxAnswer = 6 << 20

// An InvocationError is an error that a function reports: it couldn't start, or
// couldn't handle an event.
type InvocationError struct {
	Type    string
	Message string
	Init    bool // it couldn't start
}

// Error returns the type and the message.
func (e *InvocationError) Error() string { return e.Type + ": " + e.Message }

// runtimeAPI is the server side of the Lambda Runtime API, version 2018-06-01.
type runtimeAPI struct {
	mux     *http.ServeMux
	pending chan *invocation // for the next request for an event
	failed  chan struct{}    // closed when the function couldn't start
	failure *InvocationError // why; valid when failed is closed

	idle    chan struct{} // has an element when the extension is ready for an event
	invoked chan struct{} // has an element when there is one for it

	mu       sync.Mutex
	last     int                    // number of the last event sent
	events   map[string]*invocation // sent, without a response yet; by request ID
	extended bool                   // an extension is registered
}

// An invocation is an event that waits for its response.
type invocation struct {
	event    []byte
	deadline time.Time
	answer   chan answer // has room for one
}

type answer struct {
	body []byte
	err  error
}

func newRuntimeAPI() *runtimeAPI {
	api := &runtimeAPI{
		mux:     http.NewServeMux(),
		pending: make(chan *invocation),
		failed:  make(chan struct{}),
		idle:    make(chan struct{}, 1),
		invoked: make(chan struct{}, 1),
		events:  make(map[string]*invocation),
	}
	api.mux.HandleFunc("GET /2018-06-01/runtime/invocation/next", api.next)
	api.mux.HandleFunc("POST /2018-06-01/runtime/invocation/{id}/response", api.response)
	api.mux.HandleFunc("POST /2018-06-01/runtime/invocation/{id}/error", api.invocationError)
	api.mux.HandleFunc("POST /2018-06-01/runtime/init/error", api.initError)
	api.mux.HandleFunc("POST /2020-01-01/extension/register", api.register)
	api.mux.HandleFunc("GET /2020-01-01/extension/event/next", api.nextForExtension)
	return api
}

func (api *runtimeAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) { api.mux.ServeHTTP(w, r) }

// next waits for an event and sends it. An extension must be done with the one before.
func (api *runtimeAPI) next(w http.ResponseWriter, r *http.Request) {
	api.mu.Lock()
	extended := api.extended
	api.mu.Unlock()
	if extended {
		select {
		case <-api.idle:
		case <-r.Context().Done():
			return
		}
		defer func() { api.invoked <- struct{}{} }()
	}
	var call *invocation
	select {
	case call = <-api.pending:
	case <-r.Context().Done():
		return
	}
	api.mu.Lock()
	api.last++
	id := fmt.Sprintf("00000000-0000-4000-8000-%012d", api.last)
	api.events[id] = call
	api.mu.Unlock()
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Lambda-Runtime-Aws-Request-Id", id)
	h.Set("Lambda-Runtime-Deadline-Ms", strconv.FormatInt(call.deadline.UnixMilli(), 10))
	h.Set("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:us-east-1:123456789012:function:serin")
	h.Set("Lambda-Runtime-Trace-Id", "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=1")
	w.Write(call.event)
}

// extensionID identifies the extension. There is one at most.
const extensionID = "00000000-0000-4000-9000-000000000001"

// register registers an internal extension, which may ask for INVOKE events only.
func (api *runtimeAPI) register(w http.ResponseWriter, r *http.Request) {
	var body struct{ Events []string }
	err := json.NewDecoder(io.LimitReader(r.Body, maxAnswer)).Decode(&body)
	named := r.Header.Get("Lambda-Extension-Name") != ""
	if err != nil || !named || !slices.Equal(body.Events, []string{"INVOKE"}) {
		reply(w, http.StatusBadRequest, `{"errorMessage":"Invalid registration","errorType":"InvalidEventType"}`)
		return
	}
	api.mu.Lock()
	defer api.mu.Unlock()
	if api.last > 0 || api.extended {
		reply(w, http.StatusForbidden,
			`{"errorMessage":"Extension registration closed","errorType":"Extension.RegistrationClosed"}`)
		return
	}
	api.extended = true
	w.Header().Set("Lambda-Extension-Identifier", extensionID)
	reply(w, http.StatusOK, `{"functionName":"serin","functionVersion":"$LATEST","handler":"bootstrap"}`)
}

// nextForExtension notes that the extension is done, waits for an event and tells it.
func (api *runtimeAPI) nextForExtension(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Lambda-Extension-Identifier") != extensionID {
		reply(w, http.StatusForbidden,
			`{"errorMessage":"Unknown extension","errorType":"Extension.UnknownExtensionIdentifier"}`)
		return
	}
	api.idle <- struct{}{}
	select {
	case <-api.invoked:
		reply(w, http.StatusOK, `{"eventType":"INVOKE"}`)
	case <-r.Context().Done():
	}
}

// take returns the event with the ID in r's path. If there is none, it responds to r.
func (api *runtimeAPI) take(w http.ResponseWriter, r *http.Request) *invocation {
	id := r.PathValue("id")
	api.mu.Lock()
	defer api.mu.Unlock()
	call := api.events[id]
	if call == nil {
		reply(w, http.StatusBadRequest, `{"errorMessage":"Invalid request ID","errorType":"InvalidRequestID"}`)
	}
	delete(api.events, id)
	return call
}

func (api *runtimeAPI) response(w http.ResponseWriter, r *http.Request) {
	call := api.take(w, r)
	if call == nil {
		return
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxAnswer+1))
	if err != nil {
		call.answer <- answer{err: fmt.Errorf("reading the function's answer: %w", err)}
		return
	}
	if len(body) > maxAnswer {
		call.answer <- answer{err: &InvocationError{
			Type:    "Function.ResponseSizeTooLarge",
			Message: fmt.Sprintf("the answer is larger than %d bytes", maxAnswer),
		}}
		reply(w, http.StatusRequestEntityTooLarge,
			`{"errorMessage":"Exceeded maximum allowed payload size","errorType":"RequestEntityTooLarge"}`)
		return
	}
	call.answer <- answer{body: body}
	reply(w, http.StatusAccepted, `{"status":"OK"}`)
}

func (api *runtimeAPI) invocationError(w http.ResponseWriter, r *http.Request) {
	call := api.take(w, r)
	if call == nil {
		return
	}
	call.answer <- answer{err: report(r)}
	reply(w, http.StatusAccepted, `{"status":"OK"}`)
}

func (api *runtimeAPI) initError(w http.ResponseWriter, r *http.Request) {
	failure := report(r)
	failure.Init = true
	api.mu.Lock()
	defer api.mu.Unlock()
	if api.last > 0 || api.failure != nil {
		reply(w, http.StatusForbidden,
			`{"errorMessage":"State transition is not allowed","errorType":"InvalidStateTransition"}`)
		return
	}
	api.failure = failure
	close(api.failed)
	reply(w, http.StatusAccepted, `{"status":"OK"}`)
}

// report returns the error that r, a request of the function, reports.
func report(r *http.Request) *InvocationError {
	var e struct {
		ErrorMessage string `json:"errorMessage"`
		ErrorType    string `json:"errorType"`
	}
	if err := json.NewDecoder(io.LimitReader(r.Body, maxAnswer)).Decode(&e); err != nil {
		e.ErrorMessage = fmt.Sprintf("a report that can't be decoded: %v", err)
	}
	return &InvocationError{
		Type:    cmp.Or(r.Header.Get("Lambda-Runtime-Function-Error-Type"), e.ErrorType, "Unhandled"),
		Message: e.ErrorMessage,
	}
}

func reply(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	io.WriteString(w, body)
}
