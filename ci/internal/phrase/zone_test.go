package phrase

import (
	"sort"
	"testing"
	"time"
)

// TestZones holds that compiled zones show the times that Go's do, every quarter
// of a day in some years and around every change.
func TestZones(t *testing.T) {
	for name, changes := range map[string]int{
		"UTC":                 0,
		"Asia/Shanghai":       0,
		"Asia/Kolkata":        0,
		"Europe/Berlin":       202, // two a year
		"America/New_York":    202,
		"Australia/Lord_Howe": 202, // by half an hour
		"Africa/Casablanca":   -1,  // around Ramadan
		"Pacific/Apia":        -1,  // skipped a day
		"Asia/Gaza":           -1,
		"Antarctica/Troll":    -1, // by two hours
	} {
		var all Zones
		z, err := all.load(name)
		if err != nil {
			t.Fatal(err)
		}
		offsets := z.Compiled.Offsets
		if z.Compiled.Name != name || changes >= 0 && len(offsets) != 1+changes {
			t.Errorf("%s: called %s, with %d offsets, want %d", name, z.Compiled.Name, len(offsets), 1+changes)
		}
		check := func(unix int64) {
			_, want := time.Unix(unix, 0).In(z.Location).Zone()
			i := sort.Search(len(offsets), func(i int) bool { return offsets[i].From > unix })
			if got := offsets[max(i-1, 0)].Seconds; got != want {
				t.Errorf("%s at %v: offset %d, want %d", name, time.Unix(unix, 0).UTC(), got, want)
			}
		}
		for _, year := range []int{2000, 2011, 2037, 2040, 2087, 2100} {
			first := time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC).Unix()
			for quarter := range int64(366 * 4) {
				if at := first + quarter*6*3600; at < time.Date(lastZoneYear+1, 1, 1, 0, 0, 0, 0, time.UTC).Unix() {
					check(at)
				}
			}
		}
		for i, o := range offsets[1:] {
			if o.From <= offsets[i].From || o.Seconds == offsets[i].Seconds {
				t.Errorf("%s: offset %v after %v", name, o, offsets[i])
			}
			check(o.From - 1)
			check(o.From)
		}
	}
}

func TestZoneNames(t *testing.T) {
	var all Zones
	for _, name := range []string{"", "Local", "Asia", "Asia/Atlantis", "../zoneinfo/UTC", "/etc/localtime"} {
		if _, err := all.load(name); err == nil {
			t.Errorf("%q is a time zone", name)
		}
	}
}

func BenchmarkCompileZone(b *testing.B) {
	location, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		compileZone(location)
	}
}
