package provider

import (
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/cloakroom/cloakroom/provider/jose"
	"github.com/cloakroom/cloakroom/secret"
)

const (
	// DefaultExpiresIn is the life of an access token whose expires_in is missing, not a number, or not
	// positive (TE4).
	DefaultExpiresIn = 5 * time.Minute
	minExpiresIn     = time.Second
	maxExpiresIn     = 30 * 24 * time.Hour
)

// A TokenResponse is a checked success answer of the token endpoint (RFC 6749 §5.1). Members that are
// not known are ignored.
type TokenResponse struct {
	AccessToken, RefreshToken, IDToken secret.Value // the last two may be empty
	TokenType                          string       // Bearer in the provider's spelling
	Scope                              string       // as granted; see Exchange and Refresh for when it is absent
	// ExpiresIn is between 1 s and 30 days, or DefaultExpiresIn.
	ExpiresIn time.Duration
	// Issued is when the provider may have issued it, on our clock, which is the one to judge by (RN13): when it
	// was asked, since an answer can be late. A token that would have run out by then keeps a quarter of its life:
	// most slow providers lose their time before they issue it.
	Issued time.Time
}

// readTokenResponse checks the members that matter. The ID token is not looked at.
func (p *Provider) readTokenResponse(c jose.Object, asked time.Time) (*TokenResponse, error) {
	t := &TokenResponse{ExpiresIn: expiresIn(c["expires_in"])}
	now := p.now()
	t.Issued = now.Add(-min(max(time.Since(asked), 0), t.ExpiresIn*3/4))
	for name, to := range map[string]*secret.Value{
		"access_token": &t.AccessToken, "refresh_token": &t.RefreshToken, "id_token": &t.IDToken,
	} {
		if s, err := c.Text(name); err == nil { // what is no string is not there
			*to = secret.New(s)
		}
	}
	t.TokenType, _ = c.Text("token_type")
	t.Scope, _ = c.Text("scope")
	switch {
	case !headerSafe(t.AccessToken.Reveal()):
		return nil, &InvalidResponseError{Rule: "access_token", Issued: t}
	case !strings.EqualFold(t.TokenType, "Bearer"):
		// RFC 6749 §7.1: a client must not use a token of a type that it does not understand (TE3).
		return nil, &InvalidResponseError{Rule: "token_type", Issued: t}
	}
	return t, nil
}

// headerSafe reports whether a token is there and can travel in a header (RFC 6749 §A.12: VSCHAR).
func headerSafe(token string) bool {
	return token != "" && strings.IndexFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }) < 0
}

// expiresIn reads a number or a numeric string of seconds, fraction allowed.
func expiresIn(raw json.RawMessage) time.Duration {
	var s string
	if json.Unmarshal(raw, &s) != nil {
		s = string(raw)
	}
	seconds, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
	if err != nil && !math.IsInf(seconds, 1) || math.IsNaN(seconds) || seconds <= 0 {
		return DefaultExpiresIn
	}
	if seconds >= maxExpiresIn.Seconds() {
		return maxExpiresIn
	}
	return max(time.Duration(seconds*float64(time.Second)), minExpiresIn)
}
