package page

import (
	"strings"
	"time"

	"github.com/serin-flags/serin/ci"
)

// A moment is what depends on the time. Views share it until something changes.
type moment struct {
	from, until time.Time
	index       []entry // of the flags, in their order
	lints       *lints
}

// longestMoment is how long a moment lasts at most. Ramps that grow all the time go on then.
const longestMoment = time.Minute

// at returns what depends on the time. It is made again once a flag changes by itself, and
// after longestMoment.
func (m *Model) at(now time.Time) *moment {
	m.mu.Lock()
	defer m.mu.Unlock()
	if is := m.moment; is != nil && !now.Before(is.from) && now.Before(is.until) {
		return is
	}
	next := &moment{from: now, until: now.Add(longestMoment), index: make([]entry, len(m.flags))}
	if m.moment != nil && m.moment.lints.hour.Equal(now.Truncate(time.Hour)) {
		next.lints = m.moment.lints
	} else {
		next.lints = m.lint(now)
	}
	for i, f := range m.flags {
		e := f.entry(next.lints, now)
		if change := time.Unix(e.Changes, 0); e.Changes != 0 && change.Before(next.until) {
			next.until = change
		}
		next.index[i] = e
	}
	m.moment = next
	return next
}

// lints are the warnings about the flags in an hour. Flags expire at the start of one.
type lints struct {
	hour              time.Time
	general           ci.Problems            // about no flag
	of                map[string]ci.Problems // by the keys of flags
	expired, finished map[string]bool
}

// lint looks for likely mistakes.
func (m *Model) lint(now time.Time) *lints {
	l := &lints{hour: now.Truncate(time.Hour), of: make(map[string]ci.Problems), expired: make(map[string]bool),
		finished: make(map[string]bool)}
	if m.source.Estate == nil {
		return l
	}
	for _, p := range m.source.Estate.Lint(ci.LintOptions{Now: now}) {
		key, ok := m.files[p.File]
		if !ok {
			l.general = append(l.general, p)
			continue
		}
		l.of[key] = append(l.of[key], p)
		l.expired[key] = l.expired[key] || p.Lint == "expired-flag"
		l.finished[key] = l.finished[key] || p.Lint == "finished-ramp"
	}
	return l
}

// entry returns what the search says of a flag.
func (f *flag) entry(l *lints, now time.Time) entry {
	e := entry{Key: f.Key, Owner: f.Owner, Serves: servesWords(f.variants[0].flag, now.Unix()),
		States: f.states(l, now.Unix())}
	e.Search = f.search
	for _, s := range e.States {
		e.Search += " is:" + s
	}
	for _, v := range f.variants {
		if at := nextChange(v, now); at != 0 && (e.Changes == 0 || at < e.Changes) {
			e.Changes, e.Where = at, strings.Join(v.environments, ", ")
		}
	}
	return e
}
