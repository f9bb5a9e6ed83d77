package importer

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"

	"github.com/serin-flags/serin/ci"
	"github.com/serin-flags/serin/ci/internal/overlay"
)

// stateFile records what imports wrote, by which the next one knows what people have edited
// since. The flag language ignores it.
const stateFile = ".import.json"

// ReportFile is the report.
const ReportFile = "import.md"

// The files of a folder that no flag is in.
const (
	configFile  = "serin.yaml"
	contextFile = "context.yaml"
)

// A Plan is what an import writes.
type Plan struct {
	// Files are the files to write, by their paths in the folder, with the lock file and the
	// report.
	Files map[string][]byte
	// Kept are the files that stay as people have edited them, sorted, and Stale those that an
	// earlier import wrote and this one wouldn't.
	Kept, Stale []string
	// Import is what is written, without what had to be refused.
	Import *Import
	Report []byte
}

// A state is the content of stateFile: what each file was when it was written.
type state struct {
	Comment string            `json:"comment"`
	Files   map[string]string `json:"files"`
}

// Make returns what to write to the folder at the root of fsys, which users know as dir, so
// that it has the flags of imp. The folder may be empty, and fsys must be as [ci.LoadFS] needs
// it. Files that people have edited since an import wrote them stay as they are, unless
// overwrite is set.
//
// The files are checked as "serin check --strict" does. Flags that the flag language refuses
// are refused; warnings are silenced, because the flags are to be what they were.
func Make(fsys fs.FS, dir string, imp *Import, overwrite bool) (*Plan, error) {
	if imp.Environments == nil {
		imp.Environments = []string{"production"}
	}
	m := &making{fsys: fsys, dir: dir, imp: imp, overwrite: overwrite}
	if err := m.readState(); err != nil {
		return nil, err
	}
	if there, err := ci.LoadFS(fsys, dir); err == nil {
		imp.declared = there.Attributes()
	}
	if checkName(imp.Unit, "") != nil {
		imp.Unit = "user" // flags that divide users by an attribute of another name are refused
	}
	imp.refuseKeys()
	imp.prune()
	m.attributes = imp.attributes()
	if len(imp.Flags) == 0 {
		return m.empty()
	}
	m.write()
	if err := m.settle(); err != nil {
		return nil, err
	}
	if len(m.imp.Flags) == 0 {
		return m.empty()
	}
	if err := m.lock(); err != nil {
		return nil, err
	}
	return m.plan()
}

// A making is a plan in the making.
type making struct {
	fsys       fs.FS
	dir        string
	imp        *Import
	overwrite  bool
	attributes []*attribute
	was        state
	silences   map[string]map[string]string // by flag
	files      map[string][]byte
	estate     *ci.Estate // what the files say, without the lock file
}

// readState reads what an earlier import wrote.
func (m *making) readState() error {
	data, err := fs.ReadFile(m.fsys, stateFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = json.Unmarshal(data, &m.was)
	}
	if err != nil {
		return fmt.Errorf("reading %s: %w", filepath.Join(m.dir, stateFile), err)
	}
	return nil
}

// empty returns the plan of an import that refuses every flag: the report alone.
func (m *making) empty() (*Plan, error) {
	report := m.imp.report(m)
	m.files = nil
	return &Plan{Files: map[string][]byte{ReportFile: report}, Stale: m.stale(), Import: m.imp, Report: report}, nil
}

// stale returns the files that an earlier import wrote and that nothing in the source is for
// any more, sorted.
func (m *making) stale() []string {
	var list []string
	for name := range m.was.Files {
		_, err := fs.Stat(m.fsys, name)
		if err == nil && m.files[name] == nil && name != configFile && name != contextFile {
			list = append(list, name)
		}
	}
	slices.Sort(list)
	return list
}

// write generates all files.
func (m *making) write() {
	m.files = map[string][]byte{configFile: m.imp.config(), contextFile: m.imp.context(m.attributes)}
	for _, s := range m.imp.Segments {
		m.files["segments/"+s.Name+".yaml"] = s.file(m.files)
	}
	for _, f := range m.imp.Flags {
		m.files[f.path()] = f.file(m.files, m.silences[f.Key])
	}
}

func (f *Flag) path() string { return f.Namespace + "/" + f.Key + ".yaml" }

// overlay returns the folder as it will be: edited files stay.
func (m *making) overlay() overlay.FS {
	out := overlay.FS{Below: m.fsys, Files: make(map[string][]byte, len(m.files))}
	for name, data := range m.files {
		if m.edited(name) {
			continue
		}
		out.Files[name] = data
	}
	return out
}

// edited reports whether people have written or edited a file, so that it stays.
func (m *making) edited(name string) bool {
	if m.overwrite {
		return false
	}
	data, err := fs.ReadFile(m.fsys, name)
	return err == nil && !bytes.Equal(data, m.files[name]) && m.was.Files[name] != sum(data)
}

func sum(data []byte) string {
	s := sha256.Sum256(data)
	return hex.EncodeToString(s[:])
}

// settle loads the folder as it will be until it has no problems: it refuses flags that have
// some, and silences warnings.
func (m *making) settle() error {
	for {
		if len(m.imp.Flags) == 0 {
			return nil
		}
		estate, err := m.load()
		var problems ci.Problems
		if errors.As(err, &problems) {
			if !m.refuse(problems) {
				return err
			}
			m.attributes = m.imp.attributes()
			m.write()
			continue
		}
		if err != nil {
			return err
		}
		m.estate = estate
		if warnings := estate.Lint(ci.LintOptions{}); m.silences == nil && len(warnings) > 0 {
			m.silence(warnings)
			if m.estate, err = estate.ReloadFS(m.unlocked(), m.silenced()); err != nil {
				continue
			}
		}
		return nil
	}
}

// silenced writes the files of the flags that silence warnings, and returns them.
func (m *making) silenced() map[string][]byte {
	changed := make(map[string][]byte)
	for _, f := range m.imp.Flags {
		if m.silences[f.Key] == nil {
			continue
		}
		m.files[f.path()] = f.file(m.files, m.silences[f.Key])
		if !m.edited(f.path()) {
			changed[f.path()] = m.files[f.path()]
		}
	}
	return changed
}

// load loads the folder as it will be, without its lock file.
func (m *making) load() (*ci.Estate, error) { return ci.LoadFS(m.unlocked(), m.dir) }

// unlocked returns the folder as it will be, without its lock file: that follows once the flags
// are settled.
func (m *making) unlocked() overlay.FS {
	files := m.overlay()
	files.Files[ci.LockFile] = nil
	return files
}

// lock makes the lock file fit the flags.
func (m *making) lock() error {
	update, err := m.relock()
	if err != nil {
		return err
	}
	m.files[ci.LockFile], m.estate = update.After, nil
	return nil
}

// relock returns the lock file for the folder as it will be. The first one follows from what has
// been loaded.
func (m *making) relock() (*ci.LockUpdate, error) {
	if _, err := fs.Stat(m.fsys, ci.LockFile); errors.Is(err, fs.ErrNotExist) {
		return m.estate.RelockFS(m.unlocked(), nil)
	}
	return ci.LockFS(m.overlay(), m.dir, m.moved())
}

// moved returns the flags that this import changes and that have splits: what the source says
// now decides who gets what, and not what the lock file kept from before.
func (m *making) moved() []string {
	var keys []string
	for _, f := range m.imp.Flags {
		there, err := fs.ReadFile(m.fsys, f.path())
		if err == nil && f.hasSplit() && !m.edited(f.path()) && !bytes.Equal(there, m.files[f.path()]) {
			keys = append(keys, f.Key)
		}
	}
	return keys
}

// refuse refuses the flags whose files have problems, and reports whether there are any.
func (m *making) refuse(problems ci.Problems) bool {
	why := make(map[string]string)
	for _, p := range problems {
		name, err := filepath.Rel(m.dir, p.File)
		if err == nil && why[filepath.ToSlash(name)] == "" {
			why[filepath.ToSlash(name)] = p.Message
		}
	}
	before := len(m.imp.Flags)
	m.imp.Flags = slices.DeleteFunc(m.imp.Flags, func(f *Flag) bool {
		reason := why[f.path()]
		if reason == "" || m.edited(f.path()) {
			return false
		}
		m.imp.Refuse(f.Key, Refusef(f.Place, "the flag language doesn't have it: %s", reason))
		return true
	})
	m.imp.prune()
	return len(m.imp.Flags) < before
}

// silence has flags silence the warnings about them: they are to be what they were.
func (m *making) silence(warnings ci.Problems) {
	m.silences = make(map[string]map[string]string)
	byPath := make(map[string]string, len(m.imp.Flags))
	for _, f := range m.imp.Flags {
		byPath[f.path()] = f.Key
	}
	for _, w := range warnings {
		name, err := filepath.Rel(m.dir, w.File)
		if err != nil {
			continue
		}
		key := byPath[filepath.ToSlash(name)]
		if key == "" {
			continue
		}
		if m.silences[key] == nil {
			m.silences[key] = make(map[string]string)
		}
		m.silences[key][w.Lint] = "imported as it was in " + m.imp.System
	}
}

// plan returns what differs from the folder.
func (m *making) plan() (*Plan, error) {
	p := &Plan{Files: make(map[string][]byte), Import: m.imp}
	now := state{Comment: "What serin import wrote; a file that differs has been edited.",
		Files: make(map[string]string, len(m.files))}
	for name, data := range m.files {
		if m.edited(name) && name != ci.LockFile {
			p.Kept = append(p.Kept, name)
			if s := m.was.Files[name]; s != "" {
				now.Files[name] = s
			}
			continue
		}
		if name != ci.LockFile {
			now.Files[name] = sum(data)
		}
		p.Files[name] = data
	}
	p.Stale = m.stale()
	slices.Sort(p.Kept)
	data, err := json.MarshalIndent(now, "", "  ")
	if err != nil {
		return nil, err
	}
	p.Files[stateFile] = append(data, '\n')
	p.Report = m.imp.report(m)
	p.Files[ReportFile] = p.Report
	for name, data := range p.Files {
		if there, err := fs.ReadFile(m.fsys, name); err == nil && bytes.Equal(there, data) {
			delete(p.Files, name)
		}
	}
	return p, nil
}
