// Package abtestinggateway reads the policies of ABTestingGateway, which divides requests
// among upstreams by user ID, address, city or URL.
//
// A policy, or a group of policies that are tried in order, becomes one flag: its variants are
// the upstreams, and it serves "stable" when no policy decides. Start at [Read].
package abtestinggateway

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/serin-flags/serin/ci/importer"
)

// stable is the upstream of requests that no policy decides about.
const stable = "stable"

// maxExact is the greatest integer up to which the gateway's numbers, which are floating point,
// are exact.
const maxExact = 1 << 53

// A policy divides requests by one property of theirs.
type policy struct {
	Type string          `json:"divtype"`
	Data json.RawMessage `json:"divdata"`
}

// An item is a part of a policy's data. Which of its members count depends on the type.
type item struct {
	Suffix   json.RawMessage   `json:"suffix"`
	UIDs     []json.RawMessage `json:"uidset"`
	City     json.RawMessage   `json:"city"`
	URL      json.RawMessage   `json:"url"`
	Upstream json.RawMessage   `json:"upstream"`
	Range    *struct {
		Start json.RawMessage `json:"start"`
		End   json.RawMessage `json:"end"`
	} `json:"range"`
}

// Read reads a policy, {"divtype": …, "divdata": …}, or a group of them by their level,
// {"1": …, "2": …}, as the gateway's administration accepts them.
func Read(data []byte, o importer.Options) (*importer.Import, error) {
	policies, places, err := open(data)
	if err != nil {
		return nil, err
	}
	key := o.Flag
	if key == "" {
		key = "route"
	}
	flag := &importer.Flag{Key: key, Namespace: "routing", Type: "string", Place: "$",
		Description: "Upstream of a request, from a policy of ABTestingGateway", Body: importer.Body{Default: stable}}
	out := &importer.Import{System: "ABTestingGateway", Unit: "user", From: map[string][]importer.Place{
		"uid":  {{Kind: "header", Name: "X-Uid"}},
		"city": {{Kind: "query", Name: "city"}},
		"ip":   {{Kind: "client_ip"}},
		"url":  {{Kind: "path"}},
	}}
	r := &reader{flag: flag, upstreams: []string{stable}}
	for i, p := range policies {
		if err := r.policy(p, places[i], len(policies) > 1); err != nil {
			return nil, err
		}
	}
	for _, name := range r.upstreams {
		flag.Variants = append(flag.Variants, importer.Variant{Name: name, Value: importer.JSONText(name)})
	}
	flag.Note("", "a change counts as soon as it is loaded; the gateway cached decisions for 60 s, and mixed up users, cities, addresses and URLs of the same text")
	out.Flags = []*importer.Flag{flag}
	return out, nil
}

// open returns the policies in the order in which the gateway tries them, and their places.
func open(data []byte) (policies []policy, places []string, err error) {
	var members map[string]json.RawMessage
	if err := importer.Decode(data, &members); err != nil {
		return nil, nil, err
	}
	if members["divtype"] != nil || members["divdata"] != nil {
		var p policy
		err := importer.Decode(data, &p)
		return []policy{p}, []string{""}, err
	}
	levels := slices.Collect(maps.Keys(members))
	number := func(level string) int {
		n, err := strconv.Atoi(level)
		if err != nil || n < 1 || strconv.Itoa(n) != level {
			return 0
		}
		return n
	}
	slices.SortFunc(levels, func(a, b string) int { return number(a) - number(b) })
	for i, level := range levels {
		if number(level) != i+1 {
			return nil, nil, importer.Refusef(level,
				"the levels of a group are 1, 2 and so on, without gaps; %q isn't %d", level, i+1)
		}
		var p policy
		if err := importer.Decode(members[level], &p); err != nil {
			return nil, nil, importer.Refusef(level, "%v", err)
		}
		policies, places = append(policies, p), append(places, level+".")
	}
	if len(policies) == 0 {
		return nil, nil, importer.Refusef("", "the group is empty")
	}
	return policies, places, nil
}

// A reader turns policies into the rules of a flag.
type reader struct {
	flag      *importer.Flag
	upstreams []string
}

// policy adds the rules of one policy.
func (r *reader) policy(p policy, at string, several bool) error {
	var items []item
	if p.Type == "" {
		return importer.Refusef(at+"divtype", "the policy has no type")
	}
	if err := importer.Decode(p.Data, &items); err != nil {
		return importer.Refusef(at+"divdata", "expected a list: %v", err)
	}
	if len(items) == 0 {
		return importer.Refusef(at+"divdata", "the policy is empty")
	}
	g := &groups{conditions: make(map[string][]importer.Condition)}
	for i, it := range items {
		place := fmt.Sprintf("%sdivdata[%d]", at, i)
		upstream, err := text(it.Upstream, place+".upstream")
		if err != nil {
			return err
		}
		if !slices.Contains(r.upstreams, upstream) {
			r.upstreams = append(r.upstreams, upstream)
		}
		if err := g.add(p.Type, it, upstream, place, at+"divtype"); err != nil {
			return err
		}
	}
	if err := g.disjoint(); err != nil {
		return err
	}
	r.explain(p.Type, at)
	for _, upstream := range g.order {
		name := p.Type + " " + upstream
		if several {
			name = strings.TrimSuffix(at, ".") + " " + name
		}
		r.flag.Rules = append(r.flag.Rules, importer.Rule{Name: name, When: g.condition(upstream), Serve: upstream})
	}
	return nil
}

// explain notes which requests are treated differently.
func (r *reader) explain(typ, at string) {
	place := at + "divtype"
	switch typ {
	case "iprange":
		r.flag.Approximate(place,
			"the address is that of the client as gateways vouch for it; X-Real-IP that a client sends, octal addresses such as 010.0.0.1 and bare numbers no longer count")
	case "uidrange", "uidsuffix", "uidappoint":
		r.flag.Approximate(place,
			"a uid is a decimal integer of 64 bits; other notations, such as 0x1e, 1e1 or 30.0, no longer count, and uids beyond 2^53 are no longer rounded")
	}
}

// groups are the conditions of a policy by upstream.
type groups struct {
	order      []string
	conditions map[string][]importer.Condition
	uids       map[string][]int64 // by upstream, for uidappoint
	suffixes   map[string][]int64
	texts      map[string][]string
	taken      map[string]taken // what has an upstream already
	attribute  string
	ranges     []span
}

type taken struct{ upstream, place string }

// A span is a range of integers.
type span struct {
	start, end uint64
	place      string
}

// add adds one item of a policy's data.
func (g *groups) add(typ string, it item, upstream, place, typePlace string) error {
	if !slices.Contains(g.order, upstream) {
		g.order = append(g.order, upstream)
	}
	switch typ {
	case "uidsuffix":
		return g.suffix(it, upstream, place+".suffix")
	case "uidappoint":
		return g.appoint(it, upstream, place+".uidset")
	case "uidrange", "iprange":
		return g.span(typ, it, upstream, place+".range")
	case "arg_city":
		g.attribute = "city"
		return g.equal(it.City, upstream, place+".city")
	case "url":
		g.attribute = "url"
		return g.equal(it.URL, upstream, place+".url")
	}
	return importer.Refusef(typePlace, "unknown type of policy %q", typ)
}

// take records that a value belongs to an upstream. It reports whether the value is new.
func (g *groups) take(value, upstream, place string) (bool, error) {
	if g.taken == nil {
		g.taken = make(map[string]taken)
	}
	was, ok := g.taken[value]
	if ok && was.upstream != upstream {
		return false, importer.Refusef(place, "%q has the upstream %q already, in %s", value, was.upstream, was.place)
	}
	g.taken[value] = taken{upstream, place}
	return !ok, nil
}

func (g *groups) suffix(it item, upstream, place string) error {
	s := strings.Trim(string(it.Suffix), `"`)
	if len(s) != 1 || s[0] < '0' || s[0] > '9' {
		return importer.Refusef(place, "the suffix must be one digit from 0 to 9, not %s", shown(it.Suffix))
	}
	fresh, err := g.take(s, upstream, place)
	if fresh {
		if g.suffixes == nil {
			g.suffixes = make(map[string][]int64)
		}
		g.suffixes[upstream] = append(g.suffixes[upstream], int64(s[0]-'0'))
	}
	return err
}

func (g *groups) appoint(it item, upstream, place string) error {
	if len(it.UIDs) == 0 {
		return importer.Refusef(place, "the set of uids is empty or missing")
	}
	if g.uids == nil {
		g.uids = make(map[string][]int64)
	}
	for i, raw := range it.UIDs {
		at := fmt.Sprintf("%s[%d]", place, i)
		n, err := whole(raw, at, true)
		if err != nil {
			return err
		}
		if raw[0] != '"' && n >= 1e14 {
			return importer.Refusef(at,
				"the gateway stores the number %d in rounded form, so it never matched; write it as text if it should", n)
		}
		fresh, err := g.take(strconv.FormatUint(n, 10), upstream, at)
		if err != nil {
			return err
		}
		if fresh {
			g.uids[upstream] = append(g.uids[upstream], int64(n))
		}
	}
	return nil
}

func (g *groups) span(typ string, it item, upstream, place string) error {
	if it.Range == nil {
		return importer.Refusef(place, "the range is missing")
	}
	start, err := whole(it.Range.Start, place+".start", false)
	if err != nil {
		return err
	}
	end, err := whole(it.Range.End, place+".end", false)
	if err != nil {
		return err
	}
	if start > end {
		return importer.Refusef(place, "the range is inverted: it starts at %d and ends at %d", start, end)
	}
	if typ == "uidrange" {
		g.conditions[upstream] = append(g.conditions[upstream], importer.Range("uid", int64(start), int64(end)))
	} else {
		if end > 1<<32-1 {
			return importer.Refusef(place+".end", "%d is no IPv4 address: those end at 4294967295", end)
		}
		g.conditions[upstream] = append(g.conditions[upstream], importer.IPRange("ip", address(start), address(end)))
	}
	g.ranges = append(g.ranges, span{start, end, place})
	return nil
}

func (g *groups) equal(raw json.RawMessage, upstream, place string) error {
	value, err := text(raw, place)
	if err != nil {
		return err
	}
	fresh, err := g.take(value, upstream, place)
	if fresh {
		if g.texts == nil {
			g.texts = make(map[string][]string)
		}
		g.texts[upstream] = append(g.texts[upstream], value)
	}
	return err
}

// disjoint returns an error if ranges overlap.
func (g *groups) disjoint() error {
	slices.SortStableFunc(g.ranges, func(a, b span) int {
		switch {
		case a.start < b.start:
			return -1
		case a.start > b.start:
			return 1
		}
		return 0
	})
	for i := 1; i < len(g.ranges); i++ {
		if a, b := g.ranges[i-1], g.ranges[i]; b.start <= a.end {
			return importer.Refusef(b.place, "the range from %d to %d overlaps the one in %s", b.start, b.end, a.place)
		}
	}
	return nil
}

// condition returns which requests have an upstream.
func (g *groups) condition(upstream string) importer.Condition {
	list := slices.Clone(g.conditions[upstream])
	if s := g.suffixes[upstream]; len(s) > 0 {
		slices.Sort(s)
		list = append(list, importer.Mod("uid", 10, s...))
	}
	list = append(list, importer.Integers("uid", g.uids[upstream]...))
	if g.attribute != "" {
		list = append(list, importer.In(g.attribute, false, g.texts[upstream]...))
	}
	return importer.Any(list...)
}

// text reads a text that isn't empty.
func text(raw json.RawMessage, place string) (string, error) {
	var s string
	if err := json.Unmarshal(raw, &s); err != nil || s == "" {
		return "", importer.Refusef(place, "expected a text, not %s", shown(raw))
	}
	if strings.TrimSpace(s) != s {
		return "", importer.Refusef(place, "%q has white space around it", s)
	}
	return s, nil
}

// whole reads an integer from 0 to 2^53; as text only if quoted is set.
func whole(raw json.RawMessage, place string, quoted bool) (uint64, error) {
	s := string(raw)
	if quoted && len(s) > 2 && s[0] == '"' {
		s = strings.Trim(s, `"`)
	}
	switch {
	case strings.Count(strings.Trim(s, `"`), ".") == 3:
		if strings.HasPrefix(strings.Trim(s, `"`), "0") ||
			strings.Contains(s, ".0") && !strings.Contains(s+".", ".0.") {
			return 0, importer.Refusef(place,
				"%s looks like an octal address, and the gateway expects an integer here", shown(raw))
		}
		return 0, importer.Refusef(place, "%s is an address; the gateway expects an integer here", shown(raw))
	case s == "" || s == "null":
		return 0, importer.Refusef(place, "the number is missing")
	case len(s) > 1 && s[0] == '0' && strings.Trim(s, "0123456789") == "":
		return 0, importer.Refusef(place, "%s has a leading zero, so it equals no uid", shown(raw))
	}
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil && strings.Trim(s, "0123456789") == "" || err == nil && n > maxExact {
		return 0, importer.Refusef(place, "%s is beyond 2^53; the gateway can't tell it from its neighbours",
			shown(raw))
	}
	if err != nil {
		return 0, importer.Refusef(place, "expected an integer that isn't negative, not %s", shown(raw))
	}
	return n, nil
}

// shown returns JSON as messages show it.
func shown(raw json.RawMessage) string {
	switch s := string(raw); {
	case s == "":
		return "nothing"
	case len(s) > 60:
		return s[:60] + "…"
	default:
		return s
	}
}

// address returns the IPv4 address with a number.
func address(n uint64) string {
	return fmt.Sprintf("%d.%d.%d.%d", n>>24, n>>16&255, n>>8&255, n&255)
}
