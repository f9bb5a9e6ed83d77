package importer

import "strings"

// space is what \s stands for in JavaScript, inside of brackets.
const space = `\s\v\x{feff}\pZ`

// FromJavaScript returns a regular expression of JavaScript in RE2's syntax. It refuses what
// means something else there.
func FromJavaScript(text, at string) (string, error) {
	var b strings.Builder
	class := false
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case c == '\\' && i+1 < len(text):
			i++
			next := text[i]
			letter := next >= 'a' && next <= 'z' || next >= 'A' && next <= 'Z' || next >= '0' && next <= '9'
			switch {
			case next == 's' && class:
				b.WriteString(space)
			case next == 's':
				b.WriteString("[" + space + "]")
			case next == 'S' && !class:
				b.WriteString("[^" + space + "]")
			case letter && (!strings.ContainsRune("dDwWnrtfvbB", rune(next)) ||
				class && (next == 'b' || next == 'B')) || next >= 0x80:
				return "", Refusef(at, `\%c in %q may mean something else in RE2's syntax`, next, text)
			default:
				b.WriteByte('\\')
				b.WriteByte(next)
			}
			continue
		case c == '(' && !class && strings.HasPrefix(text[i:], "(?") && !strings.HasPrefix(text[i:], "(?:"):
			return "", Refusef(at, "%q has a group that RE2 doesn't know", text)
		case c == '[' && class:
			b.WriteByte('\\') // a bracket as any character; RE2 would look for a named class
		case c == '[':
			class = true
			if strings.HasPrefix(text[i:], "[]") || strings.HasPrefix(text[i:], "[^]") {
				return "", Refusef(at, "%q has an empty class", text)
			}
		case c == ']':
			class = false
		}
		b.WriteByte(c)
	}
	return b.String(), nil
}
