package session

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"

	"github.com/cloakroom/cloakroom/keys"
	"github.com/cloakroom/cloakroom/secret"
)

// stored is the form of a Record that is sealed and kept in a store. Only here are its secrets
// written out. The names are short because a store may keep a million of them. Times are
// milliseconds.
type stored struct {
	ID           string          `json:"id,omitempty"`
	LogoutID     string          `json:"lo,omitempty"`
	Provider     string          `json:"p,omitempty"`
	Issuer       string          `json:"iss,omitempty"`
	Subject      string          `json:"sub,omitempty"`
	SID          string          `json:"sid,omitempty"`
	State        string          `json:"st,omitempty"`
	Claims       json.RawMessage `json:"c,omitempty"`
	AuthTime     millis          `json:"at,omitempty"`
	Scope        string          `json:"sc,omitempty"`
	Granted      string          `json:"sg,omitempty"` // left out if equal to Scope
	TokenType    string          `json:"tt,omitempty"`
	UserAgent    string          `json:"ua,omitempty"`
	RemoteAddr   string          `json:"ra,omitempty"`
	AccessToken  string          `json:"a,omitempty"`
	RefreshToken string          `json:"r,omitempty"`
	IDToken      string          `json:"i,omitempty"`
	Obtained     millis          `json:"ao,omitempty"`
	Expires      millis          `json:"ax,omitempty"`
	CreatedAt    millis          `json:"cr,omitempty"`
	ExpiresAt    millis          `json:"x,omitempty"`
	Renewals     int             `json:"n,omitempty"`
	LoginNeeded  millis          `json:"ln,omitempty"`
}

// millis is a time in milliseconds since 1970; 0 is the zero time.
type millis int64

func millisOf(t time.Time) millis {
	if t.IsZero() {
		return 0
	}
	return millis(t.UnixMilli())
}

func (m millis) time() time.Time {
	if m == 0 {
		return time.Time{}
	}
	return time.UnixMilli(int64(m)).UTC()
}

// encode encodes rec for sealing, without tokens in its claims. It fails only if Claims is not
// JSON.
func encode(rec *Record) ([]byte, error) {
	clean := *rec
	clean.DropTokens()
	rec = &clean
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	granted := rec.Granted
	if granted == rec.Scope {
		granted = ""
	}
	err := e.Encode(stored{
		ID: rec.ID, LogoutID: rec.LogoutID, Provider: rec.Provider, Issuer: rec.Issuer,
		Subject: rec.Subject, SID: rec.SID, State: rec.State, Claims: rec.Claims,
		AuthTime: millisOf(rec.AuthTime), Scope: rec.Scope, Granted: granted,
		TokenType: rec.TokenType, UserAgent: rec.UserAgent, RemoteAddr: rec.RemoteAddr,
		AccessToken: rec.AccessToken.Reveal(), RefreshToken: rec.RefreshToken.Reveal(),
		IDToken:  rec.IDToken.Reveal(),
		Obtained: millisOf(rec.AccessTokenObtained), Expires: millisOf(rec.AccessTokenExpires),
		CreatedAt: millisOf(rec.CreatedAt), ExpiresAt: millisOf(rec.ExpiresAt),
		Renewals: rec.Renewals, LoginNeeded: millisOf(rec.LoginNeeded),
	})
	if err != nil {
		return nil, fmt.Errorf("encode record: %w", err)
	}
	return b.Bytes(), nil
}

// decode decodes what encode wrote. Its errors say nothing about the content.
func decode(plain []byte) (*Record, error) {
	var s stored
	if err := json.Unmarshal(plain, &s); err != nil {
		return nil, fmt.Errorf("%w: not a record", keys.ErrUnreadable)
	}
	rec := &Record{
		ID: s.ID, LogoutID: s.LogoutID, Provider: s.Provider, Issuer: s.Issuer,
		Subject: s.Subject, SID: s.SID, State: s.State, Claims: s.Claims,
		AuthTime: s.AuthTime.time(), Scope: s.Scope, Granted: s.Granted,
		TokenType: s.TokenType, UserAgent: s.UserAgent, RemoteAddr: s.RemoteAddr,
		AccessToken: secret.New(s.AccessToken), RefreshToken: secret.New(s.RefreshToken),
		IDToken:             secret.New(s.IDToken),
		AccessTokenObtained: s.Obtained.time(), AccessTokenExpires: s.Expires.time(),
		CreatedAt: s.CreatedAt.time(), ExpiresAt: s.ExpiresAt.time(),
		Renewals: s.Renewals, LoginNeeded: s.LoginNeeded.time(),
	}
	rec.DropTokens() // an older version may have written it
	return rec, nil
}
