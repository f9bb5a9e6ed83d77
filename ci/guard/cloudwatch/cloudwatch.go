// Package cloudwatch asks Amazon CloudWatch for what guards need: metrics by GetMetricData and
// alarms by DescribeAlarms. Using it needs the permissions cloudwatch:GetMetricData and
// cloudwatch:DescribeAlarms.
//
// A query is an expression of CloudWatch's, such as
//
//	SUM(SEARCH('{App,Arm} MetricName="Errors" Arm="$arm"', 'Sum', $window))
//
// with $window in seconds: the length of the periods, which are multiples of a minute.
// CloudWatch has no data point for a minute in which nothing was reported; FILL(…, 0) says
// that this means 0.
package cloudwatch

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/logging"

	"github.com/serin-flags/serin/ci/guard"
	"github.com/serin-flags/serin/internal/bounded"
)

const (
	// maxAnswer is the most bytes of an answer. Two series of 10,000 points have 400 KB.
	maxAnswer = 4 << 20
	// maxPages is the most pages of an answer: one page has 100,000 points.
	maxPages = 5
)

// A Source is CloudWatch in a region. It implements [guard.Source] and [guard.Alarms], and is
// safe for concurrent use.
type Source struct {
	client *cloudwatch.Client
	region string
}

var (
	_ guard.Source = (*Source)(nil)
	_ guard.Alarms = (*Source)(nil)
)

// Open returns CloudWatch in a region. Credentials come from the AWS SDK's default
// configuration: the environment, the shared configuration files, the role of the machine.
// It sends nothing to CloudWatch yet.
func Open(ctx context.Context, region string) (*Source, error) {
	cfg, err := config.LoadDefaultConfig(ctx, config.WithRegion(region), config.WithLogger(logging.Nop{}))
	if err != nil {
		return nil, fmt.Errorf("configuring CloudWatch in %s: %w", region, err)
	}
	client := cloudwatch.NewFromConfig(cfg,
		func(o *cloudwatch.Options) { o.HTTPClient = bounded.Client(o.HTTPClient, maxAnswer) })
	return &Source{client, region}, nil
}

// Range implements [guard.Source]. It is one request.
func (s *Source) Range(ctx context.Context, q guard.Query) (guard.Answer, error) {
	answer := guard.Answer{Host: s.region}
	in := &cloudwatch.GetMetricDataInput{
		StartTime: aws.Time(q.Start), EndTime: aws.Time(q.End()), ScanBy: types.ScanByTimestampAscending,
	}
	seconds := int32(q.Period / time.Second)
	var sent []string
	for _, arm := range q.Arms {
		text, err := q.Expand(arm, strconv.Itoa(int(seconds)))
		if err != nil {
			return answer, err
		}
		sent = append(sent, text)
		in.MetricDataQueries = append(in.MetricDataQueries, types.MetricDataQuery{
			Id: aws.String(arm), Expression: aws.String(text), Period: aws.Int32(seconds), ReturnData: aws.Bool(true),
		})
	}
	answer.Sent = strings.Join(sent, "\n")
	if seconds <= 0 || seconds%60 != 0 || q.Start.Unix()%int64(seconds) != 0 {
		return answer, fmt.Errorf("CloudWatch has no periods of %v from %v on", q.Period, q.Start)
	}
	r := reader{query: q, values: make(map[string][]float64), states: make(map[string]types.StatusCode)}
	for range maxPages {
		out, err := s.client.GetMetricData(ctx, in)
		if err != nil {
			return answer, s.explain(ctx, err)
		}
		answer.Clock = clock(awsmiddleware.GetServerTime(out.ResultMetadata))
		if err := r.read(out); err != nil {
			return answer, err
		}
		if in.NextToken = out.NextToken; aws.ToString(in.NextToken) == "" {
			answer.Values = r.values
			return answer, r.incomplete()
		}
	}
	return answer, fmt.Errorf("the answer has more than %d pages", maxPages)
}

// clock returns a time if it is known.
func clock(t time.Time, known bool) time.Time {
	if !known {
		return time.Time{}
	}
	return t.Truncate(time.Second)
}

// A reader reads the pages of an answer.
type reader struct {
	query  guard.Query
	values map[string][]float64
	states map[string]types.StatusCode
}

func (r *reader) read(out *cloudwatch.GetMetricDataOutput) error {
	if len(out.Messages) > 0 {
		return fmt.Errorf("CloudWatch says %s: %s", aws.ToString(out.Messages[0].Code),
			aws.ToString(out.Messages[0].Value))
	}
	page := make(map[string]bool)
	for _, result := range out.MetricDataResults {
		arm := aws.ToString(result.Id)
		switch {
		case !slices.Contains(r.query.Arms, arm):
			return errors.New("the answer has a series that belongs to neither arm")
		case page[arm]:
			return errors.New("the answer has several series: aggregate them, as with SUM(SEARCH(…))")
		case len(result.Timestamps) != len(result.Values):
			return errors.New("the answer has values without times")
		}
		page[arm] = true
		r.states[arm] = result.StatusCode
		if len(result.Messages) > 0 && result.StatusCode != types.StatusCodeComplete {
			return fmt.Errorf("CloudWatch says %s: %s", aws.ToString(result.Messages[0].Code),
				aws.ToString(result.Messages[0].Value))
		}
		if err := r.place(arm, result); err != nil {
			return err
		}
	}
	return nil
}

// place puts each value into its period, which starts at its time.
func (r *reader) place(arm string, result types.MetricDataResult) error {
	list := r.values[arm]
	if list == nil {
		list = make([]float64, r.query.Periods)
		for i := range list {
			list[i] = math.NaN()
		}
		r.values[arm] = list
	}
	for i, at := range result.Timestamps {
		since := at.Sub(r.query.Start)
		k := int(since / r.query.Period)
		if since < 0 || since%r.query.Period != 0 || k >= len(list) || !math.IsNaN(list[k]) {
			return errors.New("the answer has a value at a time that wasn't asked for")
		}
		list[k] = result.Values[i]
	}
	return nil
}

// incomplete reports a series of which some data are missing because of an error.
func (r *reader) incomplete() error {
	for _, arm := range r.query.Arms {
		if state, ok := r.states[arm]; ok && state != types.StatusCodeComplete {
			return fmt.Errorf("the answer is incomplete: %s", state)
		}
	}
	return nil
}

// Alarm implements [guard.Alarms].
func (s *Source) Alarm(ctx context.Context, arn string) (guard.Alarm, error) {
	a := guard.Alarm{Host: s.region}
	parts := strings.SplitN(arn, ":", 7)
	if len(parts) != 7 {
		return a, errors.New("it isn't the ARN of an alarm")
	}
	out, err := s.client.DescribeAlarms(ctx, &cloudwatch.DescribeAlarmsInput{
		AlarmNames: []string{parts[6]}, AlarmTypes: types.AlarmType("").Values(),
	})
	if err != nil {
		return a, s.explain(ctx, err)
	}
	a.Clock = clock(awsmiddleware.GetServerTime(out.ResultMetadata))
	found := 0
	take := func(of *string, state types.StateValue, reason *string, since *time.Time) {
		if aws.ToString(of) == arn {
			a.State, a.Reason, a.Since = string(state), aws.ToString(reason), aws.ToTime(since)
			found++
		}
	}
	for _, m := range out.MetricAlarms {
		take(m.AlarmArn, m.StateValue, m.StateReason, m.StateTransitionedTimestamp)
	}
	for _, c := range out.CompositeAlarms {
		take(c.AlarmArn, c.StateValue, c.StateReason, c.StateTransitionedTimestamp)
	}
	for _, l := range out.LogAlarms {
		take(l.AlarmArn, l.StateValue, l.StateReason, l.StateTransitionedTimestamp)
	}
	if found != 1 {
		return guard.Alarm{Host: a.Host, Clock: a.Clock},
			errors.New("there is no such alarm in the account of this deployment's credentials")
	}
	return a, nil
}

// explain returns an error without credentials, and with what to do about it.
func (s *Source) explain(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("asking CloudWatch in %s: %w", s.region, guard.ErrSlow)
	}
	text := err.Error()
	var api smithy.APIError
	var response *awshttp.ResponseError
	switch {
	case errors.As(err, &api):
		text = api.ErrorCode() + ": " + api.ErrorMessage()
		if strings.Contains(api.ErrorCode(), "AccessDenied") {
			text += " (guards need cloudwatch:GetMetricData and cloudwatch:DescribeAlarms)"
		}
	case errors.As(err, &response):
		text = fmt.Sprintf("HTTP %d: %v", response.HTTPStatusCode(), response.Err)
	}
	return fmt.Errorf("asking CloudWatch in %s: %s", s.region, s.hide(ctx, text))
}

// hide returns a text without credentials, of which a server might send them back.
func (s *Source) hide(ctx context.Context, text string) string {
	provider := s.client.Options().Credentials
	if provider == nil {
		return text
	}
	c, err := provider.Retrieve(ctx)
	if err != nil {
		return text
	}
	for _, secret := range []string{c.SecretAccessKey, c.SessionToken, c.AccessKeyID} {
		if secret != "" {
			text = strings.ReplaceAll(text, secret, "(hidden)")
		}
	}
	return text
}
