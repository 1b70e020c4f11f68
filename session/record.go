package session

import (
	"encoding/json"
	"time"

	"github.com/cloakroom/cloakroom/secret"
)

// A Name is what the store knows a session by: the base64url SHA-256 of its ticket. Knowing it does
// not let anyone in.
type Name string

// A Record is what a login started: the user, and the tokens that act for them. A Record that a
// Session holds is shared by every request of that session and is never changed; whoever has
// something to write changes a copy, in the function given to Manager.Commit.
type Record struct {
	ID       string // public handle: session lists, admin API, logs; random, tells nothing of the ticket
	LogoutID string // the `sid` of /bff/logout: proof that a logout link was made for this session

	Provider   string          // configured id
	Issuer     string          // with Subject, the user (OIDC Core §2: sub is unique only within an issuer)
	Subject    string          // sub of the ID token
	SID        string          // the provider's own session id (sid claim); empty when it sends none
	State      string          // session_state, where the provider sends one
	Claims     json.RawMessage // one JSON object: the ID token's claims, completed by userinfo's
	AuthTime   time.Time       // auth_time claim; zero when absent
	Scope      string          // as granted last, space separated; never more than Granted
	Granted    string          // the login's scope, if a renewal was granted less; empty: it is Scope
	TokenType  string          // as the provider spelled it
	UserAgent  string          // of the browser at login, at most 256 bytes
	RemoteAddr string          // shortened address of the browser at login

	AccessToken  secret.Value
	RefreshToken secret.Value // empty: this session can't be renewed
	IDToken      secret.Value // the last one, for id_token_hint

	AccessTokenObtained time.Time // when the token response came
	AccessTokenExpires  time.Time // judged on our clock from expires_in (never read out of the token)
	CreatedAt           time.Time
	ExpiresAt           time.Time // absolute
	Renewals            int       // renewals so far; 0 at the end means the refresh token was never needed
	// LoginNeeded is when the provider last refused to renew the session until its user has logged
	// in again. Zero: it does not refuse. The session and its refresh token stay until that login.
	LoginNeeded time.Time
}

// A Session is a record as read at one moment. It is safe to share and must not be changed.
type Session struct {
	Name    Name
	Version uint64
	Record  *Record
	// IdleExpires is when the session ends if nothing more happens; zero without an idle time-out.
	IdleExpires time.Time
	LastActive  time.Time
}

// Expires is when the session runs out, by age or idleness, unless there is activity before.
func (s *Session) Expires() time.Time {
	if !s.IdleExpires.IsZero() && s.IdleExpires.Before(s.Record.ExpiresAt) {
		return s.IdleExpires
	}
	return s.Record.ExpiresAt
}

// activeAt is a copy of s with times moved forward, never back.
func (s *Session) activeAt(lastActive, idleExpires time.Time) *Session {
	moved := *s
	if lastActive.After(moved.LastActive) {
		moved.LastActive = lastActive
	}
	if idleExpires.After(moved.IdleExpires) {
		moved.IdleExpires = idleExpires
	}
	return &moved
}

// A Reason says why a session ended; it is what /bff/events, the audit log and metrics show.
type Reason string

// The reasons. The last two are not told to browsers as they are; see Public.
const (
	ReasonLogout         Reason = "logout"          // the user, here or on another device
	ReasonExpired        Reason = "expired"         // absolute or idle
	ReasonRevoked        Reason = "revoked"         // an administrator
	ReasonProviderLogout Reason = "provider_logout" // back-channel or front-channel
	ReasonReplaced       Reason = "replaced"        // a new login in the same browser
	ReasonSurplus        Reason = "surplus"         // a newer one of a user with too many
	ReasonRefused        Reason = "refused"         // the provider refused the refresh token or broke the rules
	ReasonContinued      Reason = "continued"       // it continues under a new ticket: a step-up or a silent login
	reasonUnreadable     Reason = "unreadable"      // the stored record does not open
)

// Public is the reason as the browser is told it, one of those in docs/endpoints.md.
func (r Reason) Public() string {
	switch r {
	case ReasonContinued: // a browser that missed its new ticket
		return string(ReasonLogout)
	case reasonUnreadable:
		return string(ReasonRevoked)
	}
	return string(r)
}
