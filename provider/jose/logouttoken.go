package jose

import (
	"context"
	"encoding/json"
	"errors"
	"time"
)

const (
	maxLogoutToken = 16 << 10
	logoutEvent    = "http://schemas.openid.net/event/backchannel-logout"
	// logoutTokenLife is how long a logout token without exp is valid after its iat, with
	// Expectations.LogoutByIssued. It includes the difference between the clocks. §2.4 recommends
	// "at most two minutes".
	logoutTokenLife = 2 * time.Minute
)

// A LogoutToken is a verified logout token. Subject, SID or both are set. The caller must remember
// JTI until Expiry, to detect replays.
type LogoutToken struct {
	Issuer, Subject, SID, JTI string
	IssuedAt, Expiry          time.Time
}

// LogoutToken makes the checks of OIDC Back-Channel Logout §2.6, except for replay. The error is an
// *InvalidLogoutTokenError, ErrBusy, or that of Keys.
//
// Anyone can send anything here. Everything that needs no key is checked before the signature, and
// causes no fetch (BC13). Only a few signatures are checked at a time, and clients take turns;
// client "" stands for all who can't be told apart. No token is refused because many come from one
// address: the provider's own may be among them, and just wait a little.
func (v *Verifier) LogoutToken(ctx context.Context, client, raw string) (*LogoutToken, error) {
	t, err := v.readLogoutToken(ctx, client, raw)
	var b *breach
	if errors.As(err, &b) {
		return nil, &InvalidLogoutTokenError{Rule: b.rule, Detail: b.detail, Remedy: remedyFor(b)}
	}
	return t, err
}

// remedyFor returns what an operator can do about a logout token that was refused.
func remedyFor(b *breach) string {
	if b.rule == "exp" && b.detail == missing {
		return "set logout_token_exp: iat for this provider, if it never sends exp (Ory Hydra does not)"
	}
	if b.detail == noNumber {
		b = &breach{} // comparing the clocks would not help
	}
	switch b.rule {
	case "iss":
		return "compare issuer (and tenants) with what this provider writes into its tokens"
	case "aud":
		return "register the back-channel logout URI with this client alone; name further audiences in trusted_audiences"
	case "alg":
		return "set id_token_alg to the algorithm that this client is registered with at the provider"
	case "exp", "iat", "nbf":
		return "compare the clocks of the provider and of this host"
	case "sub":
		return "have the provider send sid (its \"session required\" setting) or sub"
	case "jti":
		return "the provider must send a jti; without one a replay can't be detected"
	case "signature":
		return "compare jwks_uri with the key that the provider signs with; if that is right, somebody forges tokens"
	}
	return "nothing, if somebody else sent it; a provider that sends such tokens must be corrected"
}

func (v *Verifier) readLogoutToken(ctx context.Context, client, raw string) (*LogoutToken, error) {
	kind := tokenKind{
		types:      []string{"", "jwt", "logout+jwt"}, // §2.4 asks for logout+jwt, older providers send none (BC7)
		limit:      maxLogoutToken,
		from:       &v.keys.strangers,
		client:     client,
		withoutExp: true,
	}
	sent, err := v.inspect(raw, kind)
	if err != nil {
		return nil, err
	}
	if err := v.checkParties(sent); err != nil {
		return nil, err
	}
	if _, err := v.logoutToken(sent); err != nil {
		return nil, err
	}
	by, err := v.verify(ctx, raw, sent, kind)
	if err != nil {
		return nil, err
	}
	return v.logoutToken(by.claims)
}

// logoutToken reads and checks the claims that are special to a logout token, and its times.
func (v *Verifier) logoutToken(c Object) (*LogoutToken, error) {
	// BC6: a token with a nonce, whatever its value, is an ID token (§2.4).
	if c.Has("nonce") {
		return nil, broken("nonce", "a logout token has none")
	}
	if err := checkEvents(c["events"]); err != nil {
		return nil, err
	}
	t := &LogoutToken{}
	var err error
	if t.Issuer, err = c.Text("iss"); err != nil {
		return nil, errIssuer()
	}
	if t.IssuedAt, t.Expiry, err = v.checkLogoutTimes(c); err != nil {
		return nil, err
	}
	for name, to := range map[string]*string{"sub": &t.Subject, "sid": &t.SID, "jti": &t.JTI} {
		if *to, err = checkName(c, name); err != nil {
			return nil, err
		}
	}
	switch {
	case t.JTI == "":
		return nil, broken("jti", missing) // BC8: without one a replay can't be detected
	case t.Subject == "" && t.SID == "":
		return nil, broken("sub", "neither sub nor sid is there") // BC4
	}
	return t, nil
}

// checkLogoutTimes checks exp, nbf and iat. A token without exp is limited by its iat, if the
// operator allows that (BC3).
func (v *Verifier) checkLogoutTimes(c Object) (issued, expiry time.Time, err error) {
	if _, there, err := c.time("exp"); there || err != nil || !v.want.LogoutByIssued {
		if expiry, err = v.checkExpiry(c); err != nil {
			return issued, expiry, err
		}
		issued, err = v.checkIssued(c)
		return issued, expiry, err
	}
	if issued, err = v.checkIssued(c); err != nil {
		return issued, expiry, err
	}
	if expiry = issued.Add(logoutTokenLife); !v.want.Now().Before(expiry) {
		return issued, expiry, broken("iat", "it was issued at %s, and has no exp", rfc3339(issued))
	}
	return issued, expiry, nil
}

// checkEvents requires an object with the back-channel logout member, which must be an object, too
// (§2.4, BC5).
func checkEvents(raw json.RawMessage) error {
	var events map[string]json.RawMessage
	var member map[string]json.RawMessage
	if raw == nil || json.Unmarshal(raw, &events) != nil ||
		json.Unmarshal(events[logoutEvent], &member) != nil || member == nil {
		return broken("events", "there is no back-channel logout event")
	}
	return nil
}
