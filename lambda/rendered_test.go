package lambda

import (
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/serin-flags/serin/evaluator"
)

// TestRenderedAnswers holds that what was rendered before is what is rendered now, for every
// outcome, in every order, and by another server: also the entity tag.
func TestRenderedAnswers(t *testing.T) {
	e := newEstate(t, testRuleset())
	client, other := e.open(t), e.open(t)
	warm := New(client, Config{Events: true})
	bodies := []string{`{}`, `{"context":{"targetingKey":"u-1"}}`, `{"context":{"targetingKey":"u-2","uid":17}}`,
		`{"context":{"city":"shenzhen"}}`,
		`{"context":{"targetingKey":"u-1","city":"lhasa","device":"d-1"}}`}
	for i := range 20 {
		bodies = append(bodies, `{"context":{"targetingKey":"u-`+strconv.Itoa(i)+`","device":"d-`+strconv.Itoa(i)+`"}}`)
	}
	tags := make(map[string]string)
	for range 3 {
		for _, body := range bodies {
			for _, path := range []string{flagsPath, flagsPath + "/new-checkout", flagsPath + "/by-device",
				flagsPath + "/theme"} {
				got := ask(t, warm, post(path, body))
				want := ask(t, New(other, Config{Events: true}), post(path, body)) // has rendered nothing yet
				if got.Body.String() != want.Body.String() || got.Header().Get("ETag") != want.Header().Get("ETag") {
					t.Fatalf("%s %s: %s %s, want %s %s", path, body, got.Header().Get("ETag"), got.Body,
						want.Header().Get("ETag"), want.Body)
				}
				if tag := got.Header().Get("ETag"); tag != "" {
					if before, ok := tags[tag]; ok && before != got.Body.String() {
						t.Errorf("the tag %s is that of %s and of %s", tag, before, got.Body)
					}
					tags[tag] = got.Body.String()
				}
			}
		}
	}
	if len(tags) < 5 {
		t.Errorf("%d different answers", len(tags))
	}
}

// TestRenderedIsBounded holds that answers which are too large to be kept are still right.
func TestRenderedIsBounded(t *testing.T) {
	set := evaluator.Ruleset{Unit: "user",
		Attributes: []evaluator.Attribute{{Name: "user", Type: evaluator.AttrString}}}
	large := strings.Repeat("x", maxRendered/4)
	for i := range 6 {
		set.Flags = append(set.Flags, evaluator.Flag{Key: "flag-" + strconv.Itoa(i), Type: evaluator.KindString,
			Variants: []evaluator.Variant{{Name: "on", Value: evaluator.StringValue(large + strconv.Itoa(i))}}})
	}
	h := New(newEstate(t, set).open(t), Config{})
	answer := func(path string) string {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, post(path, `{}`))
		return w.Body.String()
	}
	for range 2 {
		all := answer(flagsPath)
		for i := range 6 {
			n := strconv.Itoa(i)
			if !strings.Contains(answer(flagsPath+"/flag-"+n), `x`+n+`"`) ||
				!strings.Contains(all, `x`+n+`","variant":"on"}`) {
				t.Errorf("flag %s has another's value", n)
			}
		}
		if len(all) < 6*len(large) {
			t.Errorf("all: %d bytes", len(all))
		}
	}
	known := h.rendered.Load()
	if kept := known.kept(); kept > maxRendered || kept == 0 || known.size != kept {
		t.Errorf("%d bytes are kept, and %d are counted", kept, known.size)
	}
	small := Answer{Key: "small", Result: evaluator.Result{}}
	body := known.one(small.Key, small.Result)
	if kept, ok := known.alone[small.Result]; !ok || string(kept) != string(body) {
		t.Error("an answer for which there is room isn't kept after those that were too large")
	}
}

// kept returns how many bytes are kept.
func (r *rendered) kept() (bytes int) {
	for _, body := range r.alone {
		bytes += len(body)
	}
	for _, p := range r.among {
		bytes += len(p.json)
	}
	return bytes
}

// TestConcurrentRendering holds, under the race detector, that responses which are written
// at the same time don't share their room.
func TestConcurrentRendering(t *testing.T) {
	h := New(newEstate(t, testRuleset()).open(t), Config{})
	want := make(map[int]string)
	for i := range 8 {
		want[i] = ask(t, h, post(flagsPath, `{"context":{"targetingKey":"u-`+strconv.Itoa(i)+`"}}`)).Body.String()
	}
	fresh := New(h.client, Config{})
	var clients sync.WaitGroup
	for i := range 8 {
		clients.Go(func() {
			for range 200 {
				w := httptest.NewRecorder()
				fresh.ServeHTTP(w, httptest.NewRequest(http.MethodPost, flagsPath,
					strings.NewReader(`{"context":{"targetingKey":"u-`+strconv.Itoa(i)+`"}}`)))
				if w.Body.String() != want[i] {
					t.Errorf("user %d got %s", i, w.Body)
				}
			}
		})
	}
	clients.Wait()
}

// TestConcurrentRenderersCountOnce holds that an answer counts once if several requests render
// it at the same time.
func TestConcurrentRenderersCountOnce(t *testing.T) {
	q := question{snapshot: newEstate(t, testRuleset()).open(t).Snapshot()}
	for round := range 100 {
		known := &rendered{snapshot: q.snapshot, alone: make(map[evaluator.Result][]byte),
			among: make(map[evaluator.Result]part)}
		var renderers sync.WaitGroup
		begin := make(chan struct{})
		for range 8 {
			renderers.Go(func() {
				<-begin
				known.all(&q, nil)
				for key, result := range q.snapshot.All(q.ctx) {
					known.one(key, result)
				}
			})
		}
		close(begin)
		renderers.Wait()
		if kept := known.kept(); known.size != kept {
			t.Fatalf("round %d: %d bytes are counted, and %d are kept", round, known.size, kept)
		}
	}
}
