package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/aws/aws-lambda-go/events"

	"github.com/serin-flags/serin/lambda/access"
)

// event is an HTTP request as Lambda delivers it: in payload format 2.0, which Function
// URLs and API Gateway's HTTP APIs share; in format 1.0, that of REST APIs; or from an
// Application Load Balancer. It only has the members that are used, so that one with an
// unexpected type, such as an authorizer's claims, can't make a request fail.
type event struct {
	Version string              `json:"version"` // REST APIs and load balancers have none
	Headers map[string]string   `json:"headers"`
	Multi   map[string][]string `json:"multiValueHeaders"` // not in format 2.0, and only if a load balancer is told to

	// Format 2.0.
	RawPath        string   `json:"rawPath"`
	RawQueryString string   `json:"rawQueryString"`
	Cookies        []string `json:"cookies"`

	// Format 1.0, and load balancers.
	Method     string              `json:"httpMethod"`
	Path       string              `json:"path"`
	Query      map[string]string   `json:"queryStringParameters"`
	MultiQuery map[string][]string `json:"multiValueQueryStringParameters"`

	RequestContext struct {
		DomainName string `json:"domainName"`
		Stage      string `json:"stage"`
		HTTP       struct {
			Method   string `json:"method"`
			SourceIP string `json:"sourceIp"`
		} `json:"http"`
		Identity struct {
			SourceIP string `json:"sourceIp"`
			UserARN  string `json:"userArn"`
		} `json:"identity"`
		Authorizer json.RawMessage `json:"authorizer"` // of many types; see signer
		ELB        *struct{}       `json:"elb"`        // of a load balancer
	} `json:"requestContext"`
	Body            string `json:"body"`
	IsBase64Encoded bool   `json:"isBase64Encoded"`
}

// adapter turns an http.Handler into a Lambda function. It buffers responses: they are
// small, and API Gateway can't stream.
type adapter struct {
	handler http.Handler
}

// invoke handles one event, and returns the response in the form that belongs to it. It
// returns an error if the event isn't an HTTP request.
func (a adapter) invoke(ctx context.Context, payload json.RawMessage) (any, error) {
	var e event
	if err := json.Unmarshal(payload, &e); err != nil {
		return nil, fmt.Errorf("decoding event: %w", err)
	}
	second := e.Version == "2.0"
	if second {
		e.Method, e.Path = e.RequestContext.HTTP.Method, e.RawPath
	}
	if e.Method == "" || !second && e.Version != "" && e.Version != "1.0" {
		return nil, fmt.Errorf(
			"decoding event: not an HTTP request of a Function URL, API Gateway or a load balancer (its version is %.10q)", e.Version)
	}
	r, err := e.request(ctx)
	if err != nil {
		return nil, err
	}
	var w response
	a.handler.ServeHTTP(&w, r)
	if r.Method == http.MethodHead {
		w.body.Reset() // a server drops the body of HEAD responses
	}
	w.WriteHeader(http.StatusOK)
	switch {
	case e.RequestContext.ELB != nil:
		return w.balanced(e.Multi != nil), nil
	case second:
		return w.second(), nil
	}
	return w.first(), nil
}

func (e *event) request(ctx context.Context) (*http.Request, error) {
	body := []byte(e.Body)
	if e.IsBase64Encoded {
		var err error
		if body, err = base64.StdEncoding.DecodeString(e.Body); err != nil {
			return nil, fmt.Errorf("decoding event body: %w", err)
		}
	}
	u := &url.URL{Scheme: "https", Host: e.RequestContext.DomainName, RawQuery: e.query()}
	u.Path, u.RawPath = e.path()
	r := &http.Request{
		Method:        e.Method,
		URL:           u,
		Proto:         "HTTP/1.1",
		ProtoMajor:    1,
		ProtoMinor:    1,
		Header:        e.header(),
		Body:          io.NopCloser(bytes.NewReader(body)),
		ContentLength: int64(len(body)),
		Host:          e.RequestContext.DomainName,
		RemoteAddr:    e.RequestContext.HTTP.SourceIP + e.RequestContext.Identity.SourceIP,
		RequestURI:    u.RequestURI(),
	}
	if e.RequestContext.ELB != nil {
		r.Host = r.Header.Get("Host")
		e.peer(r)
	}
	if arn := e.signer(); arn != "" {
		ctx = access.WithIdentity(ctx, arn)
	}
	return r.WithContext(ctx), nil
}

// signer returns the ARN of who has signed the request, by what IAM says, "" if nobody has,
// or if IAM wasn't asked.
func (e *event) signer() string {
	if e.Version != "2.0" {
		return e.RequestContext.Identity.UserARN
	}
	var authorizer struct {
		IAM struct {
			UserARN string `json:"userArn"`
		} `json:"iam"`
	}
	if json.Unmarshal(e.RequestContext.Authorizer, &authorizer) != nil {
		return "" // there is none, or it's another one
	}
	return authorizer.IAM.UserARN
}

// header returns the headers of the request.
func (e *event) header() http.Header {
	header := make(http.Header, len(e.Headers)+1)
	if e.Multi != nil {
		for name, values := range e.Multi {
			for _, value := range values {
				header.Add(name, value)
			}
		}
	} else {
		for name, value := range e.Headers {
			header.Add(name, value)
		}
	}
	if len(e.Cookies) > 0 {
		header.Set("Cookie", strings.Join(e.Cookies, "; "))
	}
	if e.Version != "2.0" && e.RequestContext.ELB == nil {
		// A REST API decodes binary responses only if it is told which types are binary.
		header.Del("Accept-Encoding")
	}
	return header
}

// query returns the query. Load balancers pass it on as it was encoded; API Gateway
// decodes it in format 1.0.
func (e *event) query() string {
	if e.Version == "2.0" {
		return e.RawQueryString
	}
	values := e.MultiQuery
	if values == nil {
		values = make(map[string][]string, len(e.Query))
		for name, value := range e.Query {
			values[name] = []string{value}
		}
	}
	if e.RequestContext.ELB == nil {
		return url.Values(values).Encode()
	}
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(values)) {
		for _, value := range values[name] {
			parts = append(parts, name+"="+value)
		}
	}
	return strings.Join(parts, "&")
}

// peer takes the address of a load balancer's client from where the load balancer has put
// it: at the end of X-Forwarded-For.
func (e *event) peer(r *http.Request) {
	before := r.Header.Values("X-Forwarded-For")
	if len(before) == 0 {
		return
	}
	all := strings.Join(before, ",")
	rest, last := "", all
	if i := strings.LastIndexByte(all, ','); i >= 0 {
		rest, last = all[:i], all[i+1:]
	}
	r.RemoteAddr = strings.TrimSpace(last)
	if r.Header.Del("X-Forwarded-For"); rest != "" {
		r.Header.Set("X-Forwarded-For", rest)
	}
}

// path returns the request's path, decoded and as received. It removes the stage that an
// HTTP API puts in front, unless that is "$default". A REST API does so itself.
func (e *event) path() (decoded, raw string) {
	raw = e.Path
	if stage := e.RequestContext.Stage; stage != "" && e.Version != "" {
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

// second returns the response in payload format 2.0.
func (w *response) second() events.LambdaFunctionURLResponse {
	r := events.LambdaFunctionURLResponse{StatusCode: w.status, Headers: w.single(), Cookies: w.sent["Set-Cookie"]}
	delete(r.Headers, "set-cookie")
	r.Body, r.IsBase64Encoded = w.text()
	return r
}

// first returns the response in payload format 1.0.
func (w *response) first() events.APIGatewayProxyResponse {
	r := events.APIGatewayProxyResponse{StatusCode: w.status, MultiValueHeaders: w.multi()}
	r.Body, r.IsBase64Encoded = w.text()
	return r
}

// balanced returns the response for a load balancer, which wants headers with several
// values if it sends such, and otherwise headers with one, of which only one can set a
// cookie.
func (w *response) balanced(multi bool) events.ALBTargetGroupResponse {
	r := events.ALBTargetGroupResponse{StatusCode: w.status,
		StatusDescription: fmt.Sprintf("%d %s", w.status, http.StatusText(w.status))}
	if multi {
		r.MultiValueHeaders = w.multi()
	} else {
		r.Headers = w.single()
		if cookies := w.sent["Set-Cookie"]; len(cookies) > 0 {
			r.Headers["set-cookie"] = cookies[0]
		}
	}
	r.Body, r.IsBase64Encoded = w.text()
	return r
}

// single returns the headers with one value each.
func (w *response) single() map[string]string {
	headers := make(map[string]string, len(w.sent))
	for name, values := range w.sent {
		headers[strings.ToLower(name)] = strings.Join(values, ", ")
	}
	return headers
}

func (w *response) multi() map[string][]string {
	headers := make(map[string][]string, len(w.sent))
	for name, values := range w.sent {
		headers[strings.ToLower(name)] = values
	}
	return headers
}

// text returns the body, in base64 if it isn't text.
func (w *response) text() (body string, encoded bool) {
	if data := w.body.Bytes(); !utf8.Valid(data) {
		return base64.StdEncoding.EncodeToString(data), true
	}
	return w.body.String(), false
}
