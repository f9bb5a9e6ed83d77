package sdk

import (
	"context"
	"errors"
	"testing"

	"github.com/serin-flags/serin/bundle"
)

type always bundle.Object

func (a always) Fetch(context.Context, string, string, int64) (bundle.Object, error) {
	return bundle.Object(a), nil
}

// TestRetained checks that an attempt has what the one before has fetched, except for
// timestamp.json and objects that are too long.
func TestRetained(t *testing.T) {
	a := newAttempt(choicesOf(always{Data: []byte("old")}), nil, nil)
	fetch := func(name string, limit int64) string {
		object, err := a.Fetch(t.Context(), name, "", limit)
		if err != nil {
			t.Error(err)
		}
		return string(object.Data)
	}
	for _, name := range []string{"timestamp.json", "2.root.json"} {
		fetch(name, 10)
	}
	a = newAttempt(choicesOf(always{Data: []byte("new")}), nil, a.retained())
	if now, kept, long := fetch("timestamp.json", 10), fetch("2.root.json", 3),
		fetch("2.root.json", 2); now != "new" || kept != "old" || long != "new" {
		t.Errorf("now %q, kept %q, too long %q", now, kept, long)
	}
	a.fetched["targets/huge"] = bundle.Object{Data: make([]byte, bundle.MaxPayloads)}
	if got := a.retained(); got != nil {
		t.Errorf("%d objects are retained, which are too large", len(got))
	}
}

// A scripted source answers every request in the same way.
type scripted struct {
	err   error
	asked int
}

func (s *scripted) Fetch(context.Context, string, string, int64) (bundle.Object, error) {
	s.asked++
	return bundle.Object{Data: []byte("x"), ETag: `"t"`}, s.err
}

// TestChoices asks three sources, grouped in both ways, for two objects.
func TestChoices(t *testing.T) {
	unreachable := errors.New("unreachable")
	for _, test := range []struct {
		errs    [3]error
		asked   [3]int // for both objects
		want    error
		tag     [2]string // of the answer, by grouping
		failure error     // of the first source
	}{
		{errs: [3]error{nil, nil, nil}, asked: [3]int{2, 0, 0}, tag: [2]string{`1;1;"t"`, `1;"t"`}},
		{errs: [3]error{bundle.ErrNotModified, nil, nil}, asked: [3]int{2, 0, 0}, want: bundle.ErrNotModified},
		{errs: [3]error{bundle.ErrTooLarge, nil, nil}, asked: [3]int{2, 0, 0}, want: bundle.ErrTooLarge},
		{errs: [3]error{unreachable, nil, nil}, asked: [3]int{1, 2, 0}, tag: [2]string{`1;2;"t"`, `2;1;"t"`},
			failure: unreachable},
		{errs: [3]error{unreachable, unreachable, nil}, asked: [3]int{1, 1, 2}, tag: [2]string{`2;"t"`, `2;2;"t"`},
			failure: unreachable},
		{errs: [3]error{unreachable, unreachable, unreachable}, asked: [3]int{1, 1, 2}, want: unreachable,
			failure: unreachable},
		{errs: [3]error{unreachable, bundle.ErrNotFound, nil}, asked: [3]int{1, 2, 2}, tag: [2]string{`2;"t"`, `2;2;"t"`},
			failure: unreachable},
		{errs: [3]error{unreachable, bundle.ErrNotFound, unreachable}, asked: [3]int{1, 2, 2}, want: bundle.ErrNotFound,
			failure: unreachable},
		{errs: [3]error{bundle.ErrNotFound, nil, nil}, asked: [3]int{2, 2, 0}, tag: [2]string{`1;2;"t"`, `2;1;"t"`},
			failure: bundle.ErrNotFound},
		{errs: [3]error{bundle.ErrNotFound, unreachable, nil}, asked: [3]int{2, 1, 2}, tag: [2]string{`2;"t"`, `2;2;"t"`},
			failure: bundle.ErrNotFound},
		{errs: [3]error{bundle.ErrNotFound, unreachable, unreachable}, asked: [3]int{2, 1, 2}, want: bundle.ErrNotFound},
		{errs: [3]error{bundle.ErrNotFound, bundle.ErrTooLarge, bundle.ErrNotFound}, asked: [3]int{2, 1, 2},
			want: bundle.ErrNotFound},
		{errs: [3]error{bundle.ErrNotFound, bundle.ErrNotFound, bundle.ErrNotFound}, asked: [3]int{2, 2, 2},
			want: bundle.ErrNotFound},
	} {
		for grouping := range 2 {
			var s [3]*scripted
			for i, err := range test.errs {
				s[i] = &scripted{err: err}
			}
			source := Fallback(Fallback(s[0], s[1]), s[2])
			if grouping == 1 {
				source = Fallback(s[0], Fallback(s[1], s[2]))
			}
			a := newAttempt(choicesOf(source), nil, nil)
			var object bundle.Object
			var err error
			for _, name := range []string{"timestamp.json", "2.root.json"} {
				object, err = a.Fetch(t.Context(), name, "", 10)
			}
			if !errors.Is(err, test.want) || err == nil && object.ETag != test.tag[grouping] {
				t.Errorf("%v, grouping %d: %q, error %v, want %q, %v", test.errs, grouping, object.ETag, err,
					test.tag[grouping],
					test.want)
			}
			if !errors.Is(a.failure, test.failure) {
				t.Errorf("%v, grouping %d: the failure of the first is %v, want %v", test.errs, grouping, a.failure,
					test.failure)
			}
			if asked := [3]int{s[0].asked, s[1].asked, s[2].asked}; asked != test.asked {
				t.Errorf("%v, grouping %d: asked %v times, want %v", test.errs, grouping, asked, test.asked)
			}
		}
	}
}
