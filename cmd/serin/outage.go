package main

import (
	"fmt"
	"io"
	"time"
)

// An outage is a row of looks that failed.
type outage struct {
	said  string // the error that was printed last
	looks int
	since time.Time
}

// note prints the error of a look unless it is the one before, and once looks succeed again how
// many failed.
func (o *outage) note(stderr io.Writer, err error, now time.Time) {
	if err == nil {
		if o.looks > 1 {
			fmt.Fprintf(stderr, "note: the guard looks again, after %d looks in %v failed\n", o.looks,
				now.Sub(o.since).Round(time.Second))
		}
		*o = outage{}
		return
	}
	if o.looks == 0 {
		o.since = now
	}
	o.looks++
	if text := err.Error(); text != o.said {
		o.said = text
		report(stderr, err)
	}
}
