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

// LoadOrCreateKey reads the key in the file at path, making the file (mode 0600) with a fresh
// key if it is not there. It refuses a file that others than its owner may read: whoever has key and
// database can act as every user in it. Of several processes that make the file at once, one does, and
// all get its key.
func LoadOrCreateKey(path string) (keys.Key, error) {
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		if err := createKey(path); err != nil && !errors.Is(err, fs.ErrExist) {
			return keys.Key{}, fmt.Errorf("make key file: %w", err)
		}
	}
	return loadKey(path)
}

// createKey writes a key beside path and links it there, which fails if something is there by now: the
// file is whole or not there at all, even for a process that is killed.
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

// syncFolder has the folder's new entry outlive a power cut.
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
		return keys.Key{}, fmt.Errorf("key file %q is open to others (mode %04o): chmod 600 it, and if others may have read it, replace it", path, st.Mode().Perm())
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return keys.Key{}, fmt.Errorf("read key file: %w", err)
	}
	key, err := keys.Parse(strings.TrimSpace(string(b)))
	if err != nil {
		return keys.Key{}, fmt.Errorf("key file %q does not hold one base64 key of %d bytes: restore it, or remove it and lose the sessions sealed under it", path, keys.Size)
	}
	return key, nil
}
