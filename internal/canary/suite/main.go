// The program suite runs go test with its arguments, and searches everything that the tests
// print for canaries: what they plant as personal data or secrets, and what no log may have.
//
//	suite [ARGUMENT…]
//
// It prints what go test prints without -v, and fails if a test does or if there is a canary.
// It also searches the output of tests that pass, which go test doesn't show.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"

	"github.com/serin-flags/serin/internal/canary"
)

func main() {
	cmd := exec.Command("go", append([]string{"test", "-json"}, os.Args[1:]...)...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	found, err := search(out, os.Stdout)
	if failed := cmd.Wait(); err != nil || failed != nil || found > 0 {
		if err != nil {
			fmt.Fprintln(os.Stderr, "reading the output of tests:", err)
		}
		os.Exit(1)
	}
}

// An event is a line of go test -json: see go doc test2json.
type event struct {
	Action, Package, Test, Output string
}

// A key names a test, or a package if Test is "".
type key struct{ Package, Test string }

// search copies what go test prints without -v from events to out, and returns in how many
// lines of all output there is a canary.
func search(events io.Reader, out io.Writer) (found int, err error) {
	printed := make(map[key][]string) // by tests that haven't ended, and by packages
	lines := bufio.NewReader(events)
	for {
		line, err := lines.ReadBytes('\n')
		if len(line) > 0 {
			var e event
			if json.Unmarshal(line, &e) != nil { // it isn't of a test
				e = event{Action: "build-output", Output: string(line)}
			}
			found += handle(e, printed, out)
		}
		if err == io.EOF {
			return found, nil
		}
		if err != nil {
			return found, err
		}
	}
}

// handle handles one event.
func handle(e event, printed map[key][]string, out io.Writer) (found int) {
	k := key{e.Package, e.Test}
	switch e.Action {
	case "build-output":
		fmt.Fprint(out, e.Output)
	case "output":
		printed[k] = append(printed[k], e.Output)
		for _, leak := range canary.Leaks(e.Output) {
			found++
			fmt.Fprintf(out, "a canary in the output of %s %s: %.500s", e.Package, e.Test, leak)
		}
	case "fail":
		if e.Test == "" { // what it was running when it ended early
			for other := range printed {
				if other.Package == e.Package && other.Test != "" {
					show(other, printed, out)
				}
			}
		}
		show(k, printed, out)
	case "pass", "skip":
		if e.Test == "" && len(printed[k]) > 0 {
			fmt.Fprint(out, printed[k][len(printed[k])-1]) // ok, the package, and how long it took
		}
		delete(printed, k)
	}
	return found
}

// show prints what a test or a package has printed.
func show(k key, printed map[key][]string, out io.Writer) {
	for _, text := range printed[k] {
		fmt.Fprint(out, text)
	}
	delete(printed, k)
}
