package enrich

import (
	"slices"
	"strings"
	"sync"

	useragent "github.com/medama-io/go-useragent"
	"github.com/serin-flags/serin/evaluator"
	"github.com/serin-flags/serin/internal/from"
)

// An agent is what a User-Agent header says. Fields that it doesn't tell are empty.
type agent struct {
	platform       string // app, web or pc
	browser        string
	browserVersion string
	os             string
	osVersion      string
	device         string // mobile, tablet, desktop, tv or bot
}

func (a *agent) field(name string) string {
	switch name {
	case "platform":
		return a.platform
	case "browser":
		return a.browser
	case "browser_version":
		return a.browserVersion
	case "os":
		return a.os
	case "os_version":
		return a.osVersion
	case "device":
		return a.device
	}
	return ""
}

// parser is built when it is first needed, which takes some 50 ms. It has 166,000 objects,
// which the garbage collector looks at each time it runs.
var parser = sync.OnceValue(useragent.NewParser)

// Warm prepares to read user agents if a program takes attributes from them. Without it, the
// first request that needs one waits longer than gateways do. For other programs nothing is
// prepared: what that holds in memory would slow every request down. A nil program takes none.
func Warm(p *evaluator.Program) {
	if readsAgents(p) {
		parser()
	}
}

// readsAgents reports whether an attribute of a program comes from user agents.
func readsAgents(p *evaluator.Program) bool {
	for declared := range p.Attributes() {
		a, err := Parse(declared)
		if err == nil && slices.ContainsFunc(a.Sources, func(s from.Source) bool { return s.Kind == from.UserAgent }) {
			return true
		}
	}
	return false
}

// maxAgent is the length from which on a header is not looked at: no browser sends one.
const maxAgent = 1024

// systems are the names of operating systems by those of the parser.
var systems = map[string]string{
	"Android": "android", "iOS": "ios", "Windows": "windows", "MacOS": "macos", "Linux": "linux",
	"ChromeOS": "chromeos",
	"FreeBSD":  "freebsd", "OpenBSD": "openbsd",
}

// readAgent reads a User-Agent header. The parser doesn't know WeChat and HarmonyOS.
func readAgent(text string) *agent {
	if text == "" || len(text) > maxAgent {
		return &agent{}
	}
	parsed := parser().Parse(text)
	if parsed.IsBot() {
		return &agent{device: "bot"}
	}
	a := &agent{
		browser:        strings.ReplaceAll(strings.ToLower(string(parsed.Browser())), " ", "-"),
		browserVersion: version(parsed.BrowserVersion()),
		os:             systems[string(parsed.OS())],
		device:         strings.ToLower(string(parsed.Device())),
	}
	a.harmony(text)
	a.apps(text)
	a.osVersion = systemVersion(text, a.os)
	browser := strings.HasPrefix(text, "Mozilla/")
	switch {
	case !browser:
		a.platform, a.browser, a.browserVersion = "app", "", ""
	case a.os == "":
	case a.device == "desktop":
		a.platform = "pc"
	default:
		a.platform = "web"
	}
	return a
}

// harmony recognizes HarmonyOS, which calls itself Android up to version 4.
func (a *agent) harmony(text string) {
	if !strings.Contains(text, "HarmonyOS") && !strings.Contains(text, "OpenHarmony") {
		return
	}
	a.os = "harmony"
	switch {
	case strings.Contains(text, "(Tablet;"):
		a.device = "tablet"
	case strings.Contains(text, "(PC;"):
		a.device = "desktop"
	case a.device == "":
		a.device = "mobile"
	}
	if version, ok := after(text, "HuaweiBrowser/"); ok {
		a.browser, a.browserVersion = "huawei-browser", version
	}
}

// apps recognizes apps that show pages. The library takes them for the browser of the
// system.
func (a *agent) apps(text string) {
	if version, ok := after(text, "MicroMessenger/"); ok {
		a.browser, a.browserVersion = "wechat", version
	}
}

// systemVersion returns the version of an operating system.
func systemVersion(text, os string) string {
	for _, mark := range map[string][]string{
		"android": {"Android "}, "harmony": {"OpenHarmony ", "HarmonyOS "}, "ios": {"iPhone OS ", "CPU OS "},
		"macos": {"Mac OS X "}, "windows": {"Windows NT "},
	}[os] {
		if version, ok := after(text, mark); ok {
			return version
		}
	}
	return ""
}

// after returns the version that follows a mark.
func after(text, mark string) (found string, ok bool) {
	_, rest, ok := strings.Cut(text, mark)
	return version(rest), ok
}

// version returns the version that text begins with, up to three numbers, which is what
// semantic versions have: 18.5 for "18_5 like Mac OS X", 131.0.0 for "131.0.0.0".
func version(text string) string {
	var b strings.Builder
	for parts := 0; parts < 3; parts++ {
		end := strings.IndexFunc(text, func(r rune) bool { return r < '0' || r > '9' })
		if end < 0 {
			end = len(text)
		}
		if end == 0 {
			break
		}
		if parts > 0 {
			b.WriteByte('.')
		}
		b.WriteString(text[:end])
		if end == len(text) || text[end] != '.' && text[end] != '_' {
			break
		}
		text = text[end+1:]
	}
	return b.String()
}
