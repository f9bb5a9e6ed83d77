package decide

import (
	"net/netip"

	"github.com/serin-flags/serin/evaluator"
)

// addresses returns addresses of all classes: where a comparison begins or ceases to
// hold, and the first of each family.
func (d *domain) addresses() []string {
	list := []string{"no address", "0.0.0.0", "::"}
	add := func(first, last netip.Addr) {
		for _, a := range []netip.Addr{first, last.Next(), first.Prev(), last} {
			if a.IsValid() {
				list = append(list, a.String())
			}
		}
	}
	for _, a := range d.atoms {
		if a.typ != evaluator.AttrIP {
			continue
		}
		var ends []netip.Addr
		for _, text := range a.cond.Strings {
			if addr, err := netip.ParseAddr(text); err == nil {
				ends = append(ends, addr.Unmap())
			} else if p, err := netip.ParsePrefix(text); err == nil {
				add(p.Masked().Addr(), lastOf(p))
			}
		}
		if a.cond.Op == evaluator.OpIPBetween && len(ends) == 2 {
			add(ends[0], ends[1])
			continue
		}
		for _, addr := range ends {
			add(addr, addr)
		}
	}
	return append(list, "::1:0:0:0") // the first after the IPv4 addresses in IPv6 form
}

// lastOf returns the last address of a network.
func lastOf(p netip.Prefix) netip.Addr {
	bytes := p.Masked().Addr().AsSlice()
	for bit := p.Bits(); bit < len(bytes)*8; bit++ {
		bytes[bit/8] |= 0x80 >> (bit % 8)
	}
	last, _ := netip.AddrFromSlice(bytes)
	return last
}
