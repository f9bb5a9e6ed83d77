// Package prometheus asks Prometheus, or what speaks its HTTP API, for what guards need.
//
// A count of both arms is one range query. Its periods follow one another without gaps: with
// period P and scrape interval S, $window is P+S. increase(x[P+S]) then sees each increase
// between two samples in exactly one period, and extrapolates it to P+S, so it is multiplied
// by P/(P+S).
package prometheus

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/api"
	v1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"

	"github.com/serin-flags/serin/ci/guard"
	"github.com/serin-flags/serin/internal/bounded"
)

const (
	// maxAnswer is the most bytes of an answer. Two series of 10,000 points have 600 KB.
	maxAnswer = 4 << 20
	// label tells the arms in an answer apart.
	label = "serin_arm"
)

// A Source is a Prometheus server. It implements [guard.Source] and is safe for concurrent
// use.
type Source struct {
	api        v1.API
	host       string
	credential credential
}

var _ guard.Source = (*Source)(nil)

// Open returns the server at a URL, such as https://prometheus.example.com. It sends nothing
// yet. The server gets credentials if there are some for it. Redirects aren't followed, so
// they lead nowhere else.
func Open(address string, credentials Credentials) (*Source, error) {
	return open(address, credentials, http.DefaultTransport)
}

func open(address string, credentials Credentials, transport http.RoundTripper) (*Source, error) {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil || u.RawQuery != "" ||
		u.Fragment != "" {
		return nil, errors.New(
			"opening Prometheus: its URL has a scheme, a host and perhaps a port and a path, and nothing else")
	}
	c := credentials.of[origin(u)]
	client, err := api.NewClient(api.Config{Address: address, Client: &http.Client{
		Transport:     &carrier{next: transport, credential: c},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}})
	if err != nil {
		return nil, fmt.Errorf("opening Prometheus at %s: %w", u.Host, err)
	}
	return &Source{v1.NewAPI(client), u.Host, c}, nil
}

// Range implements [guard.Source].
func (s *Source) Range(ctx context.Context, q guard.Query) (guard.Answer, error) {
	answer := guard.Answer{Host: s.host}
	text, err := expression(q)
	if err != nil {
		return answer, err
	}
	answer.Sent = text
	var seen response
	value, warnings, _, err := s.api.QueryRange(context.WithValue(ctx, responseKey{}, &seen), text,
		v1.Range{Start: q.Start.Add(q.Period), End: q.End(), Step: q.Period}, options(ctx, q)...)
	answer.Clock = seen.date
	if err != nil {
		return answer, s.explain(err, seen)
	}
	if len(warnings) > 0 { // such as those of answers that lack the data of some servers
		return answer, s.explain(errors.New("the answer has warnings: "+strings.Join(warnings, "; ")), seen)
	}
	answer.Values, err = read(value, q)
	return answer, err
}

// options say that values are as old as two scrapes at most, which versions before 2.43 ignore
// for the usual 5 minutes, and have the server give up when we do.
func options(ctx context.Context, q guard.Query) []v1.Option {
	list := []v1.Option{v1.WithLookbackDelta(2 * q.Scrape)}
	if deadline, ok := ctx.Deadline(); ok {
		whole := time.Until(deadline).Truncate(time.Second) // Prometheus reads no fractions
		list = append(list, v1.WithTimeout(max(whole, time.Second)))
	}
	return list
}

// expression returns the query for all arms. Of two arms, the first gets a label that tells
// which it is. The other doesn't, because that would double the time that Prometheus takes.
func expression(q guard.Query) (string, error) {
	window := q.Window
	if window == 0 {
		window = q.Period + q.Scrape
	}
	var parts []string
	for _, arm := range q.Arms {
		text, err := q.Expand(arm, fmt.Sprintf("%ds", int64(window/time.Second)))
		if err != nil {
			return "", err
		}
		if len(q.Arms) == 1 {
			return text, nil
		}
		text = "(\n" + text + "\n)" // the line breaks end comments
		if len(parts) == 0 {
			text = fmt.Sprintf("label_replace(%s, %q, %q, \"\", \"\")", text, label, arm)
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, "\nor\n"), nil
}

// read returns the numbers of an answer, by arm.
func read(value model.Value, q guard.Query) (map[string][]float64, error) {
	matrix, ok := value.(model.Matrix)
	if !ok {
		return nil, fmt.Errorf("the answer is a %T instead of a matrix", value)
	}
	scale := 1.0
	if q.Window == 0 {
		scale = q.Period.Seconds() / (q.Period + q.Scrape).Seconds()
	}
	values := make(map[string][]float64)
	for _, stream := range matrix {
		arm := q.Arms[len(q.Arms)-1]
		if has, ok := stream.Metric[label]; ok && len(q.Arms) > 1 {
			arm = string(has)
		}
		if values[arm] != nil {
			return nil, errors.New("the answer has several series: aggregate them, as with sum(…)")
		}
		if len(stream.Histograms) > 0 {
			return nil, errors.New("the answer is a histogram: use histogram_count, histogram_quantile or the like")
		}
		list, err := place(stream.Values, q, scale)
		if err != nil {
			return nil, err
		}
		values[arm] = list
	}
	for arm := range values {
		if !slices.Contains(q.Arms, arm) {
			return nil, errors.New("the answer has a series that belongs to neither arm")
		}
	}
	return values, nil
}

// place puts each sample into its period.
func place(samples []model.SamplePair, q guard.Query, scale float64) ([]float64, error) {
	list := make([]float64, q.Periods)
	for i := range list {
		list[i] = math.NaN()
	}
	last := -1
	for _, p := range samples {
		since := p.Timestamp.Time().Sub(q.Start)
		i := int(since/q.Period) - 1
		if since%q.Period != 0 || i < 0 || i >= len(list) || i <= last {
			return nil, errors.New("the answer has a sample at a time that wasn't asked for")
		}
		list[i], last = float64(p.Value)*scale, i
	}
	return list, nil
}

// explain returns an error without credentials, and with what to do about it.
func (s *Source) explain(err error, seen response) error {
	var said *v1.Error
	text := err.Error()
	if errors.As(err, &said) {
		text = said.Msg
	}
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		text = wrapped.Err.Error() // without the URL, which is known
	}
	switch {
	case errors.Is(err, bounded.ErrTooLong):
		text = fmt.Sprintf("the answer has more than %d bytes", maxAnswer)
	case seen.status >= 300 && seen.status < 400:
		text = fmt.Sprintf("HTTP %d: it redirects, which isn't followed: use the URL that it leads to", seen.status)
	case seen.status == http.StatusUnauthorized || seen.status == http.StatusForbidden:
		text = fmt.Sprintf("HTTP %d: it wants other credentials than this deployment has for it", seen.status)
	case seen.status >= 400:
		text = fmt.Sprintf("HTTP %d: %s", seen.status, text)
	}
	text = s.credential.hide(text)
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return fmt.Errorf("asking Prometheus at %s: %w", s.host, guard.ErrSlow)
	}
	return fmt.Errorf("asking Prometheus at %s: %s", s.host, text)
}

// A response is what is known of one besides its body.
type response struct {
	status int
	date   time.Time
}

// responseKey is the context key of a *response.
type responseKey struct{}

// A carrier adds credentials to requests and bounds the bodies of responses.
type carrier struct {
	next       http.RoundTripper
	credential credential
}

// RoundTrip implements [http.RoundTripper].
func (c *carrier) RoundTrip(r *http.Request) (*http.Response, error) {
	if c.credential.header != "" {
		r = r.Clone(r.Context())
		r.Header.Set("Authorization", c.credential.header)
	}
	answer, err := c.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	seen, _ := r.Context().Value(responseKey{}).(*response)
	if seen == nil {
		seen = new(response)
	}
	seen.status = answer.StatusCode
	seen.date, _ = http.ParseTime(answer.Header.Get("Date")) // without one, the clock isn't checked
	answer.Body = bounded.Body(answer.Body, maxAnswer)
	return answer, nil
}

func basic(user, password string) string {
	return base64.StdEncoding.EncodeToString([]byte(user + ":" + password))
}
