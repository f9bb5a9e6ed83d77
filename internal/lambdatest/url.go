//go:build unix

package lambdatest

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/aws/aws-lambda-go/events"
)

// ServeHTTP handles r like a Function URL: it turns the request into an event in payload
// format 2.0, and the function's result into the response. If the function fails, the
// status is 502.
func (f *Function) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	event, err := urlEvent(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	out, err := f.Invoke(r.Context(), event)
	if err == nil {
		err = writeAnswer(w, out)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
	}
}

// urlEvent turns a request into an event, as a Function URL does.
func urlEvent(r *http.Request) ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxAnswer+1))
	if err != nil {
		return nil, fmt.Errorf("reading request: %w", err)
	}
	if len(body) > maxAnswer {
		return nil, fmt.Errorf("reading request: larger than %d bytes", maxAnswer)
	}
	host := "serin.lambda-url.us-east-1.on.aws"
	sourceIP, _, _ := net.SplitHostPort(r.RemoteAddr)
	e := events.LambdaFunctionURLRequest{
		Version:        "2.0",
		RawPath:        r.URL.EscapedPath(),
		RawQueryString: r.URL.RawQuery,
		Headers:        map[string]string{"host": host},
		RequestContext: events.LambdaFunctionURLRequestContext{
			AccountID:    "anonymous",
			APIID:        "serin",
			DomainName:   host,
			DomainPrefix: "serin",
			HTTP: events.LambdaFunctionURLRequestContextHTTPDescription{
				Method:    r.Method,
				Path:      r.URL.Path,
				Protocol:  r.Proto,
				SourceIP:  sourceIP,
				UserAgent: r.UserAgent(),
			},
		},
	}
	for name, values := range r.Header {
		if name == "Cookie" {
			e.Cookies = strings.Split(strings.Join(values, "; "), "; ")
			continue
		}
		e.Headers[strings.ToLower(name)] = strings.Join(values, ",")
	}
	if isText(r.Header.Get("Content-Type")) && utf8.Valid(body) {
		e.Body = string(body)
	} else {
		e.Body, e.IsBase64Encoded = base64.StdEncoding.EncodeToString(body), true
	}
	return json.Marshal(e)
}

// isText reports whether Function URLs pass bodies of that type unencoded.
func isText(contentType string) bool {
	kind, _, _ := strings.Cut(strings.ToLower(contentType), ";")
	switch kind = strings.TrimSpace(kind); kind {
	case "application/json", "application/javascript", "application/xml":
		return true
	}
	return strings.HasPrefix(kind, "text/")
}

// writeAnswer turns a function's result into a response, as a Function URL does.
func writeAnswer(w http.ResponseWriter, out []byte) error {
	var a events.LambdaFunctionURLResponse
	if err := json.Unmarshal(out, &a); err != nil {
		return fmt.Errorf("decoding the function's answer: %w", err)
	}
	body := []byte(a.Body)
	if a.IsBase64Encoded {
		var err error
		if body, err = base64.StdEncoding.DecodeString(a.Body); err != nil {
			return fmt.Errorf("decoding the function's answer: %w", err)
		}
	}
	if a.StatusCode < 200 || a.StatusCode > 599 {
		return fmt.Errorf("the function's answer has the status code %d", a.StatusCode)
	}
	for name, value := range a.Headers {
		w.Header().Set(name, value)
	}
	for _, cookie := range a.Cookies {
		w.Header().Add("Set-Cookie", cookie)
	}
	w.WriteHeader(a.StatusCode)
	w.Write(body) // an error means that the client has gone
	return nil
}
