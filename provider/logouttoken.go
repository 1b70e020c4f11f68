package provider

import (
	"context"
	"encoding/json"
	"errors"
	"time"
)

const (
	maxLogoutToken = 16 << 10
	logoutEvent    = "http://schemas.openid.net/event/backchannel-logout"
)

// A LogoutToken is a verified logout token. Subject, SID or both are set. Whether its JTI has been
// seen before is for the caller to remember, until Expiry.
type LogoutToken struct {
	Issuer, Subject, SID, JTI string
	IssuedAt, Expiry          time.Time
}

// VerifyLogoutToken makes the checks of OIDC Back-Channel Logout §2.6, replay excepted. The error is an
// *InvalidLogoutTokenError, or that of fetching keys (ErrUnreachable, ErrMisconfigured). Anyone may
// call with anything: what is wrong in shape, algorithm, issuer or audience costs no fetch (BC13).
func (p *Provider) VerifyLogoutToken(ctx context.Context, raw string) (*LogoutToken, error) {
	t, err := p.readLogoutToken(ctx, raw)
	var b *breach
	if errors.As(err, &b) {
		return nil, &InvalidLogoutTokenError{Rule: b.rule, Detail: b.detail}
	}
	return t, err
}

func (p *Provider) readLogoutToken(ctx context.Context, raw string) (*LogoutToken, error) {
	c, err := p.verifySigned(ctx, raw, tokenKind{
		types:   []string{"", "jwt", "logout+jwt"}, // §2.4 asks for logout+jwt, older providers send none (BC7)
		limit:   maxLogoutToken,
		limiter: p.keys.strangers,
	})
	if err != nil {
		return nil, err
	}
	// BC6: a nonce of any value marks an ID token (§2.4).
	if c.has("nonce") {
		return nil, broken("nonce", "a logout token has none")
	}
	if err := checkEvents(c["events"]); err != nil {
		return nil, err
	}
	t := &LogoutToken{Issuer: p.config.Issuer}
	if t.IssuedAt, t.Expiry, err = p.checkTimes(c); err != nil {
		return nil, err
	}
	for name, to := range map[string]*string{"sub": &t.Subject, "sid": &t.SID, "jti": &t.JTI} {
		if *to, err = checkName(c, name); err != nil {
			return nil, err
		}
	}
	switch {
	case t.JTI == "":
		return nil, broken("jti", "it is missing") // BC8: without one a replay can't be told
	case t.Subject == "" && t.SID == "":
		return nil, broken("sub", "neither sub nor sid is there") // BC4
	}
	return t, nil
}

// checkEvents wants an object with the back-channel logout member, an object in turn (§2.4, BC5).
func checkEvents(raw json.RawMessage) error {
	var events map[string]json.RawMessage
	var member map[string]json.RawMessage
	if raw == nil || json.Unmarshal(raw, &events) != nil ||
		json.Unmarshal(events[logoutEvent], &member) != nil || member == nil {
		return broken("events", "there is no back-channel logout event")
	}
	return nil
}
