package diff

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/serin-flags/serin/evaluator"
	"github.com/serin-flags/serin/internal/values"
)

// Counting evaluates both sides for each person of the population, once for all flags
// that changed: a file of millions of contexts is read once, in lots that as many
// goroutines take as there are cores. Each goroutine keeps tallies of its own, which
// are added up at the end, so counting takes no locks but for taking a lot.
//
// Flags of which nothing differs, and those proved to be the same, aren't counted.

// A job is the flags of a pair whose users have to be counted. Its programs contain only these flags and
// what they refer to, so an edit of ten flags out of ten thousand takes the time of ten.
type job struct {
	flags    []*Flag
	old, new *evaluator.Program // of these flags alone, by key
	oldSets  []evaluator.Ruleset
	newSets  []evaluator.Ruleset
	// changed has, for each flag, the variants whose value is another one.
	changed [][]string
	// oldProbe and newProbe, if not nil, tell who needn't be looked at: both serve the
	// same to these people.
	oldProbe, newProbe *evaluator.Program
}

// add adds a flag, which is still to be compiled.
func (j *job) add(f *Flag, old, new *evaluator.Flag) {
	j.flags = append(j.flags, f)
	j.changed = append(j.changed, changedValues(old, new))
}

// compile makes the job ready. The error says that a payload isn't one that clients accept.
func (j *job) compile(c *comparison, probes []probe) error {
	wanted := make(map[string]bool, len(j.flags))
	for _, f := range j.flags {
		wanted[f.Key] = true
	}
	j.oldSets, j.newSets = c.old.only(wanted), c.new.only(wanted)
	var err error
	if j.old, err = evaluator.Compile(j.oldSets...); err != nil {
		return fmt.Errorf("compiling the old flags: %w", err)
	}
	if j.new, err = evaluator.Compile(j.newSets...); err != nil {
		return fmt.Errorf("compiling the new flags: %w", err)
	}
	j.probe(probes)
	return nil
}

// changedValues returns the names of the variants that both flags have with different values. A user
// who gets the same variant before and after still gets another value.
func changedValues(old, new *evaluator.Flag) []string {
	var list []string
	for _, a := range old.Variants {
		for _, b := range new.Variants {
			if a.Name == b.Name && !values.Same(a.Value, b.Value) {
				list = append(list, a.Name)
			}
		}
	}
	return list
}

// only returns rulesets of some flags alone, with what these refer to: one, if the
// namespaces agree, for evaluation computes much once for all flags of a ruleset.
func (s side) only(wanted map[string]bool) []evaluator.Ruleset {
	bySet := make(map[*evaluator.Ruleset][]string)
	var order []*evaluator.Ruleset
	for _, key := range slices.Sorted(maps.Keys(wanted)) {
		p := s.places[key]
		if bySet[p.set] == nil {
			order = append(order, p.set)
		}
		bySet[p.set] = append(bySet[p.set], key)
	}
	var m merger
	for _, set := range order {
		m.merge(set.Only(bySet[set]...))
	}
	return m.list()
}

// A tally is how many moved from one variant to another.
type tally struct {
	from, to string
	count    int64
}

// A counter counts the people of one goroutine.
type counter struct {
	jobs    []*job
	now     int64
	people  int64
	tallies [][][]tally // by job, then flag
	before  []string    // variants, of the flags of one job
}

// newCounter returns a counter that has counted nobody.
func newCounter(jobs []*job, now int64) *counter {
	c := &counter{jobs: jobs, now: now, tallies: make([][][]tally, len(jobs))}
	for i, j := range jobs {
		c.tallies[i] = make([][]tally, len(j.flags))
	}
	return c
}

// count evaluates all flags of both sides for one context, at the present time.
func (c *counter) count(ctx *evaluator.Context) {
	c.people++
	ctx.Now = c.now
	for i, j := range c.jobs {
		if j.passes(ctx) {
			continue
		}
		c.before = c.before[:0]
		for _, result := range j.old.All(ctx) {
			c.before = append(c.before, result.Variant())
		}
		k := 0
		for _, result := range j.new.All(ctx) {
			from, to := c.before[k], result.Variant()
			if from != to || len(j.changed[k]) > 0 && slices.Contains(j.changed[k], to) {
				add(&c.tallies[i][k], from, to, 1)
			}
			k++
		}
	}
}

// add adds n to the tally of a move. There are few moves, so a list is quicker than a map.
func add(list *[]tally, from, to string, n int64) {
	for i := range *list {
		if t := &(*list)[i]; t.from == from && t.to == to {
			t.count += n
			return
		}
	}
	*list = append(*list, tally{from, to, n})
}

// measure counts the users of all jobs at once, on all cores, and puts the counted group of each flag
// first. Without jobs it doesn't read the population at all.
func measure(ctx context.Context, c *Config, jobs []*job, r *Report) error {
	if len(jobs) == 0 {
		return ctx.Err()
	}
	p := c.Population
	source := &feed{next: p.next, total: p.total, progress: c.Progress}
	counters := make([]*counter, runtime.GOMAXPROCS(0))
	var wg sync.WaitGroup
	for i := range counters {
		counters[i] = newCounter(jobs, c.Now)
		wg.Go(func() { counters[i].run(ctx, source) })
	}
	wg.Wait()
	if source.err != nil {
		return fmt.Errorf("counting people: %w", source.err)
	}
	total := counters[0]
	for _, other := range counters[1:] {
		total.add(other)
	}
	if total.people == 0 {
		return fmt.Errorf("counting people: %s holds no contexts", p.name)
	}
	r.Counted = &Counted{Name: p.name, People: total.people}
	for i, j := range jobs {
		for k, f := range j.flags {
			f.Groups = append([]Group{total.group(r.Counted, total.tallies[i][k])}, f.Groups...)
		}
	}
	return nil
}

// run counts until the population ends, the source fails, or ctx is done, which it checks after each
// batch.
func (c *counter) run(ctx context.Context, source *feed) {
	l := source.take(lot{})
	for l.people != nil {
		err := l.people(c.count)
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			source.fail(l, err)
			return
		}
		l = source.take(l)
	}
}

// add adds what another goroutine has counted.
func (c *counter) add(other *counter) {
	c.people += other.people
	for i := range c.tallies {
		for k := range c.tallies[i] {
			for _, t := range other.tallies[i][k] {
				add(&c.tallies[i][k], t.from, t.to, t.count)
			}
		}
	}
}

// group returns what was counted for one flag. It has no moves if nobody in this population gets a
// different value, which proves nothing about others.
func (c *counter) group(counted *Counted, tallies []tally) Group {
	g := Group{Who: counted.words(), Everybody: true}
	for _, t := range tallies {
		g.Moves = append(g.Moves, Move{t.from, t.to, countShare(t.count, c.people)})
	}
	sortMoves(g.Moves)
	return g
}

// words says who was counted.
func (c *Counted) words() string {
	if c.People == 1 {
		return "1 person of " + c.Name
	}
	return thousands(c.People) + " people of " + c.Name
}

// thousands prints a number with commas.
func thousands(n int64) string {
	text := fmt.Sprint(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// drawFor makes the number that decides for splits by chance, the same on both
// sides: the shares that move are those of the ranges. It is a step of splitmix64.
func drawFor(person uint64) uint32 {
	x := (person + 1) * 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return uint32((x ^ x>>31) >> 32)
}

// sortMoves puts the largest share first, and equal ones in an order that is always the same.
func sortMoves(list []Move) {
	slices.SortFunc(list, func(a, b Move) int {
		return cmp.Or(b.Share.cmp(a.Share), strings.Compare(a.From, b.From), strings.Compare(a.To, b.To))
	})
}
