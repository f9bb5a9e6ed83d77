package main

import (
	"encoding/json"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/serin-flags/serin/lambda"
	"github.com/serin-flags/serin/sdk"
)

// metricsEvery is how often an environment writes metrics at most.
const metricsEvery = time.Minute

// metrics counts requests and writes what it has counted as a line in CloudWatch's embedded
// metric format. It knows of a request only the endpoint and the status.
type metrics struct {
	out      io.Writer
	client   *sdk.Client
	load     func() lambda.Load // of the handler
	function string
	baked    time.Time // as refresher.baked

	mu       sync.Mutex
	counts   counts
	written  time.Time // when a line was last written; zero: never
	errors   int64     // of the client, when a line was last written
	unrouted int64     // of the handler, when a line was last written
}

// counts are those since the last line.
type counts struct {
	evaluations int64 // requests for the value of flags or for a variant
	rejected    int64 // of those, refused as the caller's mistake
	failures    int64 // of those, without an answer by our fault
}

// observe is the Observe of the handler's [lambda.Config].
func (m *metrics) observe(endpoint string, status int, _ time.Duration) {
	switch endpoint {
	case "flag", "flags", "route":
	default:
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.counts.evaluations++
	switch {
	case status >= http.StatusInternalServerError:
		m.counts.failures++
	case status >= http.StatusBadRequest:
		m.counts.rejected++
	}
}

// write writes a line if it is time to, or if there is anything to write and the function
// ends.
func (m *metrics) write(now time.Time, end bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if since := now.Sub(m.written); !m.written.IsZero() && 0 <= since && since < metricsEvery &&
		(!end || m.counts == counts{}) {
		return
	}
	data, err := json.Marshal(m.line(now))
	if err != nil {
		return // not reached: there are only numbers and texts
	}
	_, _ = m.out.Write(append(data, '\n'))
	m.counts, m.written = counts{}, now
}

// line returns the line to write.
func (m *metrics) line(now time.Time) map[string]any {
	st := m.client.Status()
	var all int64
	for _, n := range st.Errors {
		all += n
	}
	unrouted := m.load().Unrouted // gateways get the status 200 even then
	var cold int64
	if m.written.IsZero() {
		cold = 1
	}
	type metric struct{ Name, Unit string }
	var list []metric
	line := map[string]any{"FunctionName": m.function, "Environment": st.Environment, "Revision": st.Revision,
		"State": st.State.String()}
	add := func(name, unit string, value int64) {
		list = append(list, metric{name, unit})
		line[name] = value
	}
	add("Evaluations", "Count", m.counts.evaluations)
	add("Rejected", "Count", m.counts.rejected)
	add("Failures", "Count", m.counts.failures+unrouted-m.unrouted)
	add("RefreshFailures", "Count", all-m.errors)
	add("ColdStarts", "Count", cold)
	if st.Revision > 0 {
		add("SecondsToExpiry", "Seconds", int64(st.Expires.Sub(now)/time.Second))
		age := st.Age
		if age < 0 && !m.baked.IsZero() {
			age = now.Sub(m.baked)
		}
		if age >= 0 {
			add("FlagsAge", "Seconds", int64(age/time.Second))
		}
	}
	m.errors, m.unrouted = all, unrouted
	line["_aws"] = map[string]any{
		"Timestamp": now.UnixMilli(),
		"CloudWatchMetrics": []any{map[string]any{
			"Namespace": "Serin", "Dimensions": [][]string{{"FunctionName", "Environment"}}, "Metrics": list,
		}},
	}
	return line
}
