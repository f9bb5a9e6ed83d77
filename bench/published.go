package bench

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
)

// Serve serves the files in dir on this machine. What it sends may not be cached:
// one of the clients would keep it in memory.
func Serve(dir string) *httptest.Server {
	return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		data, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(filepath.Clean("/"+r.URL.Path))))
		if err != nil {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		w.Write(data) // a client that goes away is its own business
	}))
}

// Publish writes an estate into the folder dir for all systems.
func Publish(dir string, e *Estate) error {
	return publishFor(Loadable(), dir, e)
}

// The environment variables that tell a benchmark where PublishLarge has written,
// and where that is served.
const (
	EnvDir = "SERIN_BENCH_DIR"
	EnvURL = "SERIN_BENCH_URL"
)

// The names of what [PublishLarge] writes, each a folder.
const (
	loadDir     = "load"         // 10,000 flags with rules
	listDir     = "list"         // a flag with a list of listIDs ids
	updateDir   = "update"       // as load, for Serin alone; -after: with 10 flags changed
	updateNDir  = "update20"     // as update, in 20 namespaces
	loadListDir = "load-lists"   // flags with lists of 10 texts, for Serin and LaunchDarkly's evaluation
	updateLDir  = "update-lists" // the same for Serin alone; -after: with 10 flags changed
	afterSuffix = "-after"
)

// listLengths are the lengths of lists in conditions. updateLength is that of flags that
// are loaded and updated.
var listLengths = []int{7, 10, 200}

const updateLength = 10

// listsDir is the name of what has [ListFlags]: [allFlags] of them.
func listsDir(length int, equal bool) string { return fmt.Sprintf("lists-%d-%v", length, equal) }

// allFlags is how many flags are asked for at once.
const allFlags = 1000

// WithLists returns the systems that are measured with long lists in conditions.
func WithLists() []System { return []System{serin{}, launchDarkly{}} }

func publishFor(systems []System, dir string, e *Estate) error {
	for _, s := range systems {
		if err := s.Publish(dir, e); err != nil {
			return err
		}
	}
	return nil
}

// publishLists writes what has flags with lists.
func publishLists(dir string) error {
	for _, length := range listLengths {
		for _, equal := range []bool{false, true} {
			e := &Estate{Flags: ListFlags(allFlags, length, equal)}
			if err := publishFor(WithLists(), filepath.Join(dir, listsDir(length, equal)), e); err != nil {
				return err
			}
		}
	}
	flags := ListFlags(largeFlags, updateLength, false)
	if err := publishFor(WithLists(), filepath.Join(dir, loadListDir), &Estate{Flags: flags}); err != nil {
		return err
	}
	return publishUpdate(filepath.Join(dir, updateLDir), flags, ChangedLists(flags, changes, updateLength), 1)
}

// publishUpdate writes a revision for Serin and, next to it, the same and one more.
func publishUpdate(dir string, before, after []Flag, namespaces int) error {
	if err := (serin{}).Publish(dir, &Estate{before, namespaces}); err != nil {
		return err
	}
	if err := os.CopyFS(dir+afterSuffix, os.DirFS(dir)); err != nil {
		return err
	}
	return serin{}.Publish(dir+afterSuffix, &Estate{after, namespaces})
}

// How large that is.
const (
	listIDs    = 1_000_000
	largeFlags = 10_000
	changes    = 10
)

// PublishLarge writes what takes long to publish, for processes that load it.
func PublishLarge(dir string) error {
	load := &Estate{Flags: RuleFlags(largeFlags)}
	if err := Publish(filepath.Join(dir, loadDir), load); err != nil {
		return err
	}
	list := &Estate{Flags: []Flag{{Key: "list", IDs: IDs(0, listIDs), Named: true}}}
	if err := Publish(filepath.Join(dir, listDir), list); err != nil {
		return err
	}
	after := Changed(load.Flags, changes, 1)
	for name, namespaces := range map[string]int{updateDir: 1, updateNDir: 20} {
		if err := publishUpdate(filepath.Join(dir, name), load.Flags, after, namespaces); err != nil {
			return err
		}
	}
	return publishLists(dir)
}
