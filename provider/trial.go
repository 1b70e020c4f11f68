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

// A Verdict is what a trial tells.
type Verdict int

// The verdicts.
const (
	Unclear  Verdict = iota // the answer fits a right registration and a wrong one
	Accepted                // it can only be right
	Refused                 // it can only be wrong
)

// A Trial is what the provider made of a request that changes nothing and logs nobody in.
type Trial struct {
	Verdict Verdict
	Code    string // the provider's error code, or what its status means; printable, at most 64 characters; "": none
}

// TryClient sends a code that was made up. A provider looks at who asks before it looks at the code, so
// invalid_grant says that client_id and client authentication are right (RFC 6749 §5.2). Errors are Metadata's
// and those of a provider that did not answer.
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
	case "invalid_client", "unauthorized_client", "unsupported_grant_type": // Keycloak says the second of a wrong secret
		return Trial{Refused, refusal.Code}, nil
	}
	return Trial{Unclear, refusal.Code}, nil
}

// TryKeys reads the key set, and returns how many of its keys could have made a signature of the registered algorithm.
// needed is false where that one takes none of them (HS256 and its like). Errors are Metadata's and those of the key set.
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

// needsUser are the answers to prompt=none of a provider that has nothing against the request (OIDC Core §3.1.2.6).
var needsUser = []string{"login_required", "interaction_required", "consent_required", "account_selection_required"}

// TryRedirectURI makes an authorization request that may ask nobody anything (prompt=none), without a cookie. A
// provider comes back to a redirect URI only if it is registered (RFC 6749 §4.1.2.1); else it shows a page of its own,
// and some do that whatever is asked. Errors are as TryClient's.
func (p *Provider) TryRedirectURI(ctx context.Context) (Trial, error) {
	to, err := p.AuthorizationURL(ctx, AuthorizationRequest{
		State: rand.Text(), Nonce: rand.Text(), Verifier: secret.New(oauth2.GenerateVerifier()), Params: url.Values{"prompt": {"none"}},
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
	// Form Post Response Mode §2: a page that posts the answer on.
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
	case code == "" || code == "temporarily_unavailable" || code == "server_error", comesBack && code == "access_denied": // of whom, it knows nobody
		return Trial{Unclear, code}
	case comesBack && slices.Contains(needsUser, code):
		return Trial{Verdict: Accepted}
	}
	return Trial{Refused, code}
}
