package provider_test

import (
	"errors"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/provider"
	"github.com/cloakroom/cloakroom/secret"
	"github.com/cloakroom/cloakroom/test/providers/odd"
)

// RV2, RV3: what each answer of RFC 7009 §2.2 means for the token.
func TestRevocationAnswersAreToldApart(t *testing.T) {
	op := odd.New(t)
	for name, test := range map[string]struct {
		answer      odd.Interceptor
		retry, stop bool
		after       time.Duration
	}{
		"200":      {answer: odd.Answer(200, "text/plain", "")},
		"503":      {answer: odd.Answer(503, "text/plain", "", "Retry-After", "9"), retry: true, after: 9 * time.Second},
		"429":      {answer: odd.Answer(429, "text/plain", ""), retry: true},
		"hang up":  {answer: odd.Drop(), retry: true},
		"redirect": {answer: odd.Redirect(307, "/revoke"), retry: true},
		"temporarily_unavailable": {
			answer: odd.OAuthError(400, "temporarily_unavailable", "Retry-After", "3"),
			retry:  true, after: 3 * time.Second,
		},
		"invalid_client":         {answer: odd.OAuthError(401, "invalid_client"), retry: true},
		"unsupported_token_type": {answer: odd.OAuthError(400, "unsupported_token_type"), stop: true},
		"invalid_request":        {answer: odd.OAuthError(400, "invalid_request"), stop: true},
		"404":                    {answer: odd.Answer(404, "text/html", "<h1>no"), stop: true},
	} {
		t.Run(name, func(t *testing.T) {
			p := newProvider(t, op)
			undo := op.Intercept(odd.Revocation, test.answer)
			defer undo()
			err := p.Revoke(t.Context(), secret.New("rt"), "refresh_token")
			var r *provider.RetryableError
			if errors.As(err, &r) != test.retry || errors.Is(err, provider.ErrNotRevocable) != test.stop ||
				(err == nil) == (test.retry || test.stop) {
				t.Errorf("error = %v, want retry %v, stop %v", err, test.retry, test.stop)
			}
			if test.retry && r.RetryAfter != test.after {
				t.Errorf("RetryAfter = %v, want %v", r.RetryAfter, test.after)
			}
			if test.stop && errors.Is(err, provider.ErrUnreachable) {
				t.Errorf("error = %v is both final and passing", err)
			}
		})
	}
	last := op.Requests(odd.Revocation)[0].Form
	if last.Get("token") != "rt" || last.Get("token_type_hint") != "refresh_token" {
		t.Errorf("form = %v", last)
	}
}

func TestProviderWithoutRevocationSaysSo(t *testing.T) {
	op := odd.New(t)
	op.OnDiscovery(func(d odd.Claims) { delete(d, "revocation_endpoint") })
	err := newProvider(t, op).Revoke(t.Context(), secret.New("rt"), "")
	if !errors.Is(err, provider.ErrNoRevocationEndpoint) || !errors.Is(err, provider.ErrNotRevocable) {
		t.Errorf("error = %v", err)
	}
}

// RV4: a provider that is down delays a revocation.
func TestRevocationAtAProviderThatIsDownIsWorthRepeating(t *testing.T) {
	op := odd.New(t)
	p := newProvider(t, op)
	op.SetDown()
	var r *provider.RetryableError
	if err := p.Revoke(t.Context(), secret.New("rt"), ""); !errors.As(err, &r) || !errors.Is(err, provider.ErrUnreachable) {
		t.Errorf("error = %v", err)
	}
}

// Django OAuth Toolkit has a revocation endpoint but does not announce it. An endpoint that the
// operator names also takes precedence over the metadata.
func TestConfiguredRevocationEndpointIsUsed(t *testing.T) {
	for name, announced := range map[string]func(d odd.Claims){
		"not announced":     func(d odd.Claims) { delete(d, "revocation_endpoint") },
		"announced another": func(d odd.Claims) { d["revocation_endpoint"] = "http://127.0.0.1:1/" },
	} {
		op := odd.New(t)
		op.OnDiscovery(announced)
		p := newProvider(t, op, func(s *setup) { s.RevocationEndpoint = op.URL(odd.Revocation) })
		if err := p.Revoke(t.Context(), tokens(t, p, op).RefreshToken, "refresh_token"); err != nil || len(op.LiveRefreshTokens()) != 0 {
			t.Errorf("%s: %v, live refresh tokens = %d", name, err, len(op.LiveRefreshTokens()))
		}
	}
	for _, bad := range []string{"http://id.example.com/revoke", "javascript:x", "/revoke"} {
		_, err := provider.New(provider.Config{
			ID: "main", Issuer: "https://id.example.com", ClientID: "c", ClientAuth: "none",
			RevocationEndpoint: bad,
		}, provider.Options{})
		if !errors.Is(err, provider.ErrMisconfigured) {
			t.Errorf("%q: error = %v, want ErrMisconfigured", bad, err)
		}
	}
}
