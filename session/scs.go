package session

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/alexedwards/scs/v2"
)

// newSCS sets up the session manager that the package comment speaks of. It is not made with
// scs.New, which starts a memory store with a goroutine that nobody stops. Persist stays off: the
// cookie lasts as long as the browser.
func newSCS(m *Manager, o Options) *scs.SessionManager {
	return &scs.SessionManager{
		Lifetime: o.Lifetime,
		Store:    scsStore{m},
		Codec:    scsCodec{},
		Cookie:   scsCookie(o.Site.NewCookie(o.Site.SessionCookie(), "")),
	}
}

// scsCookie has scs write its cookie with the attributes of c, all that there are.
func scsCookie(c *http.Cookie) scs.SessionCookie {
	return scs.SessionCookie{
		Name: c.Name, Domain: c.Domain, Path: c.Path, HttpOnly: c.HttpOnly, Secure: c.Secure,
		SameSite: c.SameSite, Partitioned: c.Partitioned,
	}
}

// knownPrefix begins what scs is given as the token of a session that there is already. No ticket
// has a colon.
const knownPrefix = "name:"

// known is the token of a session of which only the name is at hand: a strict cookie does not come
// along with an authorization response. It is "", no session, for no name.
func known(name Name) string {
	if name == "" {
		return ""
	}
	return knownPrefix + string(name)
}

// nameOf is the name of the session that scs means by a token: one that known made, or a new
// ticket.
func nameOf(token string) Name {
	if name, ok := strings.CutPrefix(token, knownPrefix); ok {
		return Name(name)
	}
	return ticket{value: token}.name()
}

// A scsCall is what a Manager has scs do. It goes along in the context, since scs hands its store
// no more than a token and bytes, and brings back what scs does not.
type scsCall struct {
	reason  Reason    // why the session that scs deletes ends
	starts  time.Time // when the session starts that takes its place; zero: none does
	deleted Name      // the session that RenewToken gave up
	started *Session  // as it was written
	first   bool      // nobody else ended the session that Destroy was for
}

type scsCallKey struct{}

func (c *scsCall) in(ctx context.Context) context.Context {
	return context.WithValue(ctx, scsCallKey{}, c)
}

// scsCallOf is the call that ctx belongs to.
func scsCallOf(ctx context.Context) (*scsCall, error) {
	call, ok := ctx.Value(scsCallKey{}).(*scsCall)
	if !ok {
		return nil, errNoCall
	}
	return call, nil
}

var (
	errNoCall   = errors.New("scs is used past the session manager")
	errNoRecord = errors.New("scs session holds no record")
)

// scsStore lets scs start and end sessions in a Manager's store.
type scsStore struct{ m *Manager }

// CommitCtx writes the record of a session that starts. There is no overwriting: later writes
// compare versions; see Manager.Commit.
func (s scsStore) CommitCtx(ctx context.Context, token string, plain []byte, _ time.Time) error {
	call, err := scsCallOf(ctx)
	if err != nil {
		return err
	}
	rec, err := decode(plain) // as it will be read again, and shared with nobody who could change it
	if err != nil {
		return err
	}
	call.started = &Session{
		Name: nameOf(token), Version: 1, Record: rec,
		LastActive: call.starts, IdleExpires: s.m.idleExpiry(call.starts, rec.ExpiresAt),
	}
	return s.m.begin(ctx, call, plain)
}

// FindCtx takes over a session that is there already, without its record: that is read by
// Manager.find alone.
func (s scsStore) FindCtx(_ context.Context, token string) ([]byte, bool, error) {
	return nil, strings.HasPrefix(token, knownPrefix), nil
}

// DeleteCtx ends a session. When another takes its place, that waits until the other is written:
// scs deletes first, and a store that failed in between would cost the user the session.
func (s scsStore) DeleteCtx(ctx context.Context, token string) error {
	call, err := scsCallOf(ctx)
	if err != nil {
		return err
	}
	if !call.starts.IsZero() {
		call.deleted = nameOf(token)
		return nil
	}
	call.first, err = s.m.endFirst(ctx, nameOf(token), call.reason)
	return err
}

// Commit implements scs.Store.
func (s scsStore) Commit(token string, plain []byte, expiry time.Time) error {
	return s.CommitCtx(context.Background(), token, plain, expiry)
}

// Find implements scs.Store.
func (s scsStore) Find(token string) ([]byte, bool, error) {
	return s.FindCtx(context.Background(), token)
}

// Delete implements scs.Store.
func (s scsStore) Delete(token string) error { return s.DeleteCtx(context.Background(), token) }

// recordKey is the one value of an scs session: the *Record.
const recordKey = "record"

// scsCodec writes a record, the one value of an scs session, as the plain bytes that are sealed.
type scsCodec struct{}

// Encode implements scs.Codec. The deadline is the record's absolute end.
func (scsCodec) Encode(deadline time.Time, values map[string]any) ([]byte, error) {
	rec, ok := values[recordKey].(*Record)
	if !ok {
		return nil, errNoRecord
	}
	dated := *rec
	dated.ExpiresAt = deadline
	return encode(&dated)
}

// Decode implements scs.Codec. FindCtx hands over no record, so there are no values.
func (scsCodec) Decode([]byte) (time.Time, map[string]any, error) {
	return time.Time{}, map[string]any{}, nil
}
