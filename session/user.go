package session

import (
	"context"
	"slices"
)

// OfUser returns the live sessions of a user: who that is, an issuer and its subject say together (OIDC
// Core §2). A provider with an issuer template has users of several issuers under one index key, so that
// neighbours in version find the same sessions; nobody is given another issuer's.
func (m *Manager) OfUser(ctx context.Context, provider, issuer, subject string) ([]*Session, error) {
	return m.ofIssuer(ctx, subjectKey(provider, subject), issuer)
}

// OfSubject returns the live sessions of all users who have a subject at a provider (configured id), of
// whichever issuer: for administrators, who may not know it.
func (m *Manager) OfSubject(ctx context.Context, provider, subject string) ([]*Session, error) {
	return m.findBy(ctx, subjectKey(provider, subject))
}

// OfID returns the live session with a public handle, Record.ID; none when it is gone.
func (m *Manager) OfID(ctx context.Context, id string) ([]*Session, error) {
	return m.findBy(ctx, idKey(id))
}

// OfSID returns the live sessions that an issuer calls sid.
func (m *Manager) OfSID(ctx context.Context, provider, issuer, sid string) ([]*Session, error) {
	return m.ofIssuer(ctx, sidKey(provider, sid), issuer)
}

func (m *Manager) ofIssuer(ctx context.Context, key, issuer string) ([]*Session, error) {
	found, err := m.findBy(ctx, key)
	return slices.DeleteFunc(found, func(s *Session) bool { return s.Record.Issuer != issuer }), err
}

// decode is the record that a store has kept. One without an issuer, of an older layout, is the configured
// issuer's.
func (m *Manager) decode(plain []byte) (*Record, error) {
	rec, err := decode(plain)
	if err == nil && rec.Issuer == "" {
		rec.Issuer = m.issuers[rec.Provider]
	}
	return rec, err
}
