package gogen

import (
	"fmt"
	"go/token"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// names are the names of a scope in Go, with what has them.
type names map[string]string

// take gives a name to something. The error says who has it already, or that Go doesn't
// allow it.
func (n names) take(name, what string) error {
	if !token.IsIdentifier(name) || !token.IsExported(name) {
		return fmt.Errorf("%s can't be exported from Go as %q: names start with a letter", what, name)
	}
	if other, taken := n[name]; taken {
		return fmt.Errorf("%s and %s would both be %s in Go", other, what, name)
	}
	n[name] = what
	return nil
}

// initialisms are what Go writes in capital letters.
var initialisms = []string{
	"acl", "api", "ascii", "aws", "cpu", "css", "csv", "dns", "eof", "guid", "html", "http", "https", "id", "ip",
	"json", "os", "pc", "qps", "ram", "rpc", "sdk", "sla", "smtp", "sql", "ssh", "tcp", "tls", "ttl", "udp", "ui",
	"uid", "uri", "url", "utf8", "uuid", "vm", "xml",
}

// exported returns a name as Go writes it, such as NewCheckout for new-checkout. What Go has
// no letters or digits for is left out.
func exported(name string) string {
	var b strings.Builder
	parts := strings.FieldsFunc(name, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	for _, part := range parts {
		if slices.Contains(initialisms, strings.ToLower(part)) {
			b.WriteString(strings.ToUpper(part))
			continue
		}
		first, size := utf8.DecodeRuneInString(part)
		b.WriteRune(unicode.ToUpper(first))
		b.WriteString(part[size:])
	}
	return b.String()
}
