package guard

import (
	"time"

	"github.com/serin-flags/serin/ci/internal/plan"
)

const (
	cloudPeriod = time.Minute // of which CloudWatch has data
	// planned is how many periods a step of the planned length has at most, and most how many
	// it ever has. Prometheus answers no more than 11,000.
	planned = 8640
	most    = 10_000
	// leastLength is the length of a step that may be cleared at once.
	leastLength = time.Hour
)

// A grid divides a step into periods of equal length. They depend on the plan and on the
// time, and not on what was counted, as the statistics demand.
type grid struct {
	start  time.Time
	period time.Duration
	n      int           // complete periods
	length time.Duration // planned length of the step
}

// end returns the end of a period, counted from 0; that of -1 is the start.
func (g grid) end(period int) time.Time {
	return g.start.Add(time.Duration(period+1) * g.period)
}

// newGrid returns the periods since a step was cleared that are complete and of which all
// samples have arrived. They start at a multiple of their length, as CloudWatch wants it.
func newGrid(since, now time.Time, length, scrape time.Duration) grid {
	g := grid{period: 2 * scrape, length: max(length, leastLength)}
	for g.length/g.period > planned {
		g.period += scrape
	}
	for {
		seconds := int64(g.period / time.Second)
		g.start = time.Unix((since.Unix()+seconds-1)/seconds*seconds, 0).UTC()
		g.n = max(0, int(now.Add(-scrape).Sub(g.start)/g.period))
		if g.n <= most {
			return g
		}
		g.period *= 2
	}
}

// gridOf returns the periods of the step that a line has cleared.
func gridOf(p *Plan, l Line, step int, now time.Time) grid {
	length := time.Duration(p.Guard.Watch)
	if step < len(p.Steps) {
		length = time.Duration(p.Steps[step].After)
	}
	scrape, unit := time.Second, time.Second
	for _, s := range p.Guard.Sources {
		scrape = max(scrape, scrapeOf(s))
		if s.CloudWatch != "" {
			unit = cloudPeriod
		}
	}
	scrape = (scrape + unit - 1) / unit * unit
	return newGrid(l.Since, now, length, scrape)
}

// scrapeOf returns how far apart samples of a source are, in whole seconds.
func scrapeOf(s plan.Source) time.Duration {
	return max(time.Duration(s.Scraped()).Truncate(time.Second), time.Second)
}
