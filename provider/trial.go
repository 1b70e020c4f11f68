package provider

import (
	"context"
	"crypto/rand"
	"errors"
	"html"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/oauth2"

	"github.com/cloakroom/cloakroom/provider/jose"
	"github.com/cloakroom/cloakroom/secret"
)

// A Verdict is the conclusion of a trial.
type Verdict int

// The verdicts.
const (
	Unclear  Verdict = iota // the registration may be right or wrong
	Accepted                // the registration is right
	Refused                 // the registration is wrong
)

// A Trial is the outcome of a request that tests the registration. It changes nothing and logs
// nobody in.
type Trial struct {
	Verdict Verdict
	// Code is the provider's error code, or the text of its HTTP status; "" if there is none. It
	// has at most 64 characters, all printable.
	Code string
}

// TryClient tests client_id and client authentication: it sends a code that it made up. A provider
// authenticates the client before it looks at the code, so that invalid_grant proves both right
// (RFC 6749 §5.2). Errors are Metadata's and those of a provider that did not answer.
func (p *Provider) TryClient(ctx context.Context) (Trial, error) {
	_, err := p.Exchange(ctx, secret.New(rand.Text()), secret.New(oauth2.GenerateVerifier()))
	if errors.Is(err, ErrInvalidGrant) {
		return Trial{Verdict: Accepted}, nil
	}
	refusal, ok := errors.AsType[*OAuthError](err)
	if !ok {
		return Trial{}, err
	}
	switch refusal.Code {
	case "invalid_client",
		"unauthorized_client", // Keycloak's answer to a wrong secret
		"unsupported_grant_type":
		return Trial{Refused, refusal.Code}, nil
	}
	return Trial{Unclear, refusal.Code}, nil
}

// TryKeys fetches the key set and returns how many of its keys fit the registered algorithm. needed
// is false for an algorithm that uses the client secret instead (HS256, HS384, HS512). Errors are
// Metadata's and those of the key set.
func (p *Provider) TryKeys(ctx context.Context) (fitting int, needed bool, err error) {
	if jose.IsHMAC(p.config.IDTokenAlg) {
		return 0, false, nil
	}
	keys, err := p.keys.get(ctx)
	for _, k := range keys {
		if k.Fits(p.config.IDTokenAlg) {
			fitting++
		}
	}
	return fitting, true, err
}

// needsUser are the answers to prompt=none of a provider that accepts the request but would have to
// show the user a page (OIDC Core §3.1.2.6). The list is never written to.
var needsUser = []string{
	"login_required", "interaction_required", "consent_required", "account_selection_required",
}

// TryRedirectURI tests the redirect URI with an authorization request that may show no page
// (prompt=none) and bears no cookie. A provider redirects back only to a registered URI (RFC 6749
// §4.1.2.1). Otherwise it shows a page of its own, which some providers do in any case. Errors are
// as for TryClient.
func (p *Provider) TryRedirectURI(ctx context.Context) (Trial, error) {
	to, err := p.AuthorizationURL(ctx, AuthorizationRequest{
		State:    rand.Text(),
		Nonce:    rand.Text(),
		Verifier: secret.New(oauth2.GenerateVerifier()),
		Params:   url.Values{"prompt": {"none"}},
	})
	if err != nil {
		return Trial{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, p.client.timeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, to, nil)
	if err != nil {
		return Trial{}, err
	}
	r.Header.Set("User-Agent", p.client.userAgent)
	r.Header.Set("Accept", "text/html")
	a, err := p.client.exchange(r)
	if err != nil {
		return Trial{}, p.client.unreachable("authorization", "no answer", networkError(err))
	}
	return p.judge(a), nil
}

func (p *Provider) judge(a *answer) Trial {
	switch {
	case a.status >= 300 && a.status < 400:
		return p.judgeRedirect(a.header.Get("Location"))
	case a.status == http.StatusTooManyRequests || a.status >= 500:
		return Trial{Unclear, strings.ToLower(http.StatusText(a.status))}
	case a.status >= 400:
		return Trial{Refused, strings.ToLower(http.StatusText(a.status))}
	}
	// With response_mode=form_post the answer is a page that posts it (Form Post Response Mode §2).
	page := html.UnescapeString(string(a.body))
	if strings.Contains(page, p.config.RedirectURI) {
		for _, code := range needsUser {
			if strings.Contains(page, `"`+code+`"`) {
				return Trial{Verdict: Accepted}
			}
		}
	}
	return Trial{}
}

func (p *Provider) judgeRedirect(location string) Trial {
	to, err := url.Parse(location)
	if err != nil {
		return Trial{}
	}
	code := printable(to.Query().Get("error"), maxErrorCode, nil)
	comesBack := strings.HasPrefix(location, p.config.RedirectURI+"?")
	switch {
	case code == "" || code == "temporarily_unavailable" || code == "server_error",
		comesBack && code == "access_denied": // no user was involved who could have been denied
		return Trial{Unclear, code}
	case comesBack && slices.Contains(needsUser, code):
		return Trial{Verdict: Accepted}
	}
	return Trial{Refused, code}
}
