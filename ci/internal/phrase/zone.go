package phrase

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

// Zones are the time zones that an estate uses. They are safe for
// concurrent use.
type Zones struct {
	mu     sync.Mutex
	byName map[string]Zone
}

// Clone returns a copy.
func (z *Zones) Clone() *Zones {
	z.mu.Lock()
	defer z.mu.Unlock()
	return &Zones{byName: maps.Clone(z.byName)}
}

// A Zone is a time zone, and its form in payloads.
type Zone struct {
	Location *time.Location
	Compiled evaluator.Zone
}

// load returns the zone of that name of the IANA database.
func (z *Zones) load(name string) (Zone, error) {
	z.mu.Lock()
	defer z.mu.Unlock()
	if known, ok := z.byName[name]; ok {
		return known, nil
	}
	location, err := time.LoadLocation(name)
	if err != nil {
		return Zone{}, err
	}
	if name == "" || name == "Local" {
		return Zone{}, errors.New("it means another zone on every machine")
	}
	if z.byName == nil {
		z.byName = make(map[string]Zone)
	}
	z.byName[name] = Zone{location, compileZone(location)}
	return z.byName[name], nil
}

// Named returns a zone that has been loaded.
func (z *Zones) Named(name string) evaluator.Zone {
	z.mu.Lock()
	defer z.mu.Unlock()
	return z.byName[name].Compiled
}

// All returns the zones that have been loaded, in no order.
func (z *Zones) All() []evaluator.Zone {
	z.mu.Lock()
	defer z.mu.Unlock()
	list := make([]evaluator.Zone, 0, len(z.byName))
	for _, zone := range z.byName {
		list = append(list, zone.Compiled)
	}
	return list
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

// Zone reads the name of a time zone.
func (r Reader) Zone(n *source.Node, what string) (Zone, bool) {
	name, ok := r.Text(n, what)
	if !ok {
		return Zone{}, false
	}
	z, err := r.Zones.load(name)
	if err != nil {
		r.Errorf(n, "%q is not a time zone of the IANA database, such as Asia/Shanghai or UTC", problem.Shorten(name))
		return Zone{}, false
	}
	return z, true
}

// ZoneOf returns the zone in which the local times of a mapping are meant: its "zone", or that of
// the estate.
func (r Reader) ZoneOf(n *source.Node) (Zone, bool) {
	if name := n.Get("zone"); name != nil {
		return r.Zone(name, "\"zone\"")
	}
	z, err := r.Zones.load(r.Local.String())
	if err != nil {
		r.Errorf(n, "loading the estate's time zone: %v", err)
	}
	return z, err == nil
}
