package guard

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/serin-flags/serin/ci/internal/plan"
)

// The arms of a plan.
const (
	New  = "new"  // those who get what is being released
	Rest = "rest" // those of the same rule who don't, yet
)

// A Source answers queries. It is used by several goroutines at once. Its errors hold no
// credentials.
type Source interface {
	// Range answers a query. What the source has no data for is NaN in the answer, and what
	// it can't answer is an error.
	Range(ctx context.Context, q Query) (Answer, error)
}

// Alarms is a source that has alarms too.
type Alarms interface {
	// Alarm returns the state of an alarm, by its ARN.
	Alarm(ctx context.Context, arn string) (Alarm, error)
}

// A Runner runs commands. It is used by several goroutines at once.
type Runner interface {
	// Run runs a command until it ends or its time is over, and leaves none of its processes
	// behind. An error says that the command didn't end by itself. A runner may also return
	// while the command is running, and have its outcome for a later call.
	Run(ctx context.Context, c Command) (Outcome, error)
}

// A Query asks for a number in each of some periods, for each of some arms.
type Query struct {
	Text              string // as the guard has it; see [Query.Expand]
	Flag, Environment string
	Arms              []string // New, Rest or both
	Start             time.Time
	Period            time.Duration // whole seconds
	Periods           int           // at least 1
	Scrape            time.Duration // between two samples of a series
	// Window is what $window stands for if the query asks for the value at the end of each
	// period. It is 0 if it asks for what was counted in each period: then $window is the
	// period, with what the source needs besides to count all of it.
	Window time.Duration
}

// End returns the end of the last period.
func (q Query) End() time.Time { return q.Start.Add(time.Duration(q.Periods) * q.Period) }

// Expand returns the text for an arm, with a window as the source writes it. It fails if a
// name could end the text literal that it stands in.
func (q Query) Expand(arm, window string) (string, error) {
	for _, name := range []string{arm, q.Flag, q.Environment} {
		if strings.ContainsFunc(name, func(r rune) bool {
			return r < ' ' || strings.ContainsRune("\"'`\\${}()[]|*+?^,;#", r) || r == 0x7f || r == '\ufffd'
		}) {
			return "", fmt.Errorf("the name %q can't stand in a query", name)
		}
	}
	values := map[string]string{"arm": arm, "window": window, "flag": q.Flag, "env": q.Environment}
	return plan.Expand(q.Text, func(name string) (string, bool) {
		value, ok := values[name]
		return value, ok
	}), nil
}

// An Answer is what a source says to a query.
type Answer struct {
	// Values has a number for each period, by arm: NaN if the source has none. An arm of
	// which it has no series at all may be missing.
	Values map[string][]float64
	Sent   string    // the query as it was sent, for people
	Host   string    // that answered, without credentials
	Clock  time.Time // of the source, to the second; zero if it isn't known
}

// An Alarm is the state of an alarm.
type Alarm struct {
	State  string    // "OK", "ALARM" or "INSUFFICIENT_DATA"
	Reason string    // for people
	Since  time.Time // when it got into the state
	Host   string
	Clock  time.Time
}

// A Command is a program that decides by its exit status: 0 is a pass, 1 a failure, and
// anything else an error.
type Command struct {
	Run     []string
	Timeout time.Duration
	Env     []string // NAME=VALUE, besides what the runner passes on
}

// An Outcome is how a command ended.
type Outcome struct {
	Running bool // it hasn't ended, and the rest says nothing
	Status  int
	Output  string // the end of what it printed, without secrets
}

// ErrSlow is wrapped by errors that say that a source or command didn't answer in time.
var ErrSlow = errors.New("no answer in time")
