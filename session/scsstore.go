package session

import (
	"context"
	"errors"
	"time"
)

// scsStore is our store as scs sees it: a new record is created sealed, a deleted one ends, with its
// tokens in the outbox. scs's plain methods, without a context, are never called when the others
// are there.
type scsStore struct{ m *Manager }

type startingKey struct{}

// starting is what Start knows of the record that scs is about to commit.
type starting struct {
	record          *Record
	idleExpires, at time.Time
}

// CommitCtx implements scs.CtxStore: it creates the record that Start put into ctx.
func (s scsStore) CommitCtx(ctx context.Context, name string, plain []byte, expiry time.Time) error {
	st, ok := ctx.Value(startingKey{}).(*starting)
	if !ok {
		return errors.New("write session: records are written by Start and Commit alone")
	}
	sealed, err := s.m.sealer.seal(Name(name), plain)
	if err != nil {
		return err
	}
	return Unavailable(s.m.store.Create(ctx, Entry{
		Name: Name(name), Sealed: sealed, Provider: st.record.Provider, Indices: st.record.indices(),
		CreatedAt: st.at, ExpiresAt: expiry, IdleExpires: st.idleExpires, LastActive: st.at,
	}))
}

// FindCtx implements scs.CtxStore.
func (s scsStore) FindCtx(ctx context.Context, name string) ([]byte, bool, error) {
	e, err := s.m.store.Load(ctx, Name(name))
	if errors.Is(err, ErrNotFound) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, Unavailable(err)
	}
	plain, err := s.m.sealer.open(Name(name), e.Sealed)
	return plain, err == nil, err
}

// DeleteCtx implements scs.CtxStore.
func (s scsStore) DeleteCtx(ctx context.Context, name string) error {
	return s.m.End(ctx, Name(name), ReasonLogout)
}

// Commit implements scs.Store.
func (s scsStore) Commit(name string, plain []byte, expiry time.Time) error {
	return s.CommitCtx(context.Background(), name, plain, expiry)
}

// Find implements scs.Store.
func (s scsStore) Find(name string) ([]byte, bool, error) {
	return s.FindCtx(context.Background(), name)
}

// Delete implements scs.Store.
func (s scsStore) Delete(name string) error { return s.DeleteCtx(context.Background(), name) }
