package devprovider

import (
	"encoding/json"
	"net/http"
	"time"
)

// Status has the provider's counters since its start. It contains no tokens.
type Status struct {
	LiveRefreshTokens    int `json:"live_refresh_tokens"`
	BrowserSessions      int `json:"browser_sessions"`
	Logins               int `json:"logins"`
	Renewals             int `json:"renewals"`
	Reuses               int `json:"reuses"` // of a spent refresh token; each revoked its family
	Revocations          int `json:"revocations"`
	AccessTokensIssued   int `json:"access_tokens_issued"`
	LogoutTokensSent     int `json:"logout_tokens_sent"`
	LogoutTokensAccepted int `json:"logout_tokens_accepted"`
}

// Status returns the current counters.
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

// A Grant is the state of one login's refresh tokens.
type Grant struct {
	SID      string // of the ID token
	Alive    bool   // whether the newest refresh token is valid
	Renewals int
	Reuses   int       // of a spent refresh token
	Renewed  time.Time // time of the last renewal; zero if none
}

// Grants returns the grants of all logins, oldest first.
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

// status answers with the counters. Pages of any origin may read them; they contain nothing secret.
func (p *Provider) status(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Access-Control-Allow-Origin", "*")
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(p.Status()) // an error means that the caller is gone
}
