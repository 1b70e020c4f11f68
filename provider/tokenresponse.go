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
	// DefaultExpiresIn is the lifetime of an access token whose expires_in is missing, not a
	// number, or not positive (TE4).
	DefaultExpiresIn = 5 * time.Minute
	minExpiresIn     = time.Second
	maxExpiresIn     = 30 * 24 * time.Hour
)

// A TokenResponse is a checked success answer of the token endpoint (RFC 6749 §5.1). Unknown
// members are ignored.
type TokenResponse struct {
	AccessToken, RefreshToken, IDToken secret.Value // the last two may be empty
	TokenType                          string       // Bearer in the provider's spelling
	Scope                              string       // as granted; see Exchange and Refresh
	// ExpiresIn is between 1 s and 30 days, or DefaultExpiresIn.
	ExpiresIn time.Duration
	// Issued is the earliest time at which the provider can have issued the token, on our clock, by
	// which expiry is judged (RN13): the time of the request, since the answer can be slow. If the
	// token would already have expired by that reckoning, Issued leaves it a quarter of its life:
	// most slow providers lose their time before they issue the token.
	Issued time.Time
}

// readTokenResponse checks the access token and its type. It does not verify the ID token.
func (p *Provider) readTokenResponse(c jose.Object, asked time.Time) (*TokenResponse, error) {
	t := &TokenResponse{ExpiresIn: expiresIn(c["expires_in"])}
	now := p.now()
	t.Issued = now.Add(-min(max(time.Since(asked), 0), t.ExpiresIn*3/4))
	for name, to := range map[string]*secret.Value{
		"access_token": &t.AccessToken, "refresh_token": &t.RefreshToken, "id_token": &t.IDToken,
	} {
		if s, err := c.Text(name); err == nil { // a member that is not a string counts as absent
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

// headerSafe reports whether a token is not empty and can be sent in a header (RFC 6749 §A.12:
// VSCHAR).
func headerSafe(token string) bool {
	unsafe := func(r rune) bool { return r <= ' ' || r > '~' }
	return token != "" && !strings.ContainsFunc(token, unsafe)
}

// expiresIn reads a number of seconds, which may be a string and may have a fraction.
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
