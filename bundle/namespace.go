package bundle

import "strings"

// maxNamespace limits the length of a namespace in bytes, so that together with
// the SHA-256 and the payload's name it makes a valid S3 key and file name.
const maxNamespace = 100

// ValidNamespace reports whether name can be a namespace: at most 100 bytes,
// one or more parts separated by "/", each of ASCII letters, digits, "-", "_"
// and ".", and not starting with ".". Such a name is safe in a path, a URL and
// an S3 key.
func ValidNamespace(name string) bool {
	if len(name) > maxNamespace {
		return false
	}
	for part := range strings.SplitSeq(name, "/") {
		if part == "" || part[0] == '.' {
			return false
		}
		for _, c := range []byte(part) {
			switch {
			case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
			case c == '-', c == '_', c == '.':
			default:
				return false
			}
		}
	}
	return true
}
