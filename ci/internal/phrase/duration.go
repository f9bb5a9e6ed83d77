package phrase

import (
	"errors"
	"strconv"
	"strings"

	"github.com/serin-flags/serin/ci/internal/problem"
	"github.com/serin-flags/serin/ci/internal/source"
)

// Duration reads a length of time such as 24h, 90m or 7d, in seconds.
func (r Reader) Duration(n *source.Node, what string) (int64, bool) {
	if n.Kind != source.Scalar {
		r.Errorf(n, "%s is a length of time such as 24h, not %s", what, n.Describe())
		return 0, false
	}
	seconds, err := parseDuration(n.Text)
	if err != nil {
		r.Errorf(n, "%s %q: %v", what, problem.Shorten(n.Text), err)
		return 0, false
	}
	return seconds, true
}

// maxDuration is the longest length of time, in seconds: 100 years.
const maxDuration = 100 * 365 * 24 * 60 * 60

var (
	errDuration     = errors.New("it is not a length of time such as 24h, 90m or 7d")
	errDurationLong = errors.New("it is more than 100 years")
)

// parseDuration parses numbers of days, hours, minutes and seconds, such as 7d
// or 1h30m. The result is in seconds, 1 to maxDuration.
func parseDuration(text string) (int64, error) {
	var total int64
	for rest := text; rest != ""; {
		after := strings.TrimLeft(rest, "0123456789")
		digits := rest[:len(rest)-len(after)]
		if digits == "" || after == "" {
			return 0, errDuration
		}
		unit := int64(1)
		switch after[0] {
		case 'd':
			unit = 24 * 60 * 60
		case 'h':
			unit = 60 * 60
		case 'm':
			unit = 60
		case 's':
		default:
			return 0, errDuration
		}
		n, err := strconv.ParseInt(digits, 10, 64)
		if err != nil || n > maxDuration/unit || total+n*unit > maxDuration {
			return 0, errDurationLong
		}
		total += n * unit
		rest = after[1:]
	}
	if total == 0 {
		return 0, errDuration
	}
	return total, nil
}
