package evaluator_test

import (
	"sync"
	"testing"

	"github.com/serin-flags/serin/evaluator"
	"github.com/serin-flags/serin/internal/vectors"
)

// TestConcurrentUse has several goroutines evaluate the vectors by one program,
// of which parts are only made when they are needed.
func TestConcurrentUse(t *testing.T) {
	list := scenarios(t)
	var sets []evaluator.Ruleset
	for _, s := range list {
		sets = append(sets, s.Ruleset)
	}
	p, err := evaluator.Compile(sets...)
	if err != nil {
		t.Fatal(err)
	}
	type question struct {
		vectors.Case
		ctx evaluator.Context
	}
	var questions []question
	for _, s := range list {
		for _, c := range s.Cases {
			questions = append(questions, question{c, contextsOf(t, c)[0]})
		}
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for _, q := range questions {
				check(t, "concurrently", q.Case, q.ctx, p.Flag(q.Flag).Evaluate(&q.ctx))
				checkTrace(t, q.Case, q.ctx, p.Flag(q.Flag).Explain(&q.ctx))
			}
		})
	}
	wg.Wait()
}
