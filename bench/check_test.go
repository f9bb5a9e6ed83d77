package bench

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"testing"
)

// workloads are the flags of the workloads A to E and H.
func workloads() *Estate {
	// Every other user, in no order: some system may search from the front.
	even := make([]string, 10_000)
	for i, at := range rand.New(rand.NewPCG(5, 6)).Perm(len(even)) {
		even[i] = IDs(2*at, 1)[0]
	}
	return &Estate{Flags: []Flag{
		{Key: "static", Percent: 100},
		{Key: "rollout", Percent: 30},
		{Key: "short-list", Percent: 30, IDs: IDs(100, 10)},
		{Key: "long-list", IDs: even},
		ruleFlag("rules", 0),
	}}
}

// loaded are the clients of all systems, by name, of the workloads' estate and of
// the one of workload F.
type loaded struct{ workloads, all map[string]Client }

// ready loads and checks what benchmarks time. If a system gives a wrong answer
// there are no benchmarks.
func ready(t testing.TB) loaded {
	t.Helper()
	l, err := prepare()
	if err != nil {
		t.Fatal(err)
	}
	return l
}

var prepare = sync.OnceValues(func() (l loaded, err error) {
	one, many := workloads(), &Estate{Flags: RuleFlags(1000)}
	if l.workloads, err = publishAndLoad(one); err != nil {
		return l, err
	}
	if l.all, err = publishAndLoad(many); err != nil {
		return l, err
	}
	if err := Check(one, l.workloads); err != nil {
		return l, err
	}
	return l, CheckAll(many, l.all)
})

// publishAndLoad publishes to a folder that is gone again when it returns.
func publishAndLoad(e *Estate) (map[string]Client, error) {
	dir, err := os.MkdirTemp("", "serin-bench")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	if err := Publish(dir, e); err != nil {
		return nil, err
	}
	server := Serve(dir)
	defer server.Close()
	clients := make(map[string]Client)
	for _, s := range Systems() {
		if clients[s.Name()], err = s.Load(Place{dir, server.URL}); err != nil {
			return nil, fmt.Errorf("%s: %w", s.Name(), err)
		}
	}
	return clients, nil
}

// TestAnswers checks every system's answers in every workload.
func TestAnswers(t *testing.T) { ready(t) }

// liar answers by the two functions.
type liar struct {
	boolean func(*User) bool
	text    func(*User) string
}

func (l liar) Bool(_ string, u *User) bool           { return l.boolean(u) }
func (l liar) Text(_ string, u *User) string         { return l.text(u) }
func (l liar) All([]string, *User) map[string]string { return nil }
func (l liar) Close() error                          { return nil }

// TestCheckFinds checks that wrong answers are found.
func TestCheckFinds(t *testing.T) {
	always := func(*User) bool { return true }
	never := func(*User) bool { return false }
	rules := ruleFlag("rules", 0)
	tests := []struct {
		name string
		flag Flag
		c    liar
		want string
	}{
		{"static", Flag{Percent: 100}, liar{boolean: never}, "false for user-0000000"},
		{"share", Flag{Percent: 30}, liar{boolean: never}, `"true" for 0.0% of users, not 30%`},
		{"not listed", Flag{IDs: IDs(0, 5)}, liar{boolean: always}, "true for user-0000005"},
		{"listed", Flag{IDs: IDs(5, 1)}, liar{boolean: never}, "false for user-0000005"},
		{"rules match", rules, liar{text: func(*User) string { return "off" }}, "who matches rule 0"},
		{"no rule matches", rules, liar{text: func(*User) string { return "a" }}, "who matches rule -1"},
		{"other variant", rules, liar{text: func(*User) string { return "d" }}, `"d" for`},
		{"no variant", rules, liar{text: func(*User) string { return "" }}, `"" for`},
		{"weights", rules, liar{text: func(u *User) string {
			if rules.Rule(u) < 0 {
				return "off"
			}
			return "a"
		}}, `"a" for 100.0% of users, not 50%`},
	}
	for _, test := range tests {
		err := Check(&Estate{Flags: []Flag{test.flag}}, map[string]Client{"liar": test.c})
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: error %v, want %q", test.name, err, test.want)
		}
	}
	if err := CheckAll(&Estate{Flags: RuleFlags(1)}, map[string]Client{"liar": liar{}}); err == nil {
		t.Error("no error where all answers are missing")
	}
}
