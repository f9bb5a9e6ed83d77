package bench

import (
	"fmt"
	"math/rand/v2"
	"slices"
)

var channels = []string{"appstore", "play", "web"}

// names returns n texts.
func names(kind string, n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprintf("%s-%d", kind, i)
	}
	return list
}

// places returns what lists of a length are drawn from: at least 4 times as many countries
// and 8 times as many cities, and 40 and 80.
func places(length int) (countries, cities []string) {
	return names("country", max(40, 4*length)), names("city", max(80, 8*length))
}

// ListFlags returns n flags of five rules whose conditions have lists of a length. All
// lists of countries are equal, and all of cities, or hardly any two are.
func ListFlags(n, length int, equal bool) []Flag {
	flags := make([]Flag, n)
	for i := range flags {
		seed := i
		if equal {
			seed = 0
		}
		flags[i] = listFlag(fmt.Sprintf("lists-%d", i), seed, length, equal)
	}
	return flags
}

// ChangedLists returns flags of ListFlags with n of them, from the first on, made
// different.
func ChangedLists(flags []Flag, n, length int) []Flag {
	flags = slices.Clone(flags)
	for i := range n {
		flags[i] = listFlag(flags[i].Key, len(flags)+i, length, false)
	}
	return flags
}

func listFlag(key string, seed, length int, equal bool) Flag {
	r := rand.New(rand.NewPCG(uint64(seed), 7))
	countries, cities := places(length)
	some := func(attribute string, of []string, n int) Condition {
		lists := r
		if equal && n > 1 {
			lists = rand.New(rand.NewPCG(0, 7))
		}
		texts := make([]string, n)
		for i, at := range lists.Perm(len(of))[:n] {
			texts[i] = of[at]
		}
		slices.Sort(texts)
		return Condition{Attribute: attribute, Texts: texts}
	}
	country := func() Condition { return some("country", countries, length) }
	city := func() Condition { return some("city", cities, length) }
	channel := func() Condition { return some("channel", channels, 1) }
	recent := func() Condition { return Condition{Attribute: "version", AtLeast: 5000 + r.IntN(4000)} }
	return Flag{Key: key, Rules: []Rule{
		{country(), city()},
		{country(), channel()},
		{city(), recent()},
		{country(), recent()},
		{city(), channel()},
	}}
}

// ListUsers returns n users for flags with lists of a length. Their ids have 17 bytes.
func ListUsers(n, length int) []User {
	r := rand.New(rand.NewPCG(9, uint64(length)))
	countries, cities := places(length)
	users := make([]User, n)
	for i := range users {
		build := r.IntN(10_000)
		users[i] = User{
			ID:      fmt.Sprintf("u-%015d", r.IntN(1e15)),
			Country: countries[r.IntN(len(countries))],
			City:    cities[r.IntN(len(cities))],
			Channel: channels[r.IntN(len(channels))],
			Version: version(build),
			Build:   build,
		}
	}
	return users
}
