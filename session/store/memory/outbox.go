package memory

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/cloakroom/cloakroom/keys"
	"github.com/cloakroom/cloakroom/session/storage"
)

// Enqueue implements storage.Outbox.
func (s *Store) Enqueue(ctx context.Context, r storage.Revocation) error {
	leave, err := s.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	if _, there := s.outbox[r.ID]; !there {
		r.Sealed = slices.Clone(r.Sealed)
		s.enqueue(r)
	}
	return nil
}

// Lease implements storage.Outbox.
func (s *Store) Lease(
	ctx context.Context, now time.Time, lease time.Duration, limit int,
) ([]storage.Revocation, error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	var leased []storage.Revocation
	for len(leased) < limit {
		item, ok := s.due.take(now)
		if !ok {
			break
		}
		r, ok := s.outbox[item.key]
		if !ok || !r.NotBefore.Equal(item.at) {
			continue // the item is done, or was put off since
		}
		leased = append(leased, r)
		r.NotBefore = now.Add(lease)
		s.enqueue(r)
	}
	return leased, nil
}

// Retry implements storage.Outbox.
func (s *Store) Retry(
	ctx context.Context, id string, notBefore time.Time, lastError string,
) error {
	leave, err := s.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	if r, ok := s.outbox[id]; ok {
		r.NotBefore, r.LastError = notBefore, lastError
		r.Attempts++
		s.enqueue(r)
	}
	return nil
}

// Done implements storage.Outbox.
func (s *Store) Done(ctx context.Context, id string) error {
	leave, err := s.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	delete(s.outbox, id)
	return nil
}

// Revocations implements storage.Outbox.
func (s *Store) Revocations(ctx context.Context, limit int) ([]storage.Revocation, int, error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return nil, 0, err
	}
	defer leave()
	// The page stays sorted and at most limit long, so that a long outbox is not sorted as a whole.
	var page []storage.Revocation
	for _, r := range s.outbox {
		i, _ := slices.BinarySearchFunc(page, r, oldestFirst)
		if i == limit {
			continue
		}
		r.Head, r.Sealed = keys.HeadOf(r.Sealed), nil
		page = slices.Insert(page, i, r)
		page = page[:min(limit, len(page))]
	}
	return page, len(s.outbox), nil
}

func oldestFirst(a, b storage.Revocation) int {
	return cmp.Or(a.EndedAt.Compare(b.EndedAt), cmp.Compare(a.ID, b.ID))
}

// MarkOnce implements storage.Marks.
func (s *Store) MarkOnce(ctx context.Context, key string, until time.Time) (bool, error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return false, err
	}
	defer leave()
	if s.marked(key) {
		return false, nil
	}
	s.marks[key] = until
	return true, nil
}

// Marked implements storage.Marks.
func (s *Store) Marked(ctx context.Context, key string) (bool, error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return false, err
	}
	defer leave()
	return s.marked(key), nil
}

func (s *Store) marked(key string) bool { return s.marks[key].After(time.Now()) }

// enqueue puts r where it belongs by its NotBefore. What stands in the queue for it already is
// passed over when its turn comes.
func (s *Store) enqueue(r storage.Revocation) {
	s.outbox[r.ID] = r
	s.due.add(r.NotBefore, r.ID)
}
