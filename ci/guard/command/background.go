package command

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/serin-flags/serin/ci/guard"
)

// A Background runs commands while the guard goes on looking, so that a command of minutes
// delays no rollback. A look starts a command, and the first look after its end gets the
// outcome; those between learn that it is running. A failure stays the outcome of its step, in
// case that it couldn't be published. It is safe for concurrent use.
type Background struct {
	ctx    context.Context
	runner guard.Runner
	fresh  time.Duration
	jobs   sync.WaitGroup
	slots  chan struct{}

	mu   sync.Mutex
	last map[string]*job // by variables that name the plan, and command
}

var _ guard.Runner = (*Background)(nil)

// A job is a command that runs or has run.
type job struct {
	env   []string
	ended bool
	at    time.Time // when it ended
	out   guard.Outcome
	err   error
}

// atOnce is how many commands run at once.
const atOnce = 8

// maxJobs bounds how many outcomes are kept that no look asks for.
const maxJobs = 10_000

// NewBackground returns a runner that runs commands with another one until ctx ends. Call
// Wait then. An outcome other than a failure counts for as long as fresh says: if looks stop for
// an hour, one from before that hour proves nothing. Let it be longer than the time between two
// looks.
func NewBackground(ctx context.Context, runner guard.Runner, fresh time.Duration) *Background {
	return &Background{ctx: ctx, runner: runner, fresh: fresh, slots: make(chan struct{}, atOnce),
		last: make(map[string]*job)}
}

// Run implements [guard.Runner]. It returns at once.
func (b *Background) Run(_ context.Context, c guard.Command) (guard.Outcome, error) {
	key := key(c)
	b.mu.Lock()
	defer b.mu.Unlock()
	j := b.last[key]
	if j != nil && !j.ended {
		return guard.Outcome{Running: true}, nil
	}
	if j != nil && slices.Equal(j.env, c.Env) {
		failed := j.err == nil && j.out.Status == 1
		if !failed {
			delete(b.last, key)
		}
		if failed || time.Since(j.at) <= b.fresh {
			return j.out, j.err
		}
	}
	delete(b.last, key)
	// There is none yet, it is too old, or it ran for an earlier step.
	if len(b.last) >= maxJobs {
		for key, j := range b.last {
			if j.ended {
				delete(b.last, key)
			}
		}
	}
	j = &job{env: c.Env}
	b.last[key] = j
	b.jobs.Go(func() {
		b.slots <- struct{}{}
		out, err := b.runner.Run(b.ctx, c)
		<-b.slots
		b.mu.Lock()
		defer b.mu.Unlock()
		j.out, j.err, j.ended, j.at = out, err, true, time.Now()
	})
	return guard.Outcome{Running: true}, nil
}

// key identifies a command of a plan, whatever step it is at.
func key(c guard.Command) string {
	parts := slices.Clone(c.Run)
	for _, variable := range c.Env {
		if strings.HasPrefix(variable, "SERIN_FLAG=") || strings.HasPrefix(variable, "SERIN_ENVIRONMENT=") {
			parts = append(parts, variable)
		}
	}
	return strings.Join(parts, "\x00")
}

// Wait waits for the commands that still run.
func (b *Background) Wait() { b.jobs.Wait() }
