package release

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/serin-flags/serin/bundle"
)

// The files of a keys folder.
const (
	rootKeyFile    = "root.key" // or root-1.key and so on
	onlineKeyFile  = "online.key"
	targetsKeyFile = "targets.key"
	rootFile       = "root.json"
	// oldSuffix takes the place of ".key" where a key has been replaced.
	oldSuffix = ".old.key"
)

// maxKeyFile is the length in bytes above which a file of a keys folder isn't
// read: roots are the longest, and clients refuse more.
const maxKeyFile = 512 << 10

// Keys are what a publisher needs of one environment's keys. The root's private
// keys aren't among them.
type Keys struct {
	// Root is the root.json that clients pin.
	Root []byte
	// Newer are the roots that follow it, in order. Publish puts those that
	// the store lacks.
	Newer [][]byte
	// Online signs snapshot and timestamp, and also targets unless Targets
	// does.
	Online Signer
	// Targets, if not nil, signs targets. A renewal can do without it.
	Targets Signer
	// Replaced are the keys that Online and Targets have taken the place of, as
	// far as they are at hand. With them, Publish can put what clients accept
	// both before and after they see the newer root.
	Replaced []Signer
}

// A KeyFile is a file that was made.
type KeyFile struct {
	Path    string
	Secret  bool   // whoever reads it can sign
	Purpose string // what it is for and where it belongs, in a few sentences
}

// InitKeys makes the keys of the environment called env: dir/root.key,
// dir/online.key and dir/root.json. It is [Opener.Init] at its simplest.
func InitKeys(dir, env string) ([]KeyFile, error) {
	return Opener{}.Init(context.Background(), InitOptions{Dir: dir, Environment: env})
}

// LoadKeys is [Opener.Keys] for keys that are files and not encrypted.
func LoadKeys(dir string) (Keys, error) { return Opener{}.Keys(context.Background(), dir) }

// Keys reads a keys folder: root.json and the <N>.root.json that follow it, and the
// key online.key, or targets.key for targets if there is such a file. It reads no
// root key; none need be there. Roots that haven't enough signatures yet are left
// out. Whether keys and roots belong together shows in [Publish].
func (o Opener) Keys(ctx context.Context, dir string) (Keys, error) {
	roots, err := readLineage(dir)
	if err != nil {
		return Keys{}, err
	}
	keys := Keys{Root: roots.pinned, Newer: roots.newer}
	if w := roots.waiting; w != nil {
		if w.Signed.Version == roots.last.Signed.Version {
			return Keys{}, fmt.Errorf("loading the pinned root: %s hasn't all signatures: %s", filepath.Join(dir, rootFile), inWords(roots.quorums))
		}
		if o.Warn != nil {
			o.Warn(fmt.Sprintf("version %d of the root doesn't count yet: %s", w.Signed.Version, inWords(roots.quorums)))
		}
	}
	if keys.Online, err = o.Signer(ctx, filepath.Join(dir, onlineKeyFile)); err != nil {
		return Keys{}, fmt.Errorf("loading the online key: %w", err)
	}
	for _, name := range []string{targetsKeyFile, old(targetsKeyFile), old(onlineKeyFile)} {
		signer, err := o.Signer(ctx, filepath.Join(dir, name))
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			return Keys{}, fmt.Errorf("loading %s: %w", name, err)
		case name == targetsKeyFile:
			keys.Targets = signer
		default:
			keys.Replaced = append(keys.Replaced, signer)
		}
	}
	return keys, nil
}

// old returns the name of the file for the key that was in the file called name.
func old(name string) string { return strings.TrimSuffix(name, ".key") + oldSuffix }

// inWords says how many signatures there are and should be.
func inWords(quorums []Quorum) string {
	var words []string
	for _, q := range quorums {
		words = append(words, fmt.Sprintf("%d of %d signatures by the root keys of version %d", q.Have, q.Need, q.Version))
	}
	return strings.Join(words, ", ")
}

// InitOptions say which keys to make for an environment.
type InitOptions struct {
	Dir         string // required; made if necessary
	Environment string // required
	// RootKeys are keys that exist: private or public ones in files, or URIs.
	RootKeys []string
	// NewRootKeys is how many root keys to make beside them. 0: one, if there
	// are no RootKeys.
	NewRootKeys int
	// Threshold is how many root keys have to sign a root. 0: one.
	Threshold int
	// Online and Targets are keys that exist, or "new". Online "": new.
	// Targets "": there is no such key, Online signs for it.
	Online, Targets string
	// RootPassphrase and OnlinePassphrase protect the keys that are made, if
	// they aren't empty.
	RootPassphrase, OnlinePassphrase []byte
	// Now is the clock. Nil: [time.Now].
	Now func() time.Time
}

// newKeyword stands for a key that is to be made.
const newKeyword = "new"

// Init makes the keys of an environment, and Dir/root.json, the root that clients
// pin: signed with all root keys that are at hand, and valid for [RootLifetime].
// Keys that it makes are ed25519: no signature depends on a good random number
// then, keys and signatures are small, and every TUF client must know it. Files are
// never overwritten: if any of them exists Init returns an error that wraps
// [fs.ErrExist] and leaves none of its own.
func (o Opener) Init(ctx context.Context, opts InitOptions) ([]KeyFile, error) {
	made, err := o.init(ctx, opts)
	if err != nil {
		return nil, fmt.Errorf("making the keys of %q in %s: %w", opts.Environment, opts.Dir, err)
	}
	return made, nil
}

func (o Opener) init(ctx context.Context, opts InitOptions) ([]KeyFile, error) {
	if !validEnvironment(opts.Environment) {
		return nil, errors.New("an environment's name has letters, digits, '-', '_' and '.', and starts with none of the last")
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if len(opts.RootKeys) == 0 && opts.NewRootKeys == 0 {
		opts.NewRootKeys = 1
	}
	if opts.Online == "" {
		opts.Online = newKeyword
	}
	w := &keyWriter{Opener: o, dir: opts.Dir, root: newRoot(opts.Environment, opts.Now())}
	if err := w.rootKeys(ctx, opts); err != nil {
		return nil, err
	}
	roles := []string{metadata.SNAPSHOT, metadata.TIMESTAMP}
	if opts.Targets == "" {
		roles = append(roles, metadata.TARGETS)
	} else if err := w.online(ctx, targetsKeyFile, opts.Targets, opts.OnlinePassphrase, metadata.TARGETS); err != nil {
		return nil, err
	}
	if err := w.online(ctx, onlineKeyFile, opts.Online, opts.OnlinePassphrase, roles...); err != nil {
		return nil, err
	}
	for _, signer := range w.signers {
		if err := w.root.sign(ctx, signer); err != nil {
			return nil, err
		}
	}
	data, err := w.root.ToBytes(false)
	if err != nil {
		return nil, err
	}
	if _, err := parseRoot(data); err != nil {
		return nil, err
	}
	purpose := "The root that clients pin. It is public. " +
		"Commit it, ship it with every client, and give it to the CI job that publishes."
	if quorums, err := w.root.quorums(nil); err != nil {
		return nil, err
	} else if !complete(quorums) {
		purpose += " It has " + inWords(quorums) + ": have it signed by the others first."
	}
	w.add(rootFile, data, false, purpose)
	return w.write()
}

// validEnvironment reports whether env can be the last part of a repository's
// URL.
func validEnvironment(env string) bool {
	return bundle.ValidNamespace(env) && !strings.Contains(env, "/")
}

// A keyWriter collects the files of a keys folder, and writes all or none.
type keyWriter struct {
	Opener
	dir     string
	root    root
	signers []Signer // the root keys that are at hand
	files   []keyData
}

// keyData is a file to be written.
type keyData struct {
	KeyFile
	data []byte
}

func (w *keyWriter) add(name string, data []byte, secret bool, purpose string) {
	w.files = append(w.files, keyData{KeyFile{filepath.Join(w.dir, name), secret, purpose}, data})
}

// rootKeys opens and makes the root keys.
func (w *keyWriter) rootKeys(ctx context.Context, opts InitOptions) error {
	for _, name := range opts.RootKeys {
		if err := w.addRoot(ctx, name, opts.RootPassphrase); err != nil {
			return err
		}
	}
	for n := range opts.NewRootKeys {
		encoded, signer, err := newKey(opts.RootPassphrase)
		if err != nil {
			return err
		}
		name, purpose := rootKeyFile, "The root key. It decides which other keys are trusted, and signs nothing else. "+
			"Keep it offline and backed up, away from CI: publishing doesn't need it."
		if opts.NewRootKeys > 1 {
			name = "root-" + strconv.Itoa(n+1) + ".key"
			purpose = "A root key. Root keys decide together which other keys are trusted, and sign nothing else. " +
				"Keep each with another person, offline and backed up."
		}
		w.add(name, encoded, true, purpose)
		w.signers = append(w.signers, signer)
		if err := w.root.add(signer.Public(), metadata.ROOT); err != nil {
			return err
		}
	}
	return w.threshold(opts.Threshold)
}

// threshold sets how many root keys must sign, unless that is to stay.
func (w *keyWriter) threshold(n int) error {
	role := w.root.Signed.Roles[metadata.ROOT]
	if n > 0 {
		role.Threshold = n
	}
	if role.Threshold > len(role.KeyIDs) {
		return fmt.Errorf("%d signatures by %d different root keys can't be had", role.Threshold, len(role.KeyIDs))
	}
	return nil
}

// online opens or makes the key that signs for some roles, and writes what the
// folder is to hold of it.
func (w *keyWriter) online(ctx context.Context, file, name string, passphrase []byte, roles ...string) error {
	purpose := "The online key. It signs what is published. "
	switch {
	case file == targetsKeyFile:
		purpose = "The targets key. It signs which flags are published. "
	case len(roles) == 2:
		purpose = "The online key. It signs that what is published is current, and is all that a renewal needs. "
	}
	if name == newKeyword {
		encoded, signer, err := newKey(passphrase)
		if err != nil {
			return err
		}
		w.add(file, encoded, true, purpose+"Keep it as a secret of the CI job that publishes, and nowhere else.")
		return w.root.replace(signer.Public(), roles...)
	}
	k, err := w.open(ctx, name)
	if err != nil {
		return fmt.Errorf("opening key %s: %w", name, err)
	}
	if isURI(name) {
		w.add(file, []byte(name+"\n"), false, purpose+"The file says where it is, and isn't secret.")
	}
	return w.root.replace(k.public, roles...)
}

// write writes the files. None of them may exist.
func (w *keyWriter) write() ([]KeyFile, error) {
	if err := os.MkdirAll(w.dir, 0o700); err != nil {
		return nil, err
	}
	var made []KeyFile
	for _, file := range w.files {
		if err := writeNew(file.Path, file.data, file.Secret); err != nil {
			for _, m := range made {
				os.Remove(m.Path) // the first error is the one to tell
			}
			return nil, err
		}
		made = append(made, file.KeyFile)
	}
	return made, nil
}

// writeNew writes a file that mustn't exist.
func writeNew(path string, data []byte, secret bool) error {
	mode := fs.FileMode(0o644)
	if secret {
		mode = 0o600
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = file.Write(data)
	err = errors.Join(err, file.Sync(), file.Close())
	if err != nil {
		os.Remove(path) // the first error is the one to tell
	}
	return err
}

func readLimited(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, maxKeyFile+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxKeyFile {
		return nil, fmt.Errorf("%s: %w", path, bundle.ErrTooLarge)
	}
	return data, nil
}
