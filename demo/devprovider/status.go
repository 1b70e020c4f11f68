package devprovider

import (
	"encoding/json"
	"net/http"
	"time"
)

// Status is what the provider has seen since it started. It holds no token values.
type Status struct {
	LiveRefreshTokens    int `json:"live_refresh_tokens"` // that a client could still use
	BrowserSessions      int `json:"browser_sessions"`
	Logins               int `json:"logins"`
	Renewals             int `json:"renewals"`
	Reuses               int `json:"reuses"` // of a spent refresh token; each killed its family
	Revocations          int `json:"revocations"`
	AccessTokensIssued   int `json:"access_tokens_issued"`
	LogoutTokensSent     int `json:"logout_tokens_sent"`
	LogoutTokensAccepted int `json:"logout_tokens_accepted"`
}

// Status is the state of this moment.
func (p *Provider) Status() Status {
	s := p.store
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.counts
	st.BrowserSessions = len(s.sessions)
	for token, f := range s.families {
		if f.current == token && f.alive() {
			st.LiveRefreshTokens++
		}
	}
	return st
}

// A Grant is what became of one login's refresh tokens.
type Grant struct {
	SID      string // of the ID token
	Alive    bool   // whether the newest refresh token would be taken
	Renewals int
	Reuses   int       // of a token that was spent
	Renewed  time.Time // when last; zero: never
}

// Grants are those of all logins, the oldest first.
func (p *Provider) Grants() []Grant {
	s := p.store
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]Grant, len(s.grants))
	for i, f := range s.grants {
		all[i] = Grant{f.sid, f.alive(), f.renewals, f.reuses, f.renewed}
	}
	return all
}

// status shows counts alone, so the demo's page may read it from its own origin.
func (p *Provider) status(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Access-Control-Allow-Origin", "*")
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(p.Status()) // the reader may be gone
}
