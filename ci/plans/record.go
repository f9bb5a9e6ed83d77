package plans

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
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
	File        string    `json:"-"` // below the flag folder
}

// A Finding is what one metric said.
type Finding struct {
	Metric  string `json:"metric"`
	Verdict string `json:"verdict"`
	Reason  string `json:"reason"`
}

// RecordsDir is the folder of decisions in a flag folder.
const RecordsDir = "releases"

// RecordName returns the path, below the flag folder and with slashes, of a decision about the plan of
// a flag. Names of later decisions sort behind those of earlier ones.
func RecordName(flag string, decided time.Time) string {
	return path.Join(RecordsDir, flag, decided.UTC().Format("20060102T150405Z")+".json")
}

const (
	maxRecords = 50        // of a flag
	maxRecord  = 512 << 10 // bytes
)

// ReadRecords reads the newest decisions about each flag from the folder "releases" in a flag
// folder, in the order of flags, the newest first. At most 50 of a flag are read. Files that
// are no decisions are left out.
func ReadRecords(fsys fs.FS) ([]*Record, error) {
	folders, err := fs.ReadDir(fsys, RecordsDir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var all []*Record
	for _, folder := range folders {
		names, _ := recordFiles(fsys, folder.Name()) // a file among the folders has none
		for _, name := range names[:min(len(names), maxRecords)] {
			if r, err := readRecord(fsys, name); err == nil && r.Flag == folder.Name() {
				all = append(all, r)
			}
		}
	}
	return all, nil
}

// LastRecord reads the newest decision about a plan, or nil if there is none.
func LastRecord(fsys fs.FS, p *ci.Plan) (*Record, error) {
	names, err := recordFiles(fsys, p.Flag)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		r, err := readRecord(fsys, name)
		if err != nil {
			return nil, fmt.Errorf("reading %s: %w", name, err)
		}
		if r.Environment == p.Environment {
			return r, nil
		}
	}
	return nil, nil
}

// recordFiles returns the paths of a flag's decisions, the newest first: their names are times.
func recordFiles(fsys fs.FS, flag string) ([]string, error) {
	files, err := fs.ReadDir(fsys, path.Join(RecordsDir, flag))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var names []string
	for _, file := range slices.Backward(files) {
		if path.Ext(file.Name()) == ".json" {
			names = append(names, path.Join(RecordsDir, flag, file.Name()))
		}
	}
	return names, err
}

func readRecord(fsys fs.FS, name string) (*Record, error) {
	file, err := fsys.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, maxRecord))
	if err != nil {
		return nil, err
	}
	r := &Record{File: name}
	return r, json.Unmarshal(data, r)
}
