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
	"github.com/serin-flags/serin/internal/regular"
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

// maxKeyFile is the most bytes that are read of a file in a keys folder. Roots
// are the longest, and clients refuse longer ones.
const maxKeyFile = 512 << 10

// Keys are what a publisher needs of one environment's keys. They don't include
// the root's private keys.
type Keys struct {
	// Root is the root.json that clients pin.
	Root []byte
	// Newer are the roots that follow Root, in order. Publish puts those that
	// the store lacks.
	Newer [][]byte
	// Online signs snapshot and timestamp, and targets too unless there is a key
	// for targets.
	Online Signer
	// Targets, if not nil, signs targets. A renewal doesn't need it.
	Targets Signer
	// Replaced are the keys that Online and Targets have replaced, if available.
	// With them, Publish can sign so that clients accept the publication both
	// before and after they see the newer root.
	Replaced []Signer
}

// A KeyFile is a file that was created in a keys folder.
type KeyFile struct {
	Path    string
	Secret  bool   // anyone who can read it can sign
	Purpose string // in a few sentences: what it is for and where it belongs
}

// InitKeys creates the keys of the environment env: dir/root.key, dir/online.key
// and dir/root.json. It is [Opener.Init] with default options.
func InitKeys(dir, env string) ([]KeyFile, error) {
	return Opener{}.Init(context.Background(), InitOptions{Dir: dir, Environment: env})
}

// LoadKeys is [Opener.Keys] for keys in files that aren't encrypted.
func LoadKeys(dir string) (Keys, error) { return Opener{}.Keys(context.Background(), dir) }

// Keys reads a keys folder: root.json, the <N>.root.json that follow it, online.key
// and, if it exists, targets.key. It doesn't read root keys. It leaves out roots that
// don't have enough signatures yet. Keys doesn't check that keys and roots belong
// together; [Publish] does.
func (o Opener) Keys(ctx context.Context, dir string) (Keys, error) {
	roots, err := readLineage(dir)
	if err != nil {
		return Keys{}, err
	}
	keys := Keys{Root: roots.pinned, Newer: roots.newer}
	if w := roots.waiting; w != nil {
		if w.Signed.Version == roots.last.Signed.Version {
			return Keys{}, fmt.Errorf("loading the pinned root: %s lacks signatures: it has %s",
				filepath.Join(dir, rootFile), inWords(roots.quorums))
		}
		if o.Warn != nil {
			o.Warn(fmt.Sprintf("version %d of the root isn't valid yet: it has %s", w.Signed.Version,
				inWords(roots.quorums)))
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

// old returns the file name under which the replaced key in the file called name is
// kept.
func old(name string) string { return strings.TrimSuffix(name, ".key") + oldSuffix }

// inWords describes how many signatures there are and how many are needed.
func inWords(quorums []Quorum) string {
	var words []string
	for _, q := range quorums {
		words = append(words,
			fmt.Sprintf("%d of %d signatures by the root keys of version %d", q.Have, q.Need, q.Version))
	}
	return strings.Join(words, ", ")
}

// InitOptions specify the keys of an environment.
type InitOptions struct {
	Dir         string // required; created if it doesn't exist
	Environment string // required
	// RootKeys are existing keys: private or public ones in files, or URIs.
	RootKeys []string
	// NewRootKeys is how many root keys to create in addition. If it is 0 and
	// there are no RootKeys, one is created.
	NewRootKeys int
	// Threshold is how many root keys must sign a root; 0 means one.
	Threshold int
	// Online and Targets are existing keys, or "new" to create one. If Online is
	// empty, a key is created; if Targets is empty, Online signs targets.
	Online, Targets string
	// RootPassphrase and OnlinePassphrase, if not empty, encrypt the keys that
	// are created.
	RootPassphrase, OnlinePassphrase []byte
	// Now is the clock. If it is nil, [time.Now] is used.
	Now func() time.Time
}

// newKeyword stands for a key to create.
const newKeyword = "new"

// Init creates the keys of an environment, and Dir/root.json, the root that clients
// pin. It signs the root with all private root keys that it has, and the root is valid
// for [RootLifetime]. New keys are ed25519: signing needs no random numbers, keys and
// signatures are small, and every TUF client supports it. Init never overwrites a
// file: if one exists, it returns an error that wraps [fs.ErrExist] and removes the
// files it has created.
func (o Opener) Init(ctx context.Context, opts InitOptions) ([]KeyFile, error) {
	made, err := o.init(ctx, opts)
	if err != nil {
		return nil, fmt.Errorf("creating the keys of %q in %s: %w", opts.Environment, opts.Dir, err)
	}
	return made, nil
}

func (o Opener) init(ctx context.Context, opts InitOptions) ([]KeyFile, error) {
	if !validEnvironment(opts.Environment) {
		return nil, errors.New(
			"the name of an environment must consist of letters, digits, '-', '_' and '.', and start with a letter or digit")
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
		purpose += " It has " + inWords(quorums) + ": have the other root keys sign it first."
	}
	w.add(rootFile, data, false, purpose)
	return w.write()
}

// validEnvironment reports whether env can be the last part of a repository's URL.
func validEnvironment(env string) bool {
	return bundle.ValidNamespace(env) && !strings.Contains(env, "/")
}

// A keyWriter collects the files of a keys folder and writes all of them or none.
type keyWriter struct {
	Opener
	dir     string
	root    root
	signers []Signer // root keys whose private keys are available
	files   []keyData
}

// keyData is a file to write.
type keyData struct {
	KeyFile
	data []byte
}

func (w *keyWriter) add(name string, data []byte, secret bool, purpose string) {
	w.files = append(w.files, keyData{KeyFile{filepath.Join(w.dir, name), secret, purpose}, data})
}

// rootKeys opens and creates the root keys.
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
			"Keep it offline, back it up, and keep it away from CI: publishing doesn't need it."
		if opts.NewRootKeys > 1 {
			name = "root-" + strconv.Itoa(n+1) + ".key"
			purpose = "A root key. Together, root keys decide which other keys are trusted; they sign nothing else. " +
				"Give each to a different person, to keep offline and backed up."
		}
		w.add(name, encoded, true, purpose)
		w.signers = append(w.signers, signer)
		if err := w.root.add(signer.Public(), metadata.ROOT); err != nil {
			return err
		}
	}
	return w.threshold(opts.Threshold)
}

// threshold sets how many root keys must sign; 0 leaves the number as it is.
func (w *keyWriter) threshold(n int) error {
	role := w.root.Signed.Roles[metadata.ROOT]
	if n > 0 {
		role.Threshold = n
	}
	if role.Threshold > len(role.KeyIDs) {
		return fmt.Errorf("the threshold of %d exceeds the number of root keys, %d: lower it, or add root keys",
			role.Threshold, len(role.KeyIDs))
	}
	return nil
}

// online opens or creates the key that signs for some roles, and adds its file.
func (w *keyWriter) online(ctx context.Context, file, name string, passphrase []byte, roles ...string) error {
	purpose := "The online key. It signs what is published. "
	switch {
	case file == targetsKeyFile:
		purpose = "The targets key. It signs which flags are published. "
	case len(roles) == 2:
		purpose = "The online key. It certifies that what is published is current. A renewal needs no other key. "
	}
	if name == newKeyword {
		encoded, signer, err := newKey(passphrase)
		if err != nil {
			return err
		}
		w.add(file, encoded, true, purpose+"Store it as a secret of the CI job that publishes, and nowhere else.")
		return w.root.replace(signer.Public(), roles...)
	}
	k, err := w.open(ctx, name)
	if err != nil {
		return fmt.Errorf("opening key %s: %w", name, err)
	}
	if isURI(name) {
		w.add(file, []byte(name+"\n"), false, purpose+"The file only names the key, so it isn't secret.")
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
				os.Remove(m.Path) // the first error is the one to report
			}
			return nil, err
		}
		made = append(made, file.KeyFile)
	}
	return made, nil
}

// writeNew writes a file that must not exist yet.
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
		os.Remove(path) // the first error is the one to report
	}
	return err
}

func readLimited(path string) ([]byte, error) {
	file, err := regular.Open(path)
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
