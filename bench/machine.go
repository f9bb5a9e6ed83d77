package bench

import (
	"os"
	"regexp"
	"runtime"
	"strings"
	"time"
)

// CPU returns the processor's name as the system gives it, or else the architecture.
func CPU() string {
	info, err := os.ReadFile("/proc/cpuinfo")
	if err == nil {
		if m := regexp.MustCompile(`(?m)^model name\s*:\s*(.+)$`).FindSubmatch(info); m != nil {
			return string(m[1])
		}
	}
	return runtime.GOARCH
}

// FileName returns the name of a file of results without its extension: the date and
// the processor.
func FileName(now time.Time, cpu string) string {
	word := regexp.MustCompile(`[^a-z0-9]+`).ReplaceAllString(strings.ToLower(cpu), "-")
	return now.Format(time.DateOnly) + "-" + strings.Trim(word, "-")
}
