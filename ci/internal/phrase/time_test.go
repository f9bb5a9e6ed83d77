package phrase

import (
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/serin-flags/serin/ci/internal/source"
	"github.com/serin-flags/serin/internal/soak"
)

// readTime reads text as a time of the estate in zone. It returns the time as
// UTC, or what is wrong with it.
func readTime(t testing.TB, text, zone string) string {
	t.Helper()
	location, err := time.LoadLocation(zone)
	if err != nil {
		t.Fatal(err)
	}
	s := &source.File{Shown: "f.yaml", Data: []byte(text)}
	r := Reader{File: s, Local: location}
	unix, ok := r.Time(&source.Node{Text: text, Plain: true, Row: 1, Col: 1}, "T")
	if ok != (len(s.Problems) == 0) {
		t.Errorf("%s: ok %v with problems %v", text, ok, s.Problems)
	}
	if !ok {
		return strings.TrimPrefix(s.Problems[0].Error(), "f.yaml:1:1: ")
	}
	return time.Unix(unix, 0).UTC().Format(time.RFC3339)
}

func TestTime(t *testing.T) {
	const example = "T is a time such as 2026-12-01T09:00, 2026-12-01T09:00:00Z or 2026-12-01, not "
	for _, test := range []struct{ zone, text, want string }{
		{"UTC", "2026-12-01T02:00:00Z", "2026-12-01T02:00:00Z"},
		{"Asia/Shanghai", "2026-12-01T02:00:00Z", "2026-12-01T02:00:00Z"},
		{"UTC", "2026-12-01T02:00:00+08:00", "2026-11-30T18:00:00Z"},
		{"UTC", "2026-12-01T02:00-05:30", "2026-12-01T07:30:00Z"},
		{"Asia/Shanghai", "2026-12-01T02:00", "2026-11-30T18:00:00Z"},
		{"Asia/Shanghai", "2026-12-01T02:00:59", "2026-11-30T18:00:59Z"},
		{"Asia/Shanghai", "2026-12-01", "2026-11-30T16:00:00Z"},
		{"UTC", "2024-02-29", "2024-02-29T00:00:00Z"},
		{"UTC", "1970-01-01", "1970-01-01T00:00:00Z"},
		{"UTC", "2100-12-31T23:59:59", "2100-12-31T23:59:59Z"},
		// Around the hour that is skipped, and the one that is shown twice.
		{"Europe/Berlin", "2026-03-29T01:59:59", "2026-03-29T00:59:59Z"},
		{"Europe/Berlin", "2026-03-29T03:00", "2026-03-29T01:00:00Z"},
		{"Europe/Berlin", "2026-10-25T01:59:59", "2026-10-24T23:59:59Z"},
		{"Europe/Berlin", "2026-10-25T03:00", "2026-10-25T02:00:00Z"},
		{"Europe/Berlin", "2026-03-29T02:00", "T is 2026-03-29T02:00, which clocks in Europe/Berlin skip; write an offset, such as 2026-03-29T03:00:00+02:00"},
		{"Europe/Berlin", "2026-03-29T02:59:59", "T is 2026-03-29T02:59:59, which clocks in Europe/Berlin skip; write an offset, such as 2026-03-29T03:59:59+02:00"},
		{"Europe/Berlin", "2026-10-25T02:00", "T is 2026-10-25T02:00, which clocks in Europe/Berlin show twice; write an offset: 2026-10-25T02:00:00+02:00 or 2026-10-25T02:00:00+01:00"},
		{"Europe/Berlin", "2026-10-25T02:59:59", "T is 2026-10-25T02:59:59, which clocks in Europe/Berlin show twice; write an offset: 2026-10-25T02:59:59+02:00 or 2026-10-25T02:59:59+01:00"},
		{"Europe/Berlin", "2026-10-25T02:30+01:00", "2026-10-25T01:30:00Z"},
		{"Europe/Berlin", "2040-12-31T12:00", "2040-12-31T11:00:00Z"}, // the 366th day
		// Midnight that is skipped, a day that is, and half an hour.
		{"America/Havana", "2026-03-08", "T is 2026-03-08, which clocks in America/Havana skip; write an offset, such as 2026-03-08T01:00:00-04:00"},
		{"Pacific/Apia", "2011-12-30T12:00", "T is 2011-12-30T12:00, which clocks in Pacific/Apia skip; write an offset, such as 2011-12-31T12:00:00+14:00"},
		{"Australia/Lord_Howe", "2026-04-05T01:45", "T is 2026-04-05T01:45, which clocks in Australia/Lord_Howe show twice; write an offset: 2026-04-05T01:45:00+11:00 or 2026-04-05T01:45:00+10:30"},
		{"Pacific/Kiritimati", "2026-01-01", "2025-12-31T10:00:00Z"},

		{"UTC", "2026-02-29", "T is 2026-02-29, which is not a valid date or time"},
		{"UTC", "2026-12-01T24:00", "T is 2026-12-01T24:00, which is not a valid date or time"},
		{"UTC", "2026-12-01T23:59:60Z", "T is 2026-12-01T23:59:60Z, which is not a valid date or time"},
		{"UTC", "1969-12-31T23:59:59Z", "T is 1969-12-31T23:59:59Z, outside of the years 1970 to 2100"},
		{"Asia/Shanghai", "1970-01-01", "T is 1970-01-01, outside of the years 1970 to 2100"},
		{"UTC", "2101-01-01", "T is 2101-01-01, outside of the years 1970 to 2100"},
		{"UTC", "2026-12-01Z", "T is 2026-12-01Z, a date with an offset; write the time of day too: 2026-12-01T00:00Z"},
		{"UTC", "2026-12-01T02:00:00+24:00", example + `"2026-12-01T02:00:00+24:00"`},
		{"UTC", "2026-12-01T02:00:00+0800", example + `"2026-12-01T02:00:00+0800"`},
		{"UTC", "2026-12-01T02:00:00.5Z", example + `"2026-12-01T02:00:00.5Z"; leave out the fraction of a second`},
		{"UTC", "2026-12-01 02:00", example + `"2026-12-01 02:00"; write 2026-12-01T02:00`},
		{"UTC", "2026-12-01t02:00:00z", example + `"2026-12-01t02:00:00z"; write 2026-12-01T02:00:00Z`},
		{"UTC", "2026-12-1", example + `"2026-12-1"`},
		{"UTC", "2026-12-01T2:00", example + `"2026-12-01T2:00"`},
		{"UTC", "tomorrow", example + `"tomorrow"`},
		{"UTC", "1764554400", example + "the number 1764554400; if it is Unix time in seconds, write 2025-12-01T02:00:00Z"},
		{"UTC", "1764554400000",
			example + "the number 1764554400000; if it is Unix time in milliseconds, write 2025-12-01T02:00:00Z"},
		{"UTC", "20251201", example + "the number 20251201"},
		{"UTC", "", example + "null"},
	} {
		if got := readTime(t, test.text, test.zone); got != test.want {
			t.Errorf("%s: %s:\n got %s\nwant %s", test.zone, test.text, got, test.want)
		}
	}
}

// TestTimeOfEveryHour holds that a local time is read as what clocks show then,
// whatever the zone, and refused only if they don't show it once.
func TestTimeOfEveryHour(t *testing.T) {
	for _, zone := range []string{"Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe"} {
		location, err := time.LoadLocation(zone)
		if err != nil {
			t.Fatal(err)
		}
		shown := make(map[string]int) // how often clocks show a time
		at := make(map[string]time.Time)
		from := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
		for i := range 366 * 48 {
			u := from.Add(time.Duration(i) * 30 * time.Minute)
			text := u.In(location).Format(minuteLayout)
			shown[text]++
			at[text] = u
		}
		wall := func(i int) string { return from.Add(time.Duration(i) * 30 * time.Minute).Format(minuteLayout) }
		nearChange := func(i int) bool { return shown[wall(i-4)] != 1 || shown[wall(i)] != 1 || shown[wall(i+4)] != 1 }
		for i := 48; i < 365*48; i++ {
			if i%soak.Times(24, 1) != 0 && !nearChange(i) {
				continue
			}
			text := wall(i)
			got := readTime(t, text, zone)
			switch shown[text] {
			case 1:
				if want := at[text].Format(time.RFC3339); got != want {
					t.Errorf("%s: %s is %s, want %s", zone, text, got, want)
				}
			case 0:
				if !strings.Contains(got, " skip;") {
					t.Errorf("%s: %s, which is skipped: %s", zone, text, got)
				}
			default:
				if !strings.Contains(got, " show twice;") {
					t.Errorf("%s: %s, which is shown %s times: %s", zone, text, strconv.Itoa(shown[text]), got)
				}
			}
		}
	}
}

// FuzzTime holds that a time that is read is what the package time takes its
// text for, in the zone where it has no offset.
func FuzzTime(f *testing.F) {
	zones := []string{"UTC", "Europe/Berlin", "Australia/Lord_Howe", "Africa/Casablanca"}
	for _, text := range []string{
		"2026-12-01", "2026-12-01T02:00", "2026-12-01T02:00:30", "2026-12-01T02:00:00Z", "2026-12-01T02:00+09:30",
		"2026-03-29T02:30", "2026-10-25T02:30",
		"1970-01-01", "2100-12-31T23:59:59", "2040-12-31", "2026-12-01T02:00:60", "2026-12-01 02:00", "0000-00-00",
		"2026-12-01T02:00:00.5Z",
	} {
		for i := range zones {
			f.Add(text, uint8(i))
		}
	}
	f.Fuzz(func(t *testing.T, text string, i uint8) {
		zone := zones[int(i)%len(zones)]
		got, err := time.Parse(time.RFC3339, readTime(t, text, zone))
		if err != nil {
			return // a problem
		}
		location, err := time.LoadLocation(zone)
		if err != nil {
			t.Fatal(err)
		}
		var shown []string // how the time may be written
		for _, layout := range []string{dateLayout, minuteLayout, secondLayout} {
			shown = append(shown, got.In(location).Format(layout))
			if offset := text[max(len(text)-6, 0):]; layout != dateLayout &&
				(strings.HasSuffix(text, "Z") || strings.ContainsAny(offset[:1], "+-")) {
				if strings.HasSuffix(text, "Z") {
					offset = "Z"
				}
				at, err := time.Parse(layout+"Z07:00", text)
				if err == nil && at.Equal(got) {
					shown = append(shown, at.Format(layout)+offset)
				}
			}
		}
		if !slices.Contains(shown, text) {
			t.Errorf("%s in %s is %v", text, zone, got)
		}
	})
}
