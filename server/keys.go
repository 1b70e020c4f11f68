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

// readKeys reads session.keys. Left out, an SQLite store has a key file beside it, and a memory store,
// which forgets its sessions at the end anyway, gets a fresh key.
func (s *Server) readKeys(cfg *config.Config) (*keys.Ring, error) {
	if all := cfg.Keys.Keys; len(all) > 0 {
		return keys.NewRing(all[0], all[1:]...), nil
	}
	if !s.o.Store.IsZero() { // it may last, and a key that is made anew would open nothing of it
		return nil, &StartError{errors.New("session.keys is missing, and the store is the program's own"), "set a key, such as keys.Generate returns, and keep it"}
	}
	if path, ok := strings.CutPrefix(cfg.Store.URL.Reveal(), "sqlite:"); ok {
		key, err := sqlite.LoadOrCreateKey(path + ".key")
		if err != nil {
			return nil, &StartError{
				fmt.Errorf("read the key file beside session.store: %w", err),
				"the folder must be there and be writable, and the file the service's own (mode 0600); or name a key in `session.keys`",
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

// checkKeys stops the start with keys that open nothing of what is stored.
func (s *Server) checkKeys(ctx context.Context) error {
	err := s.sessions.CheckKeys(ctx)
	if errors.Is(err, session.ErrUnavailable) { // an outage, which passes; a wrong key does not
		s.log.WarnContext(ctx, "whether session.keys fit the store is not known", "error", err)
		return nil
	}
	return err
}

// newKeysTime bounds how long the store is asked about keys.
const newKeysTime = 10 * time.Second

// checkNewKeys returns an error if the keys of next must not be taken over, and warns if they don't open everything.
func (s *Server) checkNewKeys(next *keys.Ring) error {
	ctx, cancel := context.WithTimeout(context.Background(), newKeysTime)
	defer cancel()
	return s.sessions.CheckNewKeys(ctx, next)
}
