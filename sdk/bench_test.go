package sdk

import (
	"strconv"
	"testing"

	"github.com/serin-flags/serin/evaluator"
)

var benchUsers = func() []string {
	users := make([]string, 1024)
	for i := range users {
		users[i] = "user-" + strconv.Itoa(100_000+i)
	}
	return users
}()

func benchClient() *Client {
	program, err := evaluator.Compile(evaluator.Ruleset{
		Unit:       "user",
		Attributes: []evaluator.Attribute{{Name: "user", Type: evaluator.StringAttribute}},
		Flags: []evaluator.Flag{{
			Key: "new-checkout", Type: evaluator.Boolean,
			Variants: []evaluator.Variant{{Name: "on", Value: evaluator.BoolValue(true)}, {Name: "off", Value: evaluator.BoolValue(false)}},
			Default:  1,
			Rules:    []evaluator.Rule{{Name: "r", Split: &evaluator.Split{By: "user", Salt: "new-checkout", Hash: evaluator.HashMurmur3, Ranges: []evaluator.Range{{From: 0, To: 1288490188, Variant: 0}, {From: 1288490188, To: 1 << 32, Variant: 1}}}}},
		}},
	})
	if err != nil {
		panic(err)
	}
	c := &Client{}
	s := &Snapshot{program: program, mark: new(mark)}
	for _, k := range program.Keys() {
		s.flags = append(s.flags, program.Flag(k))
	}
	c.state.Store(&state{snapshot: s})
	return c
}

func BenchmarkGetRollout(b *testing.B) {
	c := benchClient()
	f := Bool("new-checkout", false)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		f.Get(c, User(benchUsers[i&1023]))
	}
}
func BenchmarkGetRolloutAttrs(b *testing.B) {
	c := benchClient()
	f := Bool("new-checkout", false)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		f.Get(c, User(benchUsers[i&1023], Attr("city", "shenzhen"), Attr("platform", "app"), Attr("uid", 42), Attr("vip", true), Attr("app_version", "2.3.0")))
	}
}
func BenchmarkGetRolloutParallel(b *testing.B) {
	c := benchClient()
	f := Bool("new-checkout", false)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for i := 0; pb.Next(); i++ {
			f.Get(c, User(benchUsers[i&1023]))
		}
	})
}
func BenchmarkGetAbsent(b *testing.B) {
	c := benchClient()
	f := Bool("no-such-flag", false)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		f.Get(c, User(benchUsers[i&1023]))
	}
}
func BenchmarkEvaluateByName(b *testing.B) {
	c := benchClient()
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		c.Evaluate("new-checkout", User(benchUsers[i&1023]))
	}
}
func BenchmarkProgramFlag(b *testing.B) {
	f := benchClient().Snapshot().program.Flag("new-checkout")
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		f.Evaluate(User(benchUsers[i&1023]))
	}
}
