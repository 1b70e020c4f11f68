package sampleapi

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/cloakroom/cloakroom/secret"
)

// Introspection verifies each token at the provider, so that a revoked one is refused at once (RFC
// 7662).
type Introspection struct {
	Endpoint     string
	ClientID     string
	ClientSecret secret.Value
	Client       *http.Client // nil means one with a timeout of 5 s
}

// Verify introspects one token.
func (i Introspection) Verify(ctx context.Context, accessToken secret.Value) (Grant, error) {
	form := url.Values{"token": {accessToken.Reveal()}, "token_type_hint": {"access_token"}}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, i.Endpoint, strings.NewReader(form.Encode()))
	if err != nil {
		return Grant{}, fmt.Errorf("introspect at %q: %w", i.Endpoint, err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.SetBasicAuth(url.QueryEscape(i.ClientID), url.QueryEscape(i.ClientSecret.Reveal())) // RFC 6749 §2.3.1
	resp, err := i.client().Do(req)
	if err != nil {
		return Grant{}, fmt.Errorf("introspect at %q: %w", i.Endpoint, err)
	}
	defer func() { _ = resp.Body.Close() }() // read to its end or given up
	if resp.StatusCode != http.StatusOK {
		return Grant{}, fmt.Errorf("introspect at %q: answer was %s", i.Endpoint, resp.Status)
	}
	var answer struct {
		Active  bool   `json:"active"`
		Subject string `json:"sub"`
		Scope   string `json:"scope"`
		Expires int64  `json:"exp"`
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, 1<<20)).Decode(&answer); err != nil {
		return Grant{}, fmt.Errorf("read introspection answer of %q: %w", i.Endpoint, err)
	}
	if !answer.Active {
		return Grant{}, ErrTokenInvalid
	}
	return Grant{Subject: answer.Subject, Scope: answer.Scope, ExpiresAt: time.Unix(answer.Expires, 0)}, nil
}

func (i Introspection) client() *http.Client {
	if i.Client != nil {
		return i.Client
	}
	return &http.Client{Timeout: 5 * time.Second}
}
