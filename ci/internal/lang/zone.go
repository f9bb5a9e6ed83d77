package lang

import (
	"errors"
	"maps"
	"sync"
	"time"
	_ "time/tzdata"

	"github.com/serin-flags/serin/ci/internal/problem"
	"github.com/serin-flags/serin/ci/internal/source"
	"github.com/serin-flags/serin/evaluator"
)

// The years that payloads know the offsets of time zones for. Before them the
// first one holds, after them the last.
const (
	firstZoneYear = 2000
	lastZoneYear  = 2100
)

// zones are the time zones that an estate uses. They are safe for
// concurrent use.
type zones struct {
	mu     sync.Mutex
	byName map[string]zone
}

// clone returns a copy.
func (z *zones) clone() *zones {
	z.mu.Lock()
	defer z.mu.Unlock()
	return &zones{byName: maps.Clone(z.byName)}
}

// A zone is a time zone, and its form in payloads.
type zone struct {
	location *time.Location
	compiled evaluator.Zone
}

// load returns the zone of that name of the IANA database.
func (z *zones) load(name string) (zone, error) {
	z.mu.Lock()
	defer z.mu.Unlock()
	if known, ok := z.byName[name]; ok {
		return known, nil
	}
	location, err := time.LoadLocation(name)
	if err != nil {
		return zone{}, err
	}
	if name == "" || name == "Local" {
		return zone{}, errors.New("it means another zone on every machine")
	}
	if z.byName == nil {
		z.byName = make(map[string]zone)
	}
	z.byName[name] = zone{location, compileZone(location)}
	return z.byName[name], nil
}

// compileZone returns the offsets of a time zone.
func compileZone(location *time.Location) evaluator.Zone {
	t := time.Date(firstZoneYear, 1, 1, 0, 0, 0, 0, time.UTC).In(location)
	last := time.Date(lastZoneYear+1, 1, 1, 0, 0, 0, 0, time.UTC)
	out := evaluator.Zone{Name: location.String()}
	for t.Before(last) {
		_, seconds := t.Zone()
		if n := len(out.Offsets); n == 0 || out.Offsets[n-1].Seconds != seconds {
			out.Offsets = append(out.Offsets, evaluator.Offset{From: t.Unix(), Seconds: seconds})
		}
		_, end := t.ZoneBounds()
		if end.IsZero() {
			break
		}
		if !end.After(t) {
			// It is said to end before the last day of a leap year, on that
			// day: time has taken each year for 365 days.
			end = t.Add(24 * time.Hour)
		}
		t = end
	}
	return out
}

// zone reads the name of a time zone.
func (c Checker) zone(n *source.Node, what string) (zone, bool) {
	name, ok := c.Text(n, what)
	if !ok {
		return zone{}, false
	}
	z, err := c.Known.zones.load(name)
	if err != nil {
		c.Errorf(n, "%q is not a time zone of the IANA database, such as Asia/Shanghai or UTC", problem.Shorten(name))
		return zone{}, false
	}
	return z, true
}
