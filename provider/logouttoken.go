package provider

import (
	"context"
	"encoding/json"
	"errors"
	"time"
)

// backchannelEvent is the member of `events` that makes a JWT a logout token.
const backchannelEvent = "http://schemas.openid.net/event/backchannel-logout"

// A LogoutToken is a verified logout token. Subject or SID, or both, are there.
type LogoutToken struct {
	Issuer, Subject, SID, JTI string
	IssuedAt, Expiry          time.Time
}

// VerifyLogoutToken checks a logout token (OIDC Back-Channel Logout §2.6). Whether its jti was used
// before is the caller's to know. An error is an *InvalidLogoutTokenError or, when the keys can't be
// had, ErrUnreachable.
func (p *Provider) VerifyLogoutToken(ctx context.Context, raw string) (*LogoutToken, error) {
	t, err := p.verifyLogoutToken(ctx, raw)
	var bad *InvalidTokenError
	if errors.As(err, &bad) {
		return nil, &InvalidLogoutTokenError{Rule: bad.Rule, Detail: bad.Detail}
	}
	return t, err
}

func (p *Provider) verifyLogoutToken(ctx context.Context, raw string) (*LogoutToken, error) {
	c, payload, err := p.readJWT(raw, "", "JWT", "logout+jwt")
	if err != nil {
		return nil, err
	}
	t, err := p.checkLogoutClaims(c, payload)
	if err != nil {
		return nil, err
	}
	if _, err := p.keys.VerifySignature(ctx, raw); err != nil {
		return nil, signatureError(err)
	}
	return t, nil
}

// checkLogoutClaims holds the claims to §2.4 and §2.6, all before a key is asked for.
func (p *Provider) checkLogoutClaims(c *idClaims, payload []byte) (*LogoutToken, error) {
	var more struct {
		JTI string  `json:"jti"`
		SID *string `json:"sid"`
	}
	if json.Unmarshal(payload, &more) != nil {
		return nil, invalid("format", "a claim has the wrong type")
	}
	if hasMember(payload, "nonce") {
		return nil, invalid("nonce", "a logout token has none")
	}
	if !isLogoutEvent(c.Events) {
		return nil, invalid("events", "it is not the back-channel logout event")
	}
	sub := ""
	if c.Subject != nil {
		sub = *c.Subject
	}
	if sub == "" && c.SID == "" || c.Subject != nil && sub == "" || more.SID != nil && *more.SID == "" {
		return nil, invalid("sub", "it names neither a user nor a session")
	}
	if more.JTI == "" || len(more.JTI) > maxSub {
		return nil, invalid("jti", "it is missing or too long")
	}
	named := "nobody" // the general rules want a subject; this one may do without
	forRules := *c
	forRules.Events = nil
	if c.Subject == nil {
		forRules.Subject = &named
	}
	if err := p.checkClaims(&forRules); err != nil {
		return nil, err
	}
	return &LogoutToken{
		Issuer: c.Issuer, Subject: sub, SID: c.SID, JTI: more.JTI, IssuedAt: c.IssuedAt.time(), Expiry: c.Expiry.time(),
	}, nil
}

// hasMember also sees a member whose value is null.
func hasMember(object []byte, name string) bool {
	var members map[string]json.RawMessage
	if json.Unmarshal(object, &members) != nil {
		return true
	}
	_, ok := members[name]
	return ok
}

// isLogoutEvent wants an object with the event as a member, whose value is an object itself.
func isLogoutEvent(events *json.RawMessage) bool {
	var members map[string]json.RawMessage
	if events == nil || json.Unmarshal(*events, &members) != nil {
		return false
	}
	var value map[string]json.RawMessage
	return json.Unmarshal(members[backchannelEvent], &value) == nil && value != nil
}
