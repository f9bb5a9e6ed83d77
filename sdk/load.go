package sdk

import (
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/serin-flags/serin/bundle"
	"github.com/serin-flags/serin/evaluator"
)

// A compiledPayload is what a snapshot keeps of a payload, so that the next one
// needn't decode and compile it again if it hasn't changed.
type compiledPayload struct {
	sha256 string
	unit   *evaluator.Unit
	// prints returns the fingerprints of its flags, which are taken when they
	// are first asked for: nobody but who subscribes to changes does.
	prints func() map[string]bundle.Fingerprint
}

// newCompiledPayload returns what to keep of a payload.
func newCompiledPayload(p bundle.VerifiedPayload, unit *evaluator.Unit) compiledPayload {
	return compiledPayload{p.SHA256, unit, sync.OnceValue(func() map[string]bundle.Fingerprint {
		prints, err := bundle.Fingerprints(p.Data)
		if err != nil { // not reached: it has been compiled
			return nil
		}
		return prints
	})}
}

// A guard calls f and turns a panic into an error; see [Client.guard].
type guard func(object string, f func() error) error

// units returns the compiled payloads: those that s, which may be nil, has, and
// the others compiled anew, as many at a time as there are processors.
func (s *Snapshot) units(payloads []bundle.VerifiedPayload, guard guard) ([]*evaluator.Unit, error) {
	units := make([]*evaluator.Unit, len(payloads))
	var missing []int
	for i, p := range payloads {
		if units[i] = s.unit(p.SHA256); units[i] == nil {
			missing = append(missing, i)
		}
	}
	errs := make([]error, len(payloads))
	var next atomic.Int64 // of missing
	var wg sync.WaitGroup
	for range min(len(missing), runtime.GOMAXPROCS(0)) {
		wg.Go(func() {
			for n := next.Add(1); n <= int64(len(missing)); n = next.Add(1) {
				i := missing[n-1]
				errs[i] = guard(payloads[i].Namespace, func() (err error) {
					units[i], err = compile(payloads[i])
					return err
				})
			}
		})
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	return units, nil
}

// unit returns the unit of the payload with that hash, nil if s has none.
func (s *Snapshot) unit(sha256 string) *evaluator.Unit {
	if p := s.payload(sha256); p != nil {
		return p.unit
	}
	return nil
}

// payload returns the payload with that hash, nil if s, which may be nil, has
// none.
func (s *Snapshot) payload(sha256 string) *compiledPayload {
	if s == nil {
		return nil
	}
	for i := range s.payloads {
		if s.payloads[i].sha256 == sha256 {
			return &s.payloads[i]
		}
	}
	return nil
}

func compile(p bundle.VerifiedPayload) (*evaluator.Unit, error) {
	payload, err := bundle.CompilePayload(p.Data)
	if err != nil {
		return nil, refuse(p.Namespace, err)
	}
	return payload.Unit, nil
}
