package server

import (
	"fmt"
	"reflect"
	"slices"

	"github.com/cloakroom/cloakroom/config"
	"github.com/cloakroom/cloakroom/keys"
)

// Reload replaces session.keys with those of a configuration that was read again, without a pause:
// from now on the first key seals and signs, and all of them open and verify. Other changes take
// effect after a restart; Reload logs that there are some. It also logs that the keys are
// unchanged: an operator who then resealed everything with a key that no replica has would lock out
// all users. Keys that open nothing of what is stored are refused, as at the start. After an error
// the old keys stay. Reload may be called at any time.
func (s *Server) Reload(cfg *config.Config) error {
	s.reloading.Lock()
	defer s.reloading.Unlock()
	next, err := s.readKeys(cfg)
	if err != nil {
		return fmt.Errorf("read session.keys: %w", err)
	}
	if err := s.checkNewKeys(next); err != nil {
		return fmt.Errorf("session.keys stay as they were: %w", err)
	}
	old := s.keys.IDs()
	s.keys.Replace(next)
	ids := s.keys.IDs()
	s.log.Info("session.keys were read anew", "key_ids", ids)
	if slices.Equal(ids, old) {
		s.log.Warn("session.keys are unchanged: a running process does not see a change of ${NAME}, "+
			"only one of ${file:PATH}", "key_ids", ids)
	}
	before, after := *s.cfg, *cfg
	before.Keys, after.Keys = keys.Options{}, keys.Options{}
	if !reflect.DeepEqual(before, after) {
		s.log.Warn("the configuration has other changes, too; they take effect after a restart")
	}
	return nil
}
