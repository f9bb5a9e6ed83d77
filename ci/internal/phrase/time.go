package phrase

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/serin-flags/serin/ci/internal/source"
)

// The layouts of a time, by how long it is without its offset.
const (
	dateLayout   = time.DateOnly
	minuteLayout = "2006-01-02T15:04"
	secondLayout = "2006-01-02T15:04:05"
)

// timeShape matches what may be a time: a date, alone or with a time of day,
// that in turn alone or with an offset from UTC.
var timeShape = regexp.MustCompile(`^(\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d)?)?)(Z|[+-](?:[01]\d|2[0-3]):[0-5]\d)?$`)

// The years that times lie in, by UTC.
const (
	firstYear = 1970
	LastYear  = 2100
)

// Time returns the Unix time in seconds that n is: with an offset, or local in
// the estate's time zone. A date is its midnight.
func (r Reader) Time(n *source.Node, what string) (int64, bool) {
	return r.TimeIn(n, what, r.Local)
}

// TimeIn is Time with local times in zone.
func (r Reader) TimeIn(n *source.Node, what string, zone *time.Location) (int64, bool) {
	return r.TimeSince(firstYear, n, what, zone)
}

// TimeSince is TimeIn for times from a year on.
func (r Reader) TimeSince(first int, n *source.Node, what string, zone *time.Location) (int64, bool) {
	const example = "2026-12-01T09:00, 2026-12-01T09:00:00Z or 2026-12-01"
	if n.Kind != source.Scalar {
		r.Errorf(n, "%s is a time such as %s, not %s", what, example, n.Describe())
		return 0, false
	}
	parts := timeShape.FindStringSubmatch(n.Text)
	if parts == nil {
		r.Errorf(n, "%s is a time such as %s, not %s%s", what, example, n.Describe(), timeHint(n.Text))
		return 0, false
	}
	local, offset := parts[1], parts[2]
	layout := map[int]string{len(dateLayout): dateLayout, len(minuteLayout): minuteLayout,
		len(secondLayout): secondLayout}[len(local)]
	if layout == dateLayout && offset != "" {
		r.Errorf(n, "%s is %s, a date with an offset; write the time of day too: %sT00:00%s", what, n.Text,
			local, offset)
		return 0, false
	}
	t, err := time.Parse(layout, local)
	if err != nil {
		r.Errorf(n, "%s is %s, which is not a valid date or time", what, n.Text)
		return 0, false
	}
	if offset == "" {
		var ok bool
		if t, ok = r.localTime(n, what, t, zone); !ok {
			return 0, false
		}
	} else if t, err = time.Parse(layout+"Z07:00", n.Text); err != nil {
		r.Errorf(n, "%s is %s: %v", what, n.Text, err) // it matches timeShape, and so it parses
		return 0, false
	}
	if year := t.UTC().Year(); year < first || year > LastYear {
		r.Errorf(n, "%s is %s, outside of the years %d to %d", what, n.Text, first, LastYear)
		return 0, false
	}
	return t.Unix(), true
}

// timeHint says what text that isn't a time lacks, if it looks like one.
func timeHint(text string) string {
	switch t := strings.ToUpper(strings.Replace(text, " ", "T", 1)); {
	case strings.Contains(text, "."):
		if whole, rest, _ := strings.Cut(text,
			"."); timeShape.MatchString(whole + strings.TrimLeft(rest, "0123456789")) {
			return "; leave out the fraction of a second"
		}
	case timeShape.MatchString(t):
		return "; write " + t
	}
	return unixHint(text)
}

// unixHint says which time a number is that looks like Unix time.
func unixHint(text string) string {
	const since = 2000 // the year; smaller numbers are dates without dashes, and the like
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return ""
	}
	for _, unit := range []struct {
		name string
		per  int64 // second
	}{{"seconds", 1}, {"milliseconds", 1e3}} {
		if at := time.Unix(n/unit.per, 0).UTC(); at.Year() >= since && at.Year() <= LastYear {
			return fmt.Sprintf("; if it is Unix time in %s, write %s", unit.name, at.Format(time.RFC3339))
		}
	}
	return ""
}

// localTime returns when clocks in zone show wall, which has the form of a UTC
// time. Where clocks are set forward some times never come, and where they are
// set back some come twice: which is meant, an offset has to say.
func (r Reader) localTime(n *source.Node, what string, wall time.Time, zone *time.Location) (time.Time, bool) {
	const near = 26 * time.Hour // further than any clock is from UTC
	var offsets []int
	for d := -near; d <= near; d += 4 * time.Hour {
		_, seconds := wall.Add(d).In(zone).Zone()
		offsets = append(offsets, seconds)
	}
	slices.Sort(offsets)
	var found []time.Time
	for _, seconds := range slices.Compact(offsets) {
		at := wall.Add(-time.Duration(seconds) * time.Second).In(zone)
		if _, shown := at.Zone(); shown == seconds {
			found = append(found, at)
		}
	}
	switch len(found) {
	case 0:
		// What clocks that weren't set forward show as wall.
		later := wall.Add(-time.Duration(offsets[0]) * time.Second).In(zone)
		r.Errorf(n, "%s is %s, which clocks in %v skip; write an offset, such as %s", what, n.Text, zone,
			later.Format(time.RFC3339))
		return time.Time{}, false
	case 1:
		return found[0], true
	}
	r.Errorf(n, "%s is %s, which clocks in %v show twice; write an offset: %s or %s", what, n.Text, zone,
		found[1].Format(time.RFC3339), found[0].Format(time.RFC3339))
	return time.Time{}, false
}
