package proxy

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/cloakroom/cloakroom/problem"
	"github.com/cloakroom/cloakroom/session"
	"github.com/cloakroom/cloakroom/session/login"
)

// A Require lists what a route requires of the user besides a session. Zero fields require nothing.
type Require struct {
	ACR    []string          // the acr of the login must be one of these
	MaxAge time.Duration     // greatest time since the user logged in at the provider
	Scopes []string          // all must be granted
	Claims map[string]string // each claim must be this value or a list that contains it
}

// Any reports whether anything is required.
func (q *Require) Any() bool { return len(q.ACR)+len(q.Scopes)+len(q.Claims) > 0 || q.MaxAge > 0 }

// check returns nil for a session that meets all requirements. The error is 401 step_up_required if
// another login can help, and 403 if it can't.
func (q *Require) check(s *session.Session, now time.Time) error {
	var claims map[string]any
	if len(q.ACR) > 0 || len(q.Claims) > 0 {
		if err := json.Unmarshal(s.Record.Claims, &claims); err != nil {
			return problem.New(problem.Forbidden).CausedBy(err)
		}
	}
	granted := strings.Fields(s.Record.Scope)
	for _, scope := range q.Scopes {
		if !slices.Contains(granted, scope) {
			return problem.New(problem.Forbidden).
				WithDetail("this needs the scope " + scope + ", which was not granted")
		}
	}
	for name, want := range q.Claims {
		if !holds(claims[name], want) {
			return problem.New(problem.Forbidden).WithDetail("this needs another value of the claim " + name)
		}
	}
	acr, _ := claims["acr"].(string)
	weak := len(q.ACR) > 0 && !slices.Contains(q.ACR, acr)
	old := q.MaxAge > 0 && (s.Record.AuthTime.IsZero() || now.Sub(s.Record.AuthTime) > q.MaxAge)
	if !weak && !old {
		return nil
	}
	ask := url.Values{}
	if len(q.ACR) > 0 {
		ask.Set("acr_values", strings.Join(q.ACR, " "))
	}
	if q.MaxAge > 0 {
		ask.Set("max_age", strconv.Itoa(int(q.MaxAge.Seconds())))
	}
	return stepUp(ask, s)
}

// holds reports whether a claim is a value or a list that contains it.
func holds(claim any, want string) bool {
	switch v := claim.(type) {
	case string:
		return v == want
	case bool:
		return strconv.FormatBool(v) == want
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64) == want
	case []any:
		return slices.ContainsFunc(v, func(one any) bool { return holds(one, want) })
	}
	return false
}

// stepUp returns the 401 whose login URL asks for a stronger login at the same provider. The
// session goes on meanwhile.
func stepUp(ask url.Values, s *session.Session) error {
	ask.Set(login.StepUp, "1")
	ask.Set("provider", s.Record.Provider)
	p := problem.New(problem.StepUpRequired)
	p.LoginParams = ask
	return p
}

// wantsStepUp reports whether an API has rejected the user's login as too weak or too old (RFC 9470
// §3), and returns the acr values and the age that it asks for.
func wantsStepUp(res *http.Response) (ask url.Values, wanted bool) {
	if res.StatusCode != http.StatusUnauthorized && res.StatusCode != http.StatusForbidden {
		return nil, false
	}
	for _, c := range challenges(res.Header["Www-Authenticate"]) {
		if c.scheme != "bearer" && c.scheme != "dpop" || c.params["error"] != "insufficient_user_authentication" {
			continue
		}
		ask = url.Values{}
		if acr := c.params["acr_values"]; acr != "" && len(acr) <= 512 && utf8.ValidString(acr) {
			ask.Set("acr_values", acr)
		}
		if seconds, err := strconv.ParseUint(c.params["max_age"], 10, 31); err == nil {
			ask.Set("max_age", strconv.FormatUint(seconds, 10))
		}
		return ask, true
	}
	return nil, false
}
