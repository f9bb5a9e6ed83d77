package sdk

import (
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/serin-flags/serin/bundle"
	"github.com/serin-flags/serin/evaluator"
)

// A compiledPayload is what a snapshot keeps of a payload, so that the next snapshot
// doesn't have to compile it again if it hasn't changed.
type compiledPayload struct {
	sha256    string
	namespace string
	public    bool
	module    *evaluator.Module
	data      []byte // as published

	once   sync.Once // of prints
	prints map[string]bundle.Fingerprint
}

// A guard calls f and returns a panic as an error; see [Client.guard].
type guard func(object string, f func() error) error

// modules returns the compiled payloads. It takes from s, which may be nil, what s has,
// and compiles the rest concurrently: on all processors for the first flags, which the
// program is waiting for, and later on half of them, to leave the others to the program.
func (s *Snapshot) modules(payloads []bundle.VerifiedPayload, guard guard) ([]*evaluator.Module, error) {
	modules := make([]*evaluator.Module, len(payloads))
	var missing []int
	for i, p := range payloads {
		if modules[i] = s.module(p.SHA256); modules[i] == nil {
			missing = append(missing, i)
		}
	}
	errs := make([]error, len(payloads))
	var next atomic.Int64 // of missing
	var wg sync.WaitGroup
	workers := runtime.GOMAXPROCS(0)
	if s != nil {
		workers = (workers + 1) / 2
	}
	work := func() {
		for n := next.Add(1); n <= int64(len(missing)); n = next.Add(1) {
			i := missing[n-1]
			errs[i] = guard(payloads[i].Namespace, func() (err error) {
				modules[i], err = compile(payloads[i])
				return err
			})
		}
	}
	for range min(len(missing), workers) - 1 {
		wg.Go(work)
	}
	work() // without a goroutine, which a function's cold start would wait for
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	return modules, nil
}

// module returns the compiled payload with that hash, nil if s has none.
func (s *Snapshot) module(sha256 string) *evaluator.Module {
	if p := s.payload(sha256); p != nil {
		return p.module
	}
	return nil
}

// payload returns the payload with that hash, nil if s is nil or has none.
func (s *Snapshot) payload(sha256 string) *compiledPayload {
	if s == nil {
		return nil
	}
	for _, p := range s.payloads {
		if p.sha256 == sha256 {
			return p
		}
	}
	return nil
}

func compile(p bundle.VerifiedPayload) (*evaluator.Module, error) {
	payload, err := bundle.CompilePayload(p.Data, p.Lists...)
	if err != nil {
		return nil, refuse(p.Namespace, err)
	}
	return payload.Module, nil
}
