package evaluator

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
)

// holdsAddr is like holds, for tests of IP attributes.
func holdsAddr(t test, a netip.Addr) bool {
	if !a.IsValid() {
		return false
	}
	switch t := t.(type) {
	case addrSet:
		return slices.Contains(t, a)
	case networks:
		return slices.ContainsFunc(t, func(p netip.Prefix) bool { return p.Contains(a) })
	case addresses:
		return t.lo.Compare(a) <= 0 && a.Compare(t.hi) <= 0
	}
	return false
}

// parseAddr parses an IP address. It converts IPv4 in IPv6 form to IPv4.
func parseAddr(s string) (netip.Addr, error) {
	a, err := netip.ParseAddr(s)
	if err != nil || a.Zone() != "" {
		return netip.Addr{}, fmt.Errorf("%q is not an IP address", s)
	}
	return a.Unmap(), nil
}

// addrOf returns the IP address that v holds, or the zero Addr if v isn't an address.
func addrOf(v Value) netip.Addr {
	if v.kind != KindString || len(v.str) > maxAddr {
		return netip.Addr{}
	}
	a, err := netip.ParseAddr(v.str)
	if err != nil || a.Zone() != "" {
		return netip.Addr{}
	}
	return a.Unmap()
}

// maxAddr is the length of the longest IP address, IPv4 in IPv6 form. Longer strings are
// rejected without parsing them, because the error would allocate.
const maxAddr = len("ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255")

// An addrSet holds for the IP addresses that it contains.
type addrSet []netip.Addr

func (s addrSet) String() string { return "one of " + listPlain(s) }

// networks holds for IP addresses in one of the networks.
type networks []netip.Prefix

// networks compiles an OpCIDR. It refuses what a person may have meant otherwise: a network with
// bits beyond its prefix, and IPv4 in IPv6 form, which no address of a context has.
func (c *Condition) networks(AttributeType) (test, error) {
	if len(c.Strings) == 0 {
		return nil, errors.New("the list of networks is empty")
	}
	var ns networks
	for _, s := range c.Strings {
		p, err := netip.ParsePrefix(s)
		if err != nil {
			return nil, fmt.Errorf("%q is not a network such as 10.0.0.0/8 or 2001:db8::/32", s)
		}
		if p.Addr().Is4In6() {
			return nil, fmt.Errorf("%q is an IPv4 network in IPv6 form; write it as IPv4", s)
		}
		if p != p.Masked() {
			return nil, fmt.Errorf("%q has bits set beyond its prefix; the network is %v", s, p.Masked())
		}
		ns = append(ns, p)
	}
	return ns, nil
}

func (ns networks) String() string { return "in a network of " + listPlain(ns) }

// addresses holds for IP addresses from lo to hi. Both are of the same family, and netip
// orders IPv4 before IPv6, so addresses of the other family don't match.
type addresses struct{ lo, hi netip.Addr }

// addresses compiles an OpIPBetween. Both ends belong to the range.
func (c *Condition) addresses(AttributeType) (test, error) {
	if len(c.Strings) != 2 {
		return nil, errors.New("an address range takes two addresses")
	}
	lo, err := parseAddr(c.Strings[0])
	if err != nil {
		return nil, err
	}
	hi, err := parseAddr(c.Strings[1])
	if err != nil {
		return nil, err
	}
	if lo.Is4() != hi.Is4() {
		return nil, fmt.Errorf("the range from %v to %v mixes IPv4 and IPv6", lo, hi)
	}
	if hi.Less(lo) {
		return nil, fmt.Errorf("the range from %v to %v is empty", lo, hi)
	}
	return addresses{lo, hi}, nil
}

func (t addresses) String() string { return fmt.Sprintf("from %v to %v", t.lo, t.hi) }
