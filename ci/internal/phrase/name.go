package phrase

import (
	"fmt"
	"strconv"
	"strings"
)

// CheckFlagKey returns what is wrong with the key of a flag, or "". It may have upper-case
// letters, because keys of other systems do.
func CheckFlagKey(key string) string {
	return strings.Replace(CheckKey(strings.Map(lowerASCII, key)), "lower-case letter", "letter from A to Z", 1)
}

// lowerASCII returns the lower-case form of a letter from A to Z, and others as they are.
func lowerASCII(r rune) rune {
	if 'A' <= r && r <= 'Z' {
		return r - 'A' + 'a'
	}
	return r
}

// maxKey is the length in bytes of the longest flag key.
const maxKey = 100

// CheckKey returns what is wrong with the name of a segment and the like, or "".
func CheckKey(key string) string {
	switch {
	case key == "":
		return "it is empty"
	case len(key) > maxKey:
		return fmt.Sprintf("it has %d characters, more than %d", len(key), maxKey)
	}
	for _, r := range key {
		switch {
		case 'a' <= r && r <= 'z', '0' <= r && r <= '9', r == '-', r == '_', r == '.':
		default:
			return fmt.Sprintf("%q is not a lower-case letter, digit, \"-\", \"_\" or \".\"", r)
		}
	}
	return ""
}

// CheckName returns what is wrong with a name that programs use, or "".
func CheckName(name string) string {
	if len(name) > maxKey {
		return "the name has more than " + strconv.Itoa(maxKey) + " characters"
	}
	for i, r := range name {
		letter := 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || r == '_'
		if !letter && (i == 0 || !strings.ContainsRune("0123456789-.", r)) {
			return "names are of letters, digits, \"_\", \"-\" and \".\", and start with a letter"
		}
	}
	return ""
}
