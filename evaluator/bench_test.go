package evaluator

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
)

// thirty is a split of which "on" has 30 %.
func thirty(salt string) *Split {
	const end = Positions * 3 / 10
	return &Split{Bucketing: Bucketing{By: "user", Salt: salt, Hash: HashMurmur3},
		Ranges: []Range{{0, end, 0}, {end, Positions, 1}}}
}

// ids returns n ids that look like account ids.
func ids(n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = "user-" + strconv.Itoa(1_000_000+i*7919)
	}
	return list
}

// crowded returns a ruleset of n flags with five rules of two conditions each,
// and three variants.
func crowded(n int) Ruleset {
	set := Ruleset{Unit: "user", Attributes: declared}
	for i := range n {
		f := Flag{Key: fmt.Sprintf("flag-%05d", i), Type: KindString, Variants: []Variant{
			{"a", StringValue("a")}, {"b", StringValue("b")}, {"c", StringValue("c")},
		}}
		for j := range 5 {
			when := every(is("city", fmt.Sprint("city-", (i+j)%50), fmt.Sprint("city-", j)),
				numbers(OpBetween, "uid", int64(j)*100, int64(j)*100+500))
			f.Rules = append(f.Rules, Rule{Name: fmt.Sprint("rule ", j), When: &when, Split: &Split{
				Bucketing: Bucketing{By: "user", Salt: f.Key, Hash: HashMurmur3},
				Ranges: []Range{{0, Positions / 5, 0}, {Positions / 5, Positions / 2, 1},
					{Positions / 2, Positions, 2}},
			}})
		}
		set.Flags = append(set.Flags, f)
	}
	return set
}

func BenchmarkEvaluate(b *testing.B) {
	users := ids(1024)
	static, rollout, whitelist := gate(nil), gate(nil), gate(nil)
	static.Flags[0].Rules = nil
	rollout.Flags[0].Rules[0].Split = thirty("gate")
	ten := is("user", users[:10]...)
	whitelist.Flags[0].Rules = []Rule{{Name: "list", When: &ten}, {Name: "rest", Split: thirty("gate")}}
	many := gate(ptr(is("user", ids(10_000)...)))
	attrs := []Attr{NewAttr("city", "city-4"), NewAttr("phone", "13800000000"), NewAttr("version", "2.4.0"),
		NewAttr("uid", 450), NewAttr("beta", true)}
	for _, bench := range []struct {
		name  string
		set   Ruleset
		attrs []Attr
	}{
		{"static", static, nil},
		{"rollout", rollout, nil},
		{"list of 10, then rollout", whitelist, nil},
		{"list of 10,000", many, nil},
		{"5 rules of 2", crowded(1), attrs},
		{"every operator", busy(), busyContext.Attrs},
	} {
		b.Run(bench.name, func(b *testing.B) {
			p := compile(b, bench.set)
			f := p.Flag(p.Keys()[0])
			ctx := Context{Attrs: bench.attrs}
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				ctx.Key = users[i%len(users)]
				f.Evaluate(&ctx)
			}
		})
	}
	b.Run("rollout with context", func(b *testing.B) {
		f := compile(b, rollout).Flag("gate")
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			f.Evaluate(&Context{Key: users[i%len(users)], Attrs: []Attr{
				NewAttr("city", "city-4"), NewAttr("phone", "13800000000"), NewAttr("version", "2.4.0"),
				NewAttr("uid", 450), NewAttr("beta", true)}})
		}
	})
}

// BenchmarkAll evaluates 1,000 flags for one context.
func BenchmarkAll(b *testing.B) {
	p := compile(b, crowded(1000))
	users := ids(1024)
	ctx := Context{Attrs: []Attr{NewAttr("city", "city-4"), NewAttr("phone", "13800000000"),
		NewAttr("version", "2.4.0"), NewAttr("uid", 450), NewAttr("beta", true)}}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		ctx.Key = users[i%len(users)]
		for range p.All(&ctx) {
		}
	}
}

func BenchmarkCompile(b *testing.B) {
	b.Run("10,000 flags", func(b *testing.B) {
		set := crowded(10_000)
		b.ReportAllocs()
		for b.Loop() {
			compile(b, set)
		}
	})
	b.Run("1,000,000 ids", func(b *testing.B) {
		set := gate(ptr(texts(OpInSegment, "user", "s")), Segment{Name: "s", Include: ids(1_000_000)})
		b.ReportAllocs()
		for b.Loop() {
			compile(b, set)
		}
	})
}

// BenchmarkSegment asks for membership among a million ids: of 65,536 members,
// and as many others, in no order.
func BenchmarkSegment(b *testing.B) {
	list := ids(2_000_000)
	f := compile(b, gate(ptr(texts(OpInSegment, "user", "s")),
		Segment{Name: "s", Include: list[:1_000_000]})).Flag("gate")
	for name, half := range map[string][]string{"members": list[:1_000_000], "others": list[1_000_000:]} {
		var users [1 << 16]string
		for i, n := range rand.New(rand.NewPCG(1, 2)).Perm(len(half))[:len(users)] {
			users[i] = strings.Clone(half[n])
		}
		b.Run(name, func(b *testing.B) {
			for i := 0; b.Loop(); i++ {
				f.Evaluate(&Context{Key: users[i%len(users)]})
			}
		})
	}
}
