package session

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sync/errgroup"

	"github.com/cloakroom/cloakroom/keys"
	"github.com/cloakroom/cloakroom/session/storage"
)

const (
	keyPage     = 500 // records looked at in one go
	resealers   = 8   // records written at once
	outboxShown = 100_000
)

// A KeyUse says how much is sealed under one key.
type KeyUse struct {
	ID          string // what a record says of its key; see keys.HeadID
	Configured  bool   // false: the key is not in session.keys, and what it sealed can't be opened
	Sessions    int
	Revocations int // of those that wait for delivery
}

// KeyUses counts what is sealed under each key: first the configured keys, in their order, then
// others. It reads all sessions and calls progress with the number read so far.
func (m *Manager) KeyUses(ctx context.Context, progress func(seen int)) ([]KeyUse, error) {
	var uses []KeyUse
	at := map[string]int{}
	count := func(id string) *KeyUse {
		i, known := at[id]
		if !known {
			i = len(uses)
			at[id] = i
			uses = append(uses, KeyUse{ID: id})
		}
		return &uses[i]
	}
	for _, id := range m.keys.IDs() {
		count(id).Configured = true
	}
	err := m.eachHead(ctx, func(page []storage.Entry) error {
		for _, e := range page {
			count(keys.HeadID(e.Head)).Sessions++
		}
		return nil
	}, progress)
	if err != nil {
		return nil, err
	}
	waiting, _, err := m.outbox.Revocations(ctx, outboxShown)
	for _, r := range waiting {
		count(keys.HeadID(r.Head)).Revocations++
	}
	return uses, Unavailable(err)
}

// eachHead goes through all records, page by page, by their heads.
func (m *Manager) eachHead(ctx context.Context, visit func([]storage.Entry) error, progress func(seen int)) error {
	seen := 0
	for after := ""; ; {
		page, err := m.finder.List(ctx, after, keyPage)
		if err != nil {
			return Unavailable(err)
		}
		if err := visit(page); err != nil {
			return err
		}
		seen += len(page)
		progress(seen)
		if len(page) < keyPage {
			return nil
		}
		after = page[len(page)-1].Name
	}
}

// Reseal seals every record that is sealed under another configured key again, under the first key.
// The service may keep running. Reseal calls progress with the numbers of records read and moved,
// and returns how many it moved. Items of the outbox keep their key.
func (m *Manager) Reseal(ctx context.Context, progress func(seen, moved int)) (moved int, err error) {
	first := m.keys.IDs()[0]
	err = m.eachHead(ctx, func(page []storage.Entry) error {
		var group errgroup.Group
		group.SetLimit(resealers)
		results := make([]int, len(page))
		for i, e := range page {
			if keys.HeadID(e.Head) == first {
				continue
			}
			group.Go(func() (err error) {
				results[i], err = m.reseal(ctx, Name(e.Name))
				return err
			})
		}
		err := group.Wait()
		for _, n := range results {
			moved += n
		}
		return err
	}, func(seen int) { progress(seen, moved) })
	return moved, err
}

// reseal writes one record unchanged, and so under the first key. It skips a record that is gone or
// whose key is missing.
func (m *Manager) reseal(ctx context.Context, name Name) (moved int, err error) {
	for range maxCommitTries {
		_, err = m.tryCommit(ctx, name, func(*Record) error { return nil })
		switch {
		case err == nil:
			return 1, nil
		case errors.Is(err, ErrEnded), errors.Is(err, keys.ErrUnknownKey):
			return 0, nil
		case !errors.Is(err, storage.ErrConflict):
			return 0, err
		}
	}
	return 0, Unavailable(fmt.Errorf("seal a session anew: %w", err))
}
