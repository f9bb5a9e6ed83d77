package enrich

import (
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// A Trust says which peers are gateways: proxies that overwrite the headers which describe
// the client. The zero Trust trusts nobody. It must not be modified while it is in use.
type Trust struct {
	prefixes []netip.Prefix
	unix     bool
}

// ParseTrust reads a comma-separated list of IP addresses, of networks such as 10.0.0.0/8,
// and of the word unix, which stands for everybody who may connect to a Unix socket.
func ParseTrust(list string) (Trust, error) {
	var t Trust
	for item := range strings.SplitSeq(list, ",") {
		switch item = strings.TrimSpace(item); {
		case item == "":
		case item == "unix":
			t.unix = true
		case strings.Contains(item, "/"):
			prefix, err := netip.ParsePrefix(item)
			if err != nil {
				return Trust{}, fmt.Errorf("%q is not a network such as 10.0.0.0/8", item)
			}
			t.prefixes = append(t.prefixes, prefix.Masked())
		default:
			ip, err := netip.ParseAddr(item)
			if err != nil || ip.Zone() != "" {
				return Trust{}, fmt.Errorf(
					"%q is neither an IP address, a network such as 10.0.0.0/8, nor the word unix", item)
			}
			ip = ip.Unmap()
			t.prefixes = append(t.prefixes, netip.PrefixFrom(ip, ip.BitLen()))
		}
	}
	return t, nil
}

func (t *Trust) has(ip netip.Addr) bool {
	return slices.ContainsFunc(t.prefixes, func(p netip.Prefix) bool { return p.Contains(ip) })
}

// Gateway reports whether a request comes directly from a gateway.
func (t *Trust) Gateway(r *http.Request) bool {
	if isUnix(r) {
		return t.unix
	}
	return t.has(address(r.RemoteAddr))
}

// isUnix reports whether a request came through a Unix socket, whose peers have no address.
func isUnix(r *http.Request) bool { return r.RemoteAddr == "@" || r.RemoteAddr == "" }

// ClientIP returns the address of the client: the peer's or, if that is a gateway, the last
// one in X-Forwarded-For that is not a gateway's. Everything to the left of that may be
// forged. It returns the zero Addr if there is no such address, or it can't be read.
// Forwarded and X-Real-IP are ignored.
func (t *Trust) ClientIP(r *http.Request) netip.Addr {
	var ip netip.Addr
	if !isUnix(r) {
		if ip = address(r.RemoteAddr); !t.has(ip) {
			return ip
		}
	} else if !t.unix {
		return ip
	}
	for _, line := range slices.Backward(r.Header["X-Forwarded-For"]) {
		for line != "" {
			last := line
			if i := strings.LastIndexByte(line, ','); i >= 0 {
				line, last = line[:i], line[i+1:]
			} else {
				line = ""
			}
			if ip = address(strings.TrimSpace(last)); !ip.IsValid() || !t.has(ip) {
				return ip
			}
		}
	}
	return ip
}
