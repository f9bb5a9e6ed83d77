package sdk

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"weak"

	"github.com/serin-flags/serin/bundle"
	"github.com/serin-flags/serin/evaluator"
)

// verified returns n payloads as a release has them.
func verified(t *testing.T, n int) []bundle.VerifiedPayload {
	t.Helper()
	payloads := make([]bundle.VerifiedPayload, n)
	for i := range payloads {
		namespace := fmt.Sprint("team-", i)
		data, _, err := bundle.EncodePayload(bundle.Payload{Environment: "production", Namespace: namespace,
			Ruleset: evaluator.Ruleset{
				Unit:       "user",
				Attributes: []evaluator.Attribute{{Name: "user", Type: evaluator.AttrString}},
			}})
		if err != nil {
			t.Fatal(err)
		}
		payloads[i] = bundle.VerifiedPayload{Namespace: namespace, SHA256: namespace, Data: data}
	}
	return payloads
}

// counting calls functions as they are, and counts them.
func counting(calls *atomic.Int64) guard {
	return func(_ string, f func() error) error {
		calls.Add(1)
		return f()
	}
}

func TestModulesAreUsedAgain(t *testing.T) {
	payloads := verified(t, 20)
	var calls atomic.Int64
	modules, err := (*Snapshot)(nil).modules(payloads, counting(&calls))
	if err != nil || calls.Load() != 20 {
		t.Fatalf("%d payloads were compiled, error %v", calls.Load(), err)
	}
	s := &Snapshot{}
	for i, p := range payloads {
		s.payloads = append(s.payloads, &compiledPayload{sha256: p.SHA256, module: modules[i]})
	}
	payloads = append(payloads[1:5], payloads[10:]...)
	payloads[2].SHA256 = "another"
	calls.Store(0)
	again, err := s.modules(payloads, counting(&calls))
	if err != nil || calls.Load() != 1 {
		t.Fatalf("%d payloads were compiled again, error %v", calls.Load(), err)
	}
	modules = append(modules[1:5], modules[10:]...)
	for i, p := range payloads {
		if same := again[i] == modules[i]; same != (p.SHA256 != "another") {
			t.Errorf("%s with hash %s: the unit is the one from before: %t", p.Namespace, p.SHA256, same)
		}
	}
}

// TestModulesRefuse checks that what is signed but damaged is an error that names
// the first namespace that is.
func TestModulesRefuse(t *testing.T) {
	payloads := verified(t, 20)
	for _, i := range []int{17, 3, 4} {
		payloads[i].Data = payloads[i].Data[:len(payloads[i].Data)-9]
	}
	_, err := (*Snapshot)(nil).modules(payloads, counting(new(atomic.Int64)))
	if class, ok := bundle.ClassOf(err); !ok || class != bundle.Malformed || !strings.Contains(err.Error(), "team-3") {
		t.Errorf("got error %v", err)
	}
}

// TestModulesAreGuarded checks that what runs beside the caller is guarded, on as
// many goroutines as there are processors at first and half as many later, and that
// the caller waits for it.
func TestModulesAreGuarded(t *testing.T) {
	payloads := verified(t, 50)
	for _, test := range []struct {
		before *Snapshot
		most   int
	}{
		{nil, runtime.GOMAXPROCS(0)},
		{new(Snapshot), (runtime.GOMAXPROCS(0) + 1) / 2},
	} {
		synctest.Test(t, func(t *testing.T) {
			var running atomic.Int64
			hold := make(chan struct{})
			done := make(chan error, 1)
			go func() {
				_, err := test.before.modules(payloads, func(string, func() error) error {
					running.Add(1)
					<-hold
					return errors.New("guarded")
				})
				done <- err
			}()
			synctest.Wait()
			if n := running.Load(); n != int64(min(50, test.most)) {
				t.Errorf("%d payloads are compiled at a time, not %d", n, test.most)
			}
			close(hold)
			if err := <-done; err == nil || err.Error() != "guarded" {
				t.Errorf("got error %v, want the guard's", err)
			}
			if n := running.Load(); n != 50 {
				t.Errorf("%d payloads were compiled in all", n)
			}
		})
	}
}

// TestModulesKeepNoRuleset checks that what is compiled doesn't keep what it was
// compiled from in memory, which is several times as large.
func TestModulesKeepNoRuleset(t *testing.T) {
	payload, err := bundle.DecodePayload(verified(t, 1)[0].Data)
	if err != nil {
		t.Fatal(err)
	}
	attribute := weak.Make(&payload.Ruleset.Attributes[0])
	unit, err := evaluator.CompileModule(payload.Ruleset)
	if err != nil {
		t.Fatal(err)
	}
	payload = bundle.Payload{}
	runtime.GC()
	if attribute.Value() != nil {
		t.Error("the unit refers to the ruleset")
	}
	runtime.KeepAlive(unit)
}
