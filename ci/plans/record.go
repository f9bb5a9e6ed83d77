package page

import (
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"path"
	"strings"
	"time"

	"github.com/serin-flags/serin/ci"
)

// A Record is a decision about a plan, as "serin guard" leaves it in the flag folder.
type Record struct {
	Flag        string    `json:"flag"`
	Environment string    `json:"environment"`
	Rule        string    `json:"rule"`
	Time        time.Time `json:"time"`
	Decision    string    `json:"decision"`
	Reason      string    `json:"reason"`
	From        ci.Share  `json:"from"`
	To          ci.Share  `json:"to"`
	Metrics     []Finding `json:"metrics"`
}

// A Finding is what one metric said.
type Finding struct {
	Metric  string `json:"metric"`
	Verdict string `json:"verdict"`
	Reason  string `json:"reason"`
}

const (
	maxRecords = 50        // of a flag
	maxRecord  = 512 << 10 // bytes
)

// ReadRecords reads the newest decisions about each flag from the folder "releases" in a flag
// folder. At most 50 of a flag are read. Files that are no decisions are left out.
func ReadRecords(fsys fs.FS) ([]*Record, error) {
	folders, err := fs.ReadDir(fsys, "releases")
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var all []*Record
	for _, folder := range folders {
		files, err := fs.ReadDir(fsys, path.Join("releases", folder.Name()))
		if err != nil {
			continue // a file
		}
		for i := len(files) - 1; i >= max(0, len(files)-maxRecords); i-- { // names are times, and sorted
			file := files[i]
			if !strings.HasSuffix(file.Name(), ".json") {
				continue
			}
			if r, ok := readRecord(fsys, path.Join("releases", folder.Name(), file.Name())); ok && r.Flag == folder.Name() {
				all = append(all, &r)
			}
		}
	}
	return all, nil
}

func readRecord(fsys fs.FS, name string) (r Record, ok bool) {
	file, err := fsys.Open(name)
	if err != nil {
		return r, false
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, maxRecord))
	return r, err == nil && json.Unmarshal(data, &r) == nil
}
