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

// newKeysSample is how many records, and how many waiting revocations, CheckNewKeys examines. It
// reads a few bytes of each.
const newKeysSample = 5000

// A keyFit says how many of the examined sessions and revocations are sealed under a key that is
// missing from a ring.
type keyFit struct {
	looked, foreign int
	foreignKeys     []string // the ids of those keys; see KeyUse
}

// CheckNewKeys reports whether the keys of next may replace the present ones. They may not if there
// are stored sessions and they open none of them: every user would be refused until the old key is
// back. While the store can't be asked, next must contain all present keys, because then nothing is
// lost. CheckNewKeys logs how many records next does not open.
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

// someHeads returns the heads of some of the stored records. Names are hashes, so the first ones
// are a random sample.
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
