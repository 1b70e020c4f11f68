package session

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/cloakroom/cloakroom/keys"
	"github.com/cloakroom/cloakroom/session/storage"
)

// newKeysSample is how many records, and how many waiting revocations, CheckNewKeys looks at. It reads
// a few bytes of each.
const newKeysSample = 5000

// A keyFit says how many of the sessions and revocations looked at are sealed under a key that is not
// among some keys.
type keyFit struct {
	looked, foreign int
	foreignKeys     []string // their ids, as KeyUse has them
}

// CheckNewKeys says whether the keys of next may take the place of those there are. They may not when something is
// stored and they open none of it: every user would be refused until the old key is back. While the
// store can't be asked, only keys that hold all present ones may: those lose nothing. It logs
// how many records they don't open.
func (m *Manager) CheckNewKeys(ctx context.Context, next *keys.Ring) error {
	var fit keyFit
	sessions, err := m.someHeads(ctx)
	for _, head := range sessions {
		fit.look(next, head)
	}
	if fit.looked > 0 && fit.foreign == fit.looked {
		return fmt.Errorf(
			"none of the %d stored sessions looked at opens with these keys: "+
				"put the key that sealed them (key id %s) back into session.keys, after the new one",
			fit.looked, strings.Join(fit.foreignKeys, ", "))
	}
	var waiting []storage.Revocation
	if err == nil {
		waiting, _, err = m.outbox.Revocations(ctx, newKeysSample)
	}
	for _, r := range waiting {
		fit.look(next, r.Head)
	}
	if err != nil && !next.Covers(m.keys) {
		return fmt.Errorf("whether these keys open what is stored can't be seen while the store does not answer, "+
			"and one that was there is missing: try again when it does: %w", Unavailable(err))
	}
	if fit.foreign > 0 {
		m.log.WarnContext(ctx, "some stored sessions or revocations don't open with session.keys: "+
			"put their key back, after the first, until they are gone or sealed anew",
			"looked_at", fit.looked, "do_not_open", fit.foreign, "key_ids", fit.foreignKeys)
	}
	return nil
}

// someHeads are the heads of some of the stored records. Names are hashes, so the first ones are any.
func (m *Manager) someHeads(ctx context.Context) (heads [][]byte, err error) {
	enough := errors.New("seen enough")
	err = m.eachHead(ctx, func(page []storage.Entry) error {
		for _, e := range page {
			heads = append(heads, e.Head)
		}
		if len(heads) >= newKeysSample {
			return enough
		}
		return nil
	}, func(int) {})
	if errors.Is(err, enough) {
		err = nil
	}
	return heads, err
}

func (f *keyFit) look(ring *keys.Ring, head []byte) {
	f.looked++
	if ring.Knows(head) {
		return
	}
	f.foreign++
	if id := keys.HeadID(head); !slices.Contains(f.foreignKeys, id) {
		f.foreignKeys = append(f.foreignKeys, id)
	}
}
