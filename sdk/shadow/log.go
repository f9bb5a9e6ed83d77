package shadow

import (
	"context"
	"log/slog"
	"time"
)

// A Reporter is a [Comparison] of any type.
type Reporter interface{ Report() Report }

// Log writes what has been counted to a logger, one line for each comparison, until ctx ends,
// and then once more. Lines say how many answers there were since the one before.
func Log(ctx context.Context, logger *slog.Logger, every time.Duration, comparisons ...Reporter) {
	last := make([]Report, len(comparisons))
	tick := time.NewTicker(every)
	defer tick.Stop()
	for more := true; more; {
		select {
		case <-ctx.Done():
			more = false
		case <-tick.C:
		}
		for i, c := range comparisons {
			r := c.Report()
			logger.Info("flags of both systems", "flag", r.Flag, "agreed", r.Agreed-last[i].Agreed,
				"disagreed", r.Disagreed-last[i].Disagreed, "old_errors", r.OldErrors-last[i].OldErrors,
				"panics", r.Panics-last[i].Panics, "disagreed_in_all", r.Disagreed)
			last[i] = r
		}
	}
}
