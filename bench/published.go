package bench

import (
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
	for _, s := range Loadable() {
		if err := s.Publish(dir, e); err != nil {
			return err
		}
	}
	return nil
}

// The environment variables that tell a benchmark where PublishLarge has written,
// and where that is served.
const (
	EnvDir = "SERIN_BENCH_DIR"
	EnvURL = "SERIN_BENCH_URL"
)

// The names of what [PublishLarge] writes, each a folder.
const (
	loadDir     = "load"     // 10,000 flags with rules
	listDir     = "list"     // a flag with a list of listIDs ids
	updateDir   = "update"   // as load, for Serin alone; -after: with 10 flags changed
	updateNDir  = "update20" // as update, in 20 namespaces
	afterSuffix = "-after"
)

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
		path := filepath.Join(dir, name)
		if err := (serin{}).Publish(path, &Estate{load.Flags, namespaces}); err != nil {
			return err
		}
		if err := os.CopyFS(path+afterSuffix, os.DirFS(path)); err != nil {
			return err
		}
		if err := (serin{}).Publish(path+afterSuffix, &Estate{after, namespaces}); err != nil {
			return err
		}
	}
	return nil
}
