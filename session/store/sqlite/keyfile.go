package sqlite

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/cloakroom/cloakroom/keys"
)

// LoadOrCreateKey reads the key in the file at path. If there is no such file it makes one, with
// mode 0600 and a fresh key. It refuses a file that anyone but its owner may read: whoever has the
// key and the database can act as every user in it. If several processes create the file at once,
// all of them get the same key.
func LoadOrCreateKey(path string) (keys.Key, error) {
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		if err := createKey(path); err != nil && !errors.Is(err, fs.ErrExist) {
			return keys.Key{}, fmt.Errorf("make key file: %w", err)
		}
	}
	return loadKey(path)
}

// createKey writes a key to a temporary file beside path and links it to path. The link fails if
// path exists by then. Even if the process is killed, path either holds the whole key or does not
// exist.
func createKey(path string) (err error) {
	folder := filepath.Dir(path)
	f, err := os.CreateTemp(folder, filepath.Base(path)+".new-*") // mode 0600
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.Remove(f.Name())) }()
	_, err = f.WriteString(keys.Generate().Reveal() + "\n")
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Link(f.Name(), path); err != nil {
		return err
	}
	return syncFolder(folder)
}

// syncFolder flushes a folder, so that its new entry survives a power failure.
func syncFolder(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func loadKey(path string) (keys.Key, error) {
	st, err := os.Stat(path)
	if err != nil {
		return keys.Key{}, fmt.Errorf("read key file: %w", err)
	}
	if st.Mode().Perm()&0o077 != 0 {
		return keys.Key{}, fmt.Errorf(
			"key file %q is open to others (mode %04o): "+
				"chmod 600 it, and if others may have read it, replace it",
			path, st.Mode().Perm(),
		)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return keys.Key{}, fmt.Errorf("read key file: %w", err)
	}
	key, err := keys.Parse(strings.TrimSpace(string(b)))
	if err != nil {
		return keys.Key{}, fmt.Errorf(
			"key file %q does not hold one base64 key of %d bytes: "+
				"restore it, or remove it and lose the sessions sealed under it",
			path, keys.Size,
		)
	}
	return key, nil
}
