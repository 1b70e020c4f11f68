package server

import (
	"fmt"
	"reflect"

	"github.com/cloakroom/cloakroom/config"
)

// Reload takes session.keys over from a configuration that was read anew, without a pause: the first seals
// and signs from now on, all open and verify. Whatever else differs holds after a restart, which is said
// in the log. After an error the old keys hold. It may be called at any time.
func (s *Server) Reload(cfg *config.Config) error {
	s.reloading.Lock()
	defer s.reloading.Unlock()
	keys, err := s.keys(cfg)
	if err != nil {
		return fmt.Errorf("read session.keys: %w", err)
	}
	if err := s.sessions.SetKeys(keys); err != nil {
		return fmt.Errorf("take session.keys over: %w", err)
	}
	if err := s.login.SetKeys(keys); err != nil {
		return err
	}
	s.bff.SetKeys(keys)
	s.log.Info("session.keys were read anew", "keys", len(keys))
	before, after := *s.cfg, *cfg
	before.Session.Keys, after.Session.Keys = nil, nil
	if !reflect.DeepEqual(before, after) {
		s.log.Warn("the configuration has other changes too; they hold after a restart")
	}
	return nil
}
