package session

import (
	"context"
	"errors"
	"time"

	"github.com/alexedwards/scs/v2"
)

// recordKey is the one value of an scs session: the *Record.
const recordKey = "record"

// newSCS sets up the session manager that makes tickets, sets deadlines, names records and writes the
// cookie. It is not made with scs.New, which starts a memory store with a goroutine that nobody stops.
// Its idle time-out stays off: it would write the whole record at each load, and put an old refresh
// token back over a renewed one. Persist stays off: the cookie lasts as long as the browser.
func newSCS(m *Manager, o Options) *scs.SessionManager {
	cookie := o.Site.NewCookie(o.Site.SessionCookie(), "")
	return &scs.SessionManager{
		Lifetime:         o.Lifetime,
		Store:            scsStore{m},
		Codec:            scsCodec{},
		HashTokenInStore: true,
		Cookie: scs.SessionCookie{
			Name: cookie.Name, Path: cookie.Path, HttpOnly: cookie.HttpOnly, Secure: cookie.Secure, SameSite: cookie.SameSite,
		},
	}
}

// scsStore lets scs use a Store. What scs calls a token is a record's Name here, for scs hashes
// tokens before it hands them over.
type scsStore struct{ m *Manager }

// CommitCtx creates the record of a session that starts. There is no overwriting: renewals go
// through Manager.Commit, which compares versions.
func (s scsStore) CommitCtx(ctx context.Context, token string, b []byte, expiry time.Time) error {
	rec, err := decode(b)
	if err != nil {
		return err
	}
	name := Name(token)
	now := s.m.now().UTC().Truncate(time.Millisecond) // CreatedAt is long ago where a session goes on
	return s.m.store.Create(ctx, Entry{
		Name: name, Version: 1, Sealed: s.m.keys.Seal(string(name), b), Provider: rec.Provider, Indices: indices(rec),
		CreatedAt: rec.CreatedAt, ExpiresAt: expiry, LastActive: now, IdleExpires: s.m.idleExpiry(now, expiry),
	})
}

// FindCtx returns the plain bytes of a live session's record.
func (s scsStore) FindCtx(ctx context.Context, token string) ([]byte, bool, error) {
	found, err := s.m.Get(ctx, Name(token))
	if errors.Is(err, ErrNoSession) || errors.Is(err, ErrSessionExpired) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	b, err := encode(found.Record)
	return b, err == nil, err
}

// DeleteCtx ends the session, for the reason in ctx.
func (s scsStore) DeleteCtx(ctx context.Context, token string) error {
	return s.m.End(ctx, Name(token), reasonFrom(ctx))
}

// Commit implements scs.Store.
func (s scsStore) Commit(token string, b []byte, expiry time.Time) error {
	return s.CommitCtx(context.Background(), token, b, expiry)
}

// Find implements scs.Store.
func (s scsStore) Find(token string) ([]byte, bool, error) {
	return s.FindCtx(context.Background(), token)
}

// Delete implements scs.Store.
func (s scsStore) Delete(token string) error { return s.DeleteCtx(context.Background(), token) }

type reasonKey struct{}

// withReason says why a session that scs is about to destroy ends.
func withReason(ctx context.Context, reason Reason) context.Context {
	return context.WithValue(ctx, reasonKey{}, reason)
}

// reasonFrom is what withReason said; unsaid, it is a logout.
func reasonFrom(ctx context.Context) Reason {
	if reason, ok := ctx.Value(reasonKey{}).(Reason); ok {
		return reason
	}
	return ReasonLogout
}
