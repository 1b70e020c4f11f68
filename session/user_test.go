package session_test

import (
	"context"
	"slices"
	"testing"

	"github.com/cloakroom/cloakroom/session"
)

// ID14: a user is an issuer and its subject, a provider's session an issuer and its sid. A stored
// record without an issuer is the configured one's.
func TestUsersAreFoundByIssuerAndSubject(t *testing.T) {
	const red, blue, configured = "https://id.example/red", "https://id.example/blue", "https://id.example"
	w := newWorld(t, noCache, func(o *session.Options) { o.Issuers = map[string]string{"main": configured} })
	of := func(issuer string) session.Name {
		s, _ := w.start(func(r *session.Record) { r.Issuer, r.SID = issuer, "sid" })
		return s.Name
	}
	want := map[string]session.Name{red: of(red), blue: of(blue), configured: of("")}
	for issuer, name := range want {
		users, err := w.OfUser(context.Background(), "main", issuer, "alice")
		if got := names(users); err != nil || !slices.Equal(got, []session.Name{name}) {
			t.Errorf("sessions of alice of %q = %v, %v; want %v", issuer, got, err, name)
		}
		sids, err := w.OfSID(context.Background(), "main", issuer, "sid")
		if got := names(sids); err != nil || !slices.Equal(got, []session.Name{name}) {
			t.Errorf("sessions of sid of %q = %v, %v; want %v", issuer, got, err, name)
		}
	}
	for _, name := range want {
		if err := w.End(context.Background(), name, session.ReasonLogout); err != nil {
			t.Fatal(err)
		}
	}
	for _, rec := range w.outbox() {
		if want[rec.Issuer] == "" {
			t.Errorf("a revocation is of issuer %q", rec.Issuer)
		}
	}
}

// ST5: one user's many logins end no session of another tenant's user with the same subject.
func TestTooManySessionsOfATenantsUserEndTheirOwnAlone(t *testing.T) {
	w := newWorld(t, func(o *session.Options) { o.MaxPerUser = 2 })
	other, _ := w.start(func(r *session.Record) { r.Issuer = "https://id.example/blue" })
	for range 5 {
		w.start(func(r *session.Record) { r.Issuer = "https://id.example/red" })
	}
	for issuer, want := range map[string]int{"https://id.example/red": 2, "https://id.example/blue": 1} {
		if found, err := w.OfUser(context.Background(), "main", issuer, other.Record.Subject); err != nil || len(found) != want {
			t.Errorf("sessions of %s = %d, %v; want %d", issuer, len(found), err, want)
		}
	}
}
