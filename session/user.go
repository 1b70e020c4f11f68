package session

import (
	"context"
	"slices"
)

// OfUser returns the live sessions of a user, who is identified by issuer and subject together
// (OIDC Core §2). At a provider with an issuer template, users of several issuers share one index
// key, so that builds of adjacent versions find the same sessions; OfUser returns only those of the
// given issuer.
func (m *Manager) OfUser(ctx context.Context, provider, issuer, subject string) ([]*Session, error) {
	return m.ofIssuer(ctx, subjectKey(provider, subject), issuer)
}

// OfSubject returns the live sessions of all users with a subject at a provider (configured id), of
// any issuer. It is for administrators, who may not know the issuer.
func (m *Manager) OfSubject(ctx context.Context, provider, subject string) ([]*Session, error) {
	return m.findBy(ctx, subjectKey(provider, subject))
}

// OfID returns the live session with a public handle, Record.ID; none if it is gone.
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

// decode decodes a stored record. A record of an older layout without an issuer gets the configured
// one.
func (m *Manager) decode(plain []byte) (*Record, error) {
	rec, err := decode(plain)
	if err == nil && rec.Issuer == "" {
		rec.Issuer = m.issuers[rec.Provider]
	}
	return rec, err
}
