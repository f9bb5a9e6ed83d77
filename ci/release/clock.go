package release

import (
	"fmt"
	"time"
)

// clockSlack is how far the clocks of two publishers may differ unnoticed.
const clockSlack = 5 * time.Minute

// checkClock returns an error if this machine's clock is behind: what it would sign would
// expire before what is published, perhaps at once. What keys signed that are no longer
// trusted says nothing about the time.
func (p *publisher) checkClock(cur *state, now time.Time) error {
	if cur.release == nil || !cur.vouched {
		return nil
	}
	published, err := newRecord(cur.release.Revision(), cur.release.Metadata().Targets)
	if err != nil {
		return err
	}
	if at := published.provenance.Time; now.Add(clockSlack).Before(at) {
		return behind(now, fmt.Sprintf("revision %d was published at %s", published.revision, spell(at)))
	}
	before, after := cur.release.Versions().Timestamp.Expires, expiry(now, TimestampLifetime)
	if after.Add(clockSlack).Before(before) {
		return behind(now, fmt.Sprintf("what is published expires at %s, and would then expire at %s",
			spell(before), spell(after)))
	}
	return nil
}

func behind(now time.Time, but string) error {
	return fmt.Errorf("this machine's clock says %s, but %s: correct the clock (if the clock of the earlier publisher "+
		"was wrong, delete %s and publish again)", spell(now), but, timestampName)
}

func spell(at time.Time) string { return at.UTC().Format(time.RFC3339) }
