package sdk

import (
	"context"
	"testing"

	"github.com/serin-flags/serin/bundle"
)

type always bundle.Object

func (a always) Fetch(context.Context, string, string, int64) (bundle.Object, error) {
	return bundle.Object(a), nil
}

// TestKeeping: all but timestamp.json is given again, unless it is longer than it may be.
func TestKeeping(t *testing.T) {
	k := keeping{always{Data: []byte("old")}, make(map[string]bundle.Object)}
	fetch := func(name string, limit int64) string {
		object, err := k.Fetch(t.Context(), name, "", limit)
		if err != nil {
			t.Error(err)
		}
		return string(object.Data)
	}
	for _, name := range []string{"timestamp.json", "2.root.json"} {
		fetch(name, 10)
	}
	if got := k.size(); got != 3 {
		t.Errorf("%d bytes are kept", got)
	}
	k.Source = always{Data: []byte("new")}
	if now, kept, long := fetch("timestamp.json", 10), fetch("2.root.json", 3), fetch("2.root.json", 2); now != "new" || kept != "old" || long != "new" {
		t.Errorf("now %q, kept %q, too long %q", now, kept, long)
	}
}
