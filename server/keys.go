package server

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/cloakroom/cloakroom/config"
	"github.com/cloakroom/cloakroom/keys"
	"github.com/cloakroom/cloakroom/session"
	"github.com/cloakroom/cloakroom/session/store/sqlite"
)

// readKeys returns session.keys. Without them, an SQLite store has a key file beside it, and a
// memory store, whose sessions end with the process, gets a new key.
func (s *Server) readKeys(cfg *config.Config) (*keys.Ring, error) {
	if all := cfg.Keys.Keys; len(all) > 0 {
		return keys.NewRing(all[0], all[1:]...), nil
	}
	if !s.o.Store.IsZero() { // it may outlive the process, and a new key could not open its sessions
		return nil, &StartError{
			errors.New("session.keys is missing, and the store is the program's own"),
			"set a key, such as keys.Generate returns, and keep it",
		}
	}
	if path, ok := strings.CutPrefix(cfg.Store.URL.Reveal(), "sqlite:"); ok {
		key, err := sqlite.LoadOrCreateKey(path + ".key")
		if err != nil {
			return nil, &StartError{
				fmt.Errorf("read the key file beside session.store: %w", err),
				"the folder must be there and be writable, and the file must belong to the service (mode 0600); " +
					"or name a key in `session.keys`",
			}
		}
		return keys.NewRing(key), nil
	}
	if s.ownKey == nil {
		key := keys.Generate()
		s.ownKey = &key
	}
	return keys.NewRing(*s.ownKey), nil
}

// checkKeys returns an error, which stops the start, if the keys open nothing of what is stored.
func (s *Server) checkKeys(ctx context.Context) error {
	err := s.sessions.CheckKeys(ctx)
	if errors.Is(err, session.ErrUnavailable) { // an outage ends; a wrong key stays wrong
		s.log.WarnContext(ctx, "session.keys could not be checked against the store", "error", err)
		return nil
	}
	return err
}

// newKeysTimeout limits how long the check of new keys against the store takes.
const newKeysTimeout = 10 * time.Second

// checkNewKeys returns an error if next must not replace the keys. It warns if next opens only a
// part of what is stored.
func (s *Server) checkNewKeys(next *keys.Ring) error {
	ctx, cancel := context.WithTimeout(context.Background(), newKeysTimeout)
	defer cancel()
	return s.sessions.CheckNewKeys(ctx, next)
}
