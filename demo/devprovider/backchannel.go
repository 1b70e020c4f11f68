package devprovider

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// A delivery is the outcome of sending one logout token.
type delivery struct {
	Client, Outcome string
}

// sendLogoutTokens tells clients that a session ended and waits for their answers, which the page
// shows. It does not retry.
func (p *Provider) sendLogoutTokens(ctx context.Context, session *browserSession, to []registration) []delivery {
	var all []delivery
	for _, c := range to {
		outcome, err := p.sendLogoutToken(ctx, session, c)
		if err != nil {
			outcome = "could not be reached"
		}
		all = append(all, delivery{Client: c.ID, Outcome: outcome})
	}
	return all
}

func (p *Provider) sendLogoutToken(ctx context.Context, session *browserSession, c registration) (string, error) {
	token, err := p.store.logoutToken(session, c.ID)
	if err != nil {
		return "", err
	}
	body := url.Values{"logout_token": {token}}.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.BackchannelLogoutURI, strings.NewReader(body))
	if err != nil {
		return "", fmt.Errorf("send logout token to %q: %w", c.ID, err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := p.http.Do(req)
	if err != nil {
		return "", fmt.Errorf("send logout token to %q: %w", c.ID, err)
	}
	defer func() { _ = resp.Body.Close() }() // nothing in it is read
	p.store.countLogoutToken(resp.StatusCode == http.StatusOK)
	return resp.Status, nil
}

// logoutToken has the claims of Back-Channel Logout §2.4.
func (s *storage) logoutToken(session *browserSession, clientID string) (string, error) {
	now := time.Now()
	claims, err := json.Marshal(map[string]any{
		"iss": s.issuer, "sub": session.subject, "sid": session.sid, "aud": clientID,
		"iat": now.Unix(), "exp": now.Add(2 * time.Minute).Unix(), "jti": rand.Text(),
		"events": map[string]any{"http://schemas.openid.net/event/backchannel-logout": struct{}{}},
	})
	if err != nil {
		return "", fmt.Errorf("make logout token: %w", err)
	}
	signer, err := jose.NewSigner(
		jose.SigningKey{Algorithm: jose.RS256, Key: jose.JSONWebKey{Key: s.signing.key, KeyID: s.signing.id}},
		(&jose.SignerOptions{}).WithType("logout+jwt"))
	if err != nil {
		return "", fmt.Errorf("make logout token: %w", err)
	}
	signed, err := signer.Sign(claims)
	if err != nil {
		return "", fmt.Errorf("sign logout token: %w", err)
	}
	return signed.CompactSerialize()
}

func (s *storage) countLogoutToken(accepted bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counts.LogoutTokensSent++
	if accepted {
		s.counts.LogoutTokensAccepted++
	}
}
