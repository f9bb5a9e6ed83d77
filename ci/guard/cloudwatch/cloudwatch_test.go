package cloudwatch

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/smithy-go/encoding/cbor"

	"github.com/serin-flags/serin/ci/guard"
)

var start = time.Unix(1_800_000_000, 0).UTC()

// query asks for 3 periods of a minute in both arms.
func query() guard.Query {
	return guard.Query{
		Text: `SUM(SEARCH('{App,Arm} MetricName="Errors" Arm="$arm"', 'Sum', $window))`, Flag: "flag",
		Environment: "production",
		Arms:        []string{guard.New, guard.Rest}, Start: start, Period: time.Minute, Periods: 3,
		Scrape: time.Minute,
	}
}

func open(t testing.TB) *Source {
	t.Helper()
	s, err := Open(t.Context(), region)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func results(list ...cbor.Value) cbor.Map { return cbor.Map{"MetricDataResults": cbor.List(list)} }

func TestRange(t *testing.T) {
	d := startDouble(t)
	d.date = time.Now().Add(30 * time.Second).Truncate(time.Second)
	d.answer = func(call string, in cbor.Map) (int, []byte) {
		if call != "GetMetricData" || in["ScanBy"] != cbor.String("TimestampAscending") {
			return refusal("ValidationError", call)
		}
		queries, _ := in["MetricDataQueries"].(cbor.List)
		if len(queries) != 2 {
			return refusal("ValidationError", "queries")
		}
		for i, arm := range []string{"new", "rest"} {
			q, _ := queries[i].(cbor.Map)
			if q["Id"] != cbor.String(arm) || q["Period"] != cbor.Uint(60) ||
				q["Expression"] != cbor.String(`SUM(SEARCH('{App,Arm} MetricName="Errors" Arm="`+arm+
					`"', 'Sum', 60))`) {
				return refusal("ValidationError", fmt.Sprint(q))
			}
		}
		// Two pages, and nothing of the second period of the new arm.
		if in["NextToken"] == nil {
			m := results(result("new", "PartialData", start, map[int]float64{0: 4}),
				result("rest", "Complete", start, map[int]float64{0: 7, 1: 8, 2: 9}))
			m["NextToken"] = cbor.String("next")
			return ok(m)
		}
		return ok(results(result("new", "Complete", start, map[int]float64{2: 6})))
	}
	s := open(t)
	answer, err := s.Range(t.Context(), query())
	if err != nil {
		t.Fatal(err)
	}
	if got, want := fmt.Sprint(answer.Values),
		fmt.Sprint(map[string][]float64{guard.New: {4, math.NaN(), 6}, guard.Rest: {7, 8, 9}}); got != want {
		t.Errorf("values %s, not %s", got, want)
	}
	if answer.Host != region || !strings.HasPrefix(answer.Sent, "SUM(SEARCH(") || !answer.Clock.Equal(d.date) {
		t.Errorf("host %s, clock %v, sent %s", answer.Host, answer.Clock, answer.Sent)
	}
	if calls := strings.Join(d.calls, " "); calls != "GetMetricData GetMetricData" {
		t.Errorf("calls: %s", calls)
	}
	q := query()
	q.Period = 30 * time.Second
	if _, err := s.Range(t.Context(), q); err == nil || !strings.Contains(err.Error(), "no periods of 30s") {
		t.Errorf("periods of half a minute: error %v", err)
	}
}

// TestFaults holds that whatever CloudWatch answers, the error has no credentials, and what it
// doesn't say isn't made up.
func TestFaults(t *testing.T) {
	d := startDouble(t)
	full := map[int]float64{0: 1, 1: 1, 2: 1}
	fixed := func(status int, body []byte) func(string, cbor.Map) (int, []byte) {
		return func(string, cbor.Map) (int, []byte) { return status, body }
	}
	okay := func(m cbor.Map) func(string, cbor.Map) (int, []byte) { return fixed(ok(m)) }
	refused := func(kind, message string) func(string, cbor.Map) (int, []byte) {
		return fixed(refusal(kind, message))
	}
	message := cbor.List{cbor.Map{"Code": cbor.String("Code"), "Value": cbor.String("too many metrics")}}
	long := results()
	long["NextToken"] = cbor.String(strings.Repeat("x", 2*maxAnswer))
	endless := results()
	endless["NextToken"] = cbor.String("again")
	for _, tt := range []struct {
		name   string
		answer func(string, cbor.Map) (int, []byte)
		want   string
	}{
		{"denied", refused("AccessDeniedException", "not allowed with "+d.token+" "+d.secret+" "+d.accessKey), "guards need cloudwatch:GetMetricData and cloudwatch:DescribeAlarms"},
		{"bad expression", refused("ValidationError", "Error in expression 'new'"), "ValidationError: Error in expression 'new'"},
		{"broken", fixed(500, nil), "asking CloudWatch in eu-central-1: "},
		{"html", fixed(200, []byte("<html>"+d.token)), "asking CloudWatch in eu-central-1: "},
		{"endless", okay(endless), "more than 5 pages"},
		{"gigantic", okay(long), "asking CloudWatch in eu-central-1: "},
		{"partial", okay(results(result("new", "PartialData", start, full), result("rest", "Complete", start, full))), "the answer is incomplete: PartialData"},
		{"internal error", okay(results(result("new", "Complete", start, full), result("rest", "InternalError", start, nil))), "the answer is incomplete: InternalError"},
		{"forbidden", okay(results(result("new", "Forbidden", start, nil))), "the answer is incomplete: Forbidden"},
		{"message", okay(cbor.Map{"Messages": message}), "CloudWatch says Code: too many metrics"},
		{"several series", okay(results(result("new", "Complete", start, full), result("new", "Complete", start, full))), "several series: aggregate them"},
		{"another arm", okay(results(result("x", "Complete", start, full))), "belongs to neither arm"},
		{"another time", okay(results(result("new", "Complete", start.Add(time.Second), full))), "at a time that wasn't asked for"},
		{"too early", okay(results(result("new", "Complete", start.Add(-time.Minute), full))), "at a time that wasn't asked for"},
		{"too late", okay(results(result("new", "Complete", start.Add(time.Minute), full))), "at a time that wasn't asked for"},
		{"no values", okay(results(cbor.Map{"Id": cbor.String("new"), "Timestamps": cbor.List{at(start)}})), "values without times"},
		{"redirect", fixed(http.StatusFound, nil), "asking CloudWatch in eu-central-1: "},
	} {
		d.answer = tt.answer
		_, err := open(t).Range(t.Context(), query())
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: error %v, want one with %q", tt.name, err, tt.want)
			continue
		}
		for _, secret := range []string{d.secret, d.token, d.accessKey} {
			if strings.Contains(err.Error(), secret) {
				t.Errorf("%s: the error has credentials: %v", tt.name, err)
			}
		}
	}
	d.answer = okay(results())
	if answer, err := open(t).Range(t.Context(), query()); err != nil || len(answer.Values) > 0 {
		t.Errorf("nothing: %v, %v", answer.Values, err)
	}
	// Requests that are signed with another key are refused.
	t.Setenv("AWS_SECRET_ACCESS_KEY", "another")
	if _, err := open(t).Range(t.Context(), query()); err == nil ||
		!strings.Contains(err.Error(), "InvalidSignatureException") {
		t.Errorf("another key: error %v", err)
	}
}

func TestSlow(t *testing.T) {
	d := startDouble(t)
	release := make(chan struct{})
	d.answer = func(string, cbor.Map) (int, []byte) { <-release; return ok(results()) }
	defer close(release)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := open(t).Range(ctx, query()); !errors.Is(err, guard.ErrSlow) {
		t.Errorf("error %v", err)
	}
}

func TestAlarm(t *testing.T) {
	d := startDouble(t)
	const arn = "arn:aws:cloudwatch:eu-central-1:111122223333:alarm:pager: all"
	since := start.Add(-time.Hour)
	alarm := func(arn, state string) cbor.Map {
		return cbor.Map{
			"AlarmArn": cbor.String(arn), "StateValue": cbor.String(state), "StateReason": cbor.String("above 5"),
			"StateTransitionedTimestamp": at(since),
		}
	}
	for _, kind := range []string{"MetricAlarms", "CompositeAlarms", "LogAlarms"} {
		for _, state := range []string{"OK", "ALARM", "INSUFFICIENT_DATA"} {
			d.answer = func(call string, in cbor.Map) (int, []byte) {
				names, _ := in["AlarmNames"].(cbor.List)
				kinds, _ := in["AlarmTypes"].(cbor.List)
				if call != "DescribeAlarms" || len(names) != 1 || names[0] != cbor.String("pager: all") ||
					len(kinds) != 3 {
					return refusal("ValidationError", fmt.Sprint(in))
				}
				return ok(cbor.Map{kind: cbor.List{alarm(arn, state),
					alarm(strings.Replace(arn, "1111", "2222", 1), "OK")}})
			}
			a, err := open(t).Alarm(t.Context(), arn)
			if err != nil || a.State != state || a.Reason != "above 5" || !a.Since.Equal(since) || a.Host != region ||
				a.Clock.IsZero() {
				t.Errorf("%s: %+v, error %v", kind, a, err)
			}
		}
	}
	for name, m := range map[string]cbor.Map{
		"none": {}, "of another account": {"MetricAlarms": cbor.List{alarm(strings.Replace(arn, "1111", "2222", 1),
			"OK")}},
		"twice": {"MetricAlarms": cbor.List{alarm(arn, "OK")}, "CompositeAlarms": cbor.List{alarm(arn, "ALARM")}},
	} {
		d.answer = func(string, cbor.Map) (int, []byte) { return ok(m) }
		if a, err := open(t).Alarm(t.Context(), arn); err == nil || a.State != "" ||
			!strings.Contains(err.Error(), "no such alarm") {
			t.Errorf("%s: %+v, error %v", name, a, err)
		}
	}
	d.answer = func(string, cbor.Map) (int, []byte) { return refusal("AccessDenied", d.token) }
	if _, err := open(t).Alarm(t.Context(), arn); err == nil || strings.Contains(err.Error(), d.token) ||
		!strings.Contains(err.Error(), "cloudwatch:DescribeAlarms") {
		t.Errorf("denied: error %v", err)
	}
}

// FuzzAnswer holds that an answer is an error or has a number or nothing for each period.
func FuzzAnswer(f *testing.F) {
	d := startDouble(f)
	for _, m := range []cbor.Map{
		{}, results(), results(result("new", "Complete", start, map[int]float64{0: 1}),
			result("rest", "Complete", start, map[int]float64{2: math.NaN()})),
		results(result("new", "PartialData", start.Add(-time.Hour), map[int]float64{0: math.Inf(1)})),
		{"NextToken": cbor.String("x")},
		results(cbor.Map{"Id": cbor.String("new"),
			"Timestamps": cbor.List{&cbor.Tag{ID: 1, Value: cbor.Float64(math.NaN())}},
			"Values":     cbor.List{cbor.Float64(1)}}),
	} {
		f.Add(cbor.Encode(m), 200)
	}
	f.Add([]byte{}, 500)
	f.Fuzz(func(t *testing.T, body []byte, status int) {
		if status < 200 || status > 599 {
			return
		}
		d.answer = func(string, cbor.Map) (int, []byte) { return status, body }
		s, err := Open(t.Context(), region)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := s.Range(t.Context(), query())
		if err != nil {
			return
		}
		for arm, values := range answer.Values {
			if len(values) != 3 || arm != guard.New && arm != guard.Rest {
				t.Errorf("arm %q has %v", arm, values)
			}
		}
	})
}
