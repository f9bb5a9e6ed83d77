package experiment

import (
	"math"

	"github.com/spaolacci/murmur3"
)

// A unit is what is remembered of one.
type unit struct {
	value   float64
	first   int64 // time of the first exposure, in nanoseconds since 1970; 0: unknown
	variant int32
}

const (
	noVariant = -1 // a new unit
	crossed   = -2 // a unit with exposures to two variants
)

// A sample remembers units by their hashes, at most a number of them.
type sample struct {
	units map[uint64]*unit
	most  int
	limit uint64 // the largest hash that is in the sample
}

func newSample(most int) *sample {
	return &sample{units: make(map[uint64]*unit), most: most, limit: math.MaxUint64}
}

// hash returns the hash of a unit. It has nothing to do with the hash by which flags select
// variants, so the sample doesn't prefer any. 64 bits are enough: two of a million units
// have the same hash in one of 37 million analyses.
func hash(id string) uint64 { return murmur3.Sum64([]byte("experiment\x00" + id)) }

// add returns a unit, which is new if it isn't there. It returns nil if the unit isn't in the
// sample.
func (s *sample) add(id string) *unit {
	h := hash(id)
	if h > s.limit {
		return nil
	}
	if u := s.units[h]; u != nil {
		return u
	}
	u := &unit{variant: noVariant}
	s.units[h] = u
	for len(s.units) > s.most {
		s.limit /= 2
		for k := range s.units {
			if k > s.limit {
				delete(s.units, k)
			}
		}
	}
	if h > s.limit {
		return nil
	}
	return u
}

// find returns a unit, nil if it isn't there.
func (s *sample) find(id string) *unit { return s.units[hash(id)] }

// share returns the share of all units that is in the sample.
func (s *sample) share() float64 { return (float64(s.limit) + 1) / (1 << 64) }
