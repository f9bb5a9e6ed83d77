package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/aws/aws-lambda-go/events"
)

// event is an HTTP request as Lambda delivers it in payload format 2.0, which
// Function URLs and API Gateway's HTTP APIs share. It only has the members that are
// used, so that one with an unexpected type, such as an authorizer's claims, can't make
// a request fail.
type event struct {
	Version        string            `json:"version"`
	RawPath        string            `json:"rawPath"`
	RawQueryString string            `json:"rawQueryString"`
	Cookies        []string          `json:"cookies"`
	Headers        map[string]string `json:"headers"`
	RequestContext struct {
		DomainName string `json:"domainName"`
		Stage      string `json:"stage"`
		HTTP       struct {
			Method   string `json:"method"`
			SourceIP string `json:"sourceIp"`
		} `json:"http"`
	} `json:"requestContext"`
	Body            string `json:"body"`
	IsBase64Encoded bool   `json:"isBase64Encoded"`
}

// adapter turns an http.Handler into a Lambda function. It buffers responses: they are
// small, and API Gateway can't stream.
type adapter struct {
	handler http.Handler
}

// invoke handles one event. It returns an error if that isn't an HTTP request in payload
// format 2.0.
func (a adapter) invoke(ctx context.Context, payload json.RawMessage) (events.LambdaFunctionURLResponse, error) {
	var e event
	if err := json.Unmarshal(payload, &e); err != nil {
		return events.LambdaFunctionURLResponse{}, fmt.Errorf("decoding event: %w", err)
	}
	if e.Version != "2.0" || e.RequestContext.HTTP.Method == "" {
		return events.LambdaFunctionURLResponse{}, fmt.Errorf(
			"decoding event: not an HTTP request in payload format 2.0 of a Function URL or an API Gateway HTTP API (its version is %.10q)", e.Version)
	}
	r, err := e.request(ctx)
	if err != nil {
		return events.LambdaFunctionURLResponse{}, err
	}
	var w response
	a.handler.ServeHTTP(&w, r)
	if r.Method == http.MethodHead {
		w.body.Reset() // a server drops the body of HEAD responses
	}
	return w.result(), nil
}

func (e *event) request(ctx context.Context) (*http.Request, error) {
	body := []byte(e.Body)
	if e.IsBase64Encoded {
		var err error
		if body, err = base64.StdEncoding.DecodeString(e.Body); err != nil {
			return nil, fmt.Errorf("decoding event body: %w", err)
		}
	}
	header := make(http.Header, len(e.Headers)+1)
	for name, value := range e.Headers {
		header.Add(name, value)
	}
	if len(e.Cookies) > 0 {
		header.Set("Cookie", strings.Join(e.Cookies, "; "))
	}
	u := &url.URL{Scheme: "https", Host: e.RequestContext.DomainName, RawQuery: e.RawQueryString}
	u.Path, u.RawPath = e.path()
	r := &http.Request{
		Method:        e.RequestContext.HTTP.Method,
		URL:           u,
		Proto:         "HTTP/1.1",
		ProtoMajor:    1,
		ProtoMinor:    1,
		Header:        header,
		Body:          io.NopCloser(bytes.NewReader(body)),
		ContentLength: int64(len(body)),
		Host:          e.RequestContext.DomainName,
		RemoteAddr:    e.RequestContext.HTTP.SourceIP,
		RequestURI:    u.RequestURI(),
	}
	return r.WithContext(ctx), nil
}

// path returns the request's path, decoded and as received. It removes the stage that
// API Gateway puts in front, unless that is "$default".
func (e *event) path() (decoded, raw string) {
	raw = e.RawPath
	if stage := e.RequestContext.Stage; stage != "" {
		if rest, ok := strings.CutPrefix(raw, "/"+stage); ok && (rest == "" || rest[0] == '/') {
			raw = rest
		}
	}
	if raw == "" {
		raw = "/"
	}
	decoded, err := url.PathUnescape(raw)
	if err != nil {
		return raw, "" // a percent sign was decoded before
	}
	return decoded, raw
}

// response is an http.ResponseWriter that buffers.
type response struct {
	header http.Header
	sent   http.Header // a copy of header, made when the status was written
	status int
	body   bytes.Buffer
}

func (w *response) Header() http.Header {
	if w.header == nil {
		w.header = make(http.Header)
	}
	return w.header
}

func (w *response) WriteHeader(status int) {
	if w.status != 0 || status < 200 {
		return // events have no informational responses
	}
	w.status, w.sent = status, w.header.Clone()
}

func (w *response) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return w.body.Write(p)
}

func (w *response) result() events.LambdaFunctionURLResponse {
	w.WriteHeader(http.StatusOK)
	r := events.LambdaFunctionURLResponse{
		StatusCode: w.status,
		Headers:    make(map[string]string, len(w.sent)),
		Cookies:    w.sent["Set-Cookie"],
	}
	for name, values := range w.sent {
		if name != "Set-Cookie" {
			r.Headers[strings.ToLower(name)] = strings.Join(values, ", ")
		}
	}
	if body := w.body.Bytes(); utf8.Valid(body) {
		r.Body = string(body)
	} else {
		r.Body, r.IsBase64Encoded = base64.StdEncoding.EncodeToString(body), true
	}
	return r
}
