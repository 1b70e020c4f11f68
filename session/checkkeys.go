package session

import (
	"context"
	"errors"
	"fmt"

	"github.com/cloakroom/cloakroom/keys"
	"github.com/cloakroom/cloakroom/session/storage"
)

// keySample is how many records CheckKeys reads.
const keySample = 20

// CheckKeys reads some of the stored records. It returns an error if there are records and none of
// them opens because its key is missing: then session.keys are not the keys of this store, every
// user would have to log in again, and nothing could be revoked. It is no error if only some keys
// are missing, as after a rotation.
func (m *Manager) CheckKeys(ctx context.Context) error {
	page, err := m.finder.List(ctx, "", keySample)
	if err != nil {
		return Unavailable(err)
	}
	foreign := 0
	for _, listed := range page {
		e, err := m.records.Load(ctx, listed.Name)
		if err == nil {
			_, err = m.open(e)
		}
		switch {
		case err == nil:
			return nil
		case errors.Is(err, keys.ErrUnknownKey):
			foreign++
		case !errors.Is(err, storage.ErrNotFound) && !errors.Is(err, keys.ErrUnreadable):
			return Unavailable(err)
		}
	}
	if foreign == 0 {
		return nil
	}
	return fmt.Errorf("no stored session opens (%d tried): %w; "+
		"put the key that sealed them into session.keys, after the new one",
		foreign, keys.ErrUnknownKey)
}
