package plan

import "strings"

// variables are the names that stand for something in a query, after a dollar sign.
var variables = []string{"arm", "window", "flag", "env"}

// Expand returns a text with the values of its variables. A variable is a dollar sign and the
// longest name after it, so $armour isn't $arm. One without a value stays as it is, as do
// ${name}, $1 and a $ before anything else.
func Expand(text string, value func(name string) (string, bool)) string {
	var b strings.Builder
	for {
		before, after, found := strings.Cut(text, "$")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		end := 0
		for end < len(after) && (isLetter(after[end]) || end > 0 && after[end] >= '0' && after[end] <= '9') {
			end++
		}
		text = after[end:]
		if end > 0 {
			if v, ok := value(after[:end]); ok {
				b.WriteString(v)
				continue
			}
		}
		b.WriteString("$" + after[:end])
	}
}

func isLetter(c byte) bool { return c == '_' || c|0x20 >= 'a' && c|0x20 <= 'z' }
