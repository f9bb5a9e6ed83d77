package phrase

import (
	"strings"
	"testing"
)

func FuzzDuration(f *testing.F) {
	for _, s := range []string{"", "0s", "24h", "90m", "7d", "1h30m", "36500d", "3153600001s",
		"99999999999999999999d", "1.5h", "-1h", "h"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		seconds, err := parseDuration(s)
		if err == nil && (seconds < 1 || seconds > maxDuration) || err != nil && seconds != 0 {
			t.Errorf("parseDuration(%q) = %d, %v", s, seconds, err)
		}
	})
}

func TestParseDuration(t *testing.T) {
	const none, long = "not a length of time", "more than 100 years"
	tests := []struct {
		text string
		want int64
		err  string // part of the message
	}{
		{"1s", 1, ""},
		{"90m", 5400, ""},
		{"24h", 86400, ""},
		{"7d", 604800, ""},
		{"1h30m", 5400, ""},
		{"1d2h3m4s", 93784, ""},
		{"007d", 604800, ""},
		{"36500d", maxDuration, ""},
		{"3153600000s", maxDuration, ""},
		{"36500d0s", maxDuration, ""},
		{"36500d1s", 0, long},
		{"3153600001s", 0, long},
		{"99999999999999999999d", 0, long},
		{"", 0, none},
		{"0s", 0, none},
		{"24", 0, none},
		{"h", 0, none},
		{"24h ", 0, none},
		{"2 h", 0, none},
		{"-1h", 0, none},
		{"1.5h", 0, none},
		{"1w", 0, none},
		{"1D", 0, none},
		{"1h30", 0, none},
		{"١h", 0, none},
	}
	for _, tt := range tests {
		got, err := parseDuration(tt.text)
		switch {
		case tt.err == "" && err != nil:
			t.Errorf("parseDuration(%q): %v", tt.text, err)
		case tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)):
			t.Errorf("parseDuration(%q): error %v, want one that contains %q", tt.text, err, tt.err)
		case got != tt.want:
			t.Errorf("parseDuration(%q) = %d, want %d", tt.text, got, tt.want)
		}
	}
}
