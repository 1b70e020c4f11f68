package server

import (
	"fmt"
	"reflect"
	"slices"

	"github.com/cloakroom/cloakroom/config"
	"github.com/cloakroom/cloakroom/keys"
)

// Reload takes session.keys over from a configuration that was read anew, without a pause: the first seals
// and signs from now on, all open and verify. Whatever else differs holds after a restart, which is said
// in the log, as is that the keys did not change: who goes on to reseal under a key that no replica has would
// lock everybody out. Keys that open nothing of what is stored are refused, as they are at the start.
// After an error the old keys hold. It may be called at any time.
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
		s.log.Warn("session.keys are those that there were; a running process sees no change of ${NAME}, but one of ${file:PATH}", "key_ids", ids)
	}
	before, after := *s.cfg, *cfg
	before.Keys, after.Keys = keys.Options{}, keys.Options{}
	if !reflect.DeepEqual(before, after) {
		s.log.Warn("the configuration has other changes too; they hold after a restart")
	}
	return nil
}
