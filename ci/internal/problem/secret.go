package problem

import (
	"bytes"
	"iter"
	"regexp"
	"strings"
)

// A secretShape is what the keys and tokens of one kind look like. Only shapes
// that nothing else has are here: random text could be anyone's id.
type secretShape struct {
	what string
	// marks are texts of which every match contains one. Looking for them first
	// is much faster than matching.
	marks  []string
	regexp *regexp.Regexp
}

var secretShapes = []secretShape{
	{"an AWS access key", []string{"AKIA", "ASIA"}, regexp.MustCompile(`\b(?:AKIA|ASIA)[A-Z0-9]{16}\b`)},
	{"a private key", []string{"PRIVATE KEY"}, regexp.MustCompile(`-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----`)},
	{"a JSON web token", []string{"eyJ"}, regexp.MustCompile(`\beyJ[A-Za-z0-9_-]{6,}\.eyJ[A-Za-z0-9_-]{6,}\.[A-Za-z0-9_-]{6,}`)},
	{"a GitHub token", []string{"ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"}, regexp.MustCompile(`\b(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{22,})`)},
	{"a GitLab token", []string{"glpat-"}, regexp.MustCompile(`\bglpat-[A-Za-z0-9_-]{20,}`)},
	{"a Slack token", []string{"xox", "xapp-"}, regexp.MustCompile(`\b(?:xox[abeoprs]|xapp)-[A-Za-z0-9-]{10,}`)},
	{"a Slack webhook", []string{"hooks.slack.com/"}, regexp.MustCompile(`hooks\.slack\.com/(?:services|workflows)/[A-Za-z0-9/_-]{20,}`)},
	{"a Stripe key", []string{"sk_", "rk_", "whsec_"}, regexp.MustCompile(`\b(?:[sr]k_(?:live|test)_[A-Za-z0-9]{16,}|whsec_[A-Za-z0-9+/=]{24,})`)},
	{"a Google API key", []string{"AIza"}, regexp.MustCompile(`\bAIza[0-9A-Za-z_-]{35}`)},
	{"an npm token", []string{"npm_"}, regexp.MustCompile(`\bnpm_[A-Za-z0-9]{36}`)},
	{"a password in a URL", []string{"://"}, regexp.MustCompile(`\b[a-z][a-z0-9+.-]*://[^\s/:@"']+:[^\s/:@"']+@`)},
}

// address matches e-mail addresses.
var address = regexp.MustCompile(
	`[A-Za-z0-9][A-Za-z0-9._%+'-]*@(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?\.)+[A-Za-z]{2,}`)

// HasAddress reports whether there is an e-mail address in a text.
func HasAddress(text string) bool { return address.MatchString(text) }

// Secrets yields the keys and tokens in data: what each is, and its start and end.
func Secrets(data []byte) iter.Seq2[string, [2]int] {
	return func(yield func(string, [2]int) bool) {
		for _, shape := range secretShapes {
			if !shape.marked(data) {
				continue
			}
			for _, at := range shape.regexp.FindAllIndex(data, -1) {
				if !yield(shape.what, [2]int{at[0], at[1]}) {
					return
				}
			}
		}
	}
}

func (s *secretShape) marked(data []byte) bool {
	for _, mark := range s.marks {
		if bytes.Contains(data, []byte(mark)) {
			return true
		}
	}
	return false
}

// MaskSecrets replaces keys and tokens in a text with asterisks, so that messages
// which quote it don't spread them.
func MaskSecrets(line string) string {
	data := []byte(line)
	for _, at := range Secrets(data) {
		line = mask(line, at[0], at[1])
	}
	return line
}

// MaskAddresses replaces e-mail addresses in a text with asterisks.
func MaskAddresses(line string) string {
	for _, at := range address.FindAllStringIndex(line, -1) {
		line = mask(line, at[0], at[1])
	}
	return line
}

func mask(line string, from, to int) string {
	return line[:from] + strings.Repeat("*", to-from) + line[to:]
}
