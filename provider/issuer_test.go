package provider_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/provider"
	"github.com/cloakroom/cloakroom/provider/jose"
	"github.com/cloakroom/cloakroom/secret"
	"github.com/cloakroom/cloakroom/test/providers/odd"
)

const (
	tenantA = "11111111-1111-1111-1111-111111111111"
	tenantB = "bbbbbbbb-2222-2222-2222-222222222222"
	tenantC = "cccccccc-3333-3333-3333-333333333333" // not listed
)

// entra makes op behave like the endpoint of Microsoft Entra for many tenants. It returns a
// function from tenant to issuer.
func entra(op *odd.Provider) func(tenant string) string {
	issuer := func(tenant string) string { return op.Issuer() + "/" + tenant + "/v2.0" }
	op.OnDiscovery(func(d odd.Claims) {
		d["issuer"] = issuer("{tenantid}")
		d["authorization_response_iss_parameter_supported"] = false
	})
	return issuer
}

// twoTenants lists the tenants A and B, and no others.
func twoTenants(op *odd.Provider) func(*setup) {
	return func(s *setup) {
		s.Issuer, s.MetadataURL, s.Tenants = op.Issuer()+"/{tenantid}/v2.0", op.URL(odd.Discovery), []string{tenantA, tenantB}
	}
}

// ID1: an issuer template accepts exactly the issuers of the listed tenants, with the same tid.
func TestIssuerTemplateTakesListedTenantsAlone(t *testing.T) {
	op := odd.New(t)
	issuer := entra(op)
	p := newProvider(t, op, twoTenants(op))
	for _, test := range []struct {
		name, rule, iss string
		tid             any // nil: not there
	}{
		{"A", "", issuer(tenantA), tenantA},
		{"B without tid", "", issuer(tenantB), nil},
		{"C", "iss", issuer(tenantC), tenantC},
		{"C as A", "tid", issuer(tenantA), tenantC},
		{"B as A", "tid", issuer(tenantA), tenantB},
		{"tid a number", "tid", issuer(tenantA), 7},
		{"tid empty", "tid", issuer(tenantA), ""},
		{"the template", "iss", issuer("{tenantid}"), "{tenantid}"},
		{"another spelling", "iss", issuer(strings.ToUpper(tenantB)), strings.ToUpper(tenantB)},
		{"slash at the end", "iss", issuer(tenantA) + "/", tenantA},
		{"two tenants", "iss", issuer(tenantA + "/" + tenantB), tenantA},
		{"no tenant", "iss", issuer(""), nil},
		{"the provider's own address", "iss", op.Issuer(), nil},
	} {
		op.OnClaims(func(_ string, c odd.Claims) {
			if c["iss"] = test.iss; test.tid != nil {
				c["tid"] = test.tid
			}
		})
		checkRule(t, p, op, test.rule)
		raw := op.LogoutToken(func(_, c odd.Claims) {
			if c["iss"], c["sub"] = test.iss, "alice"; test.tid != nil {
				c["tid"] = test.tid
			}
		})
		got, err := p.Verifier().LogoutToken(t.Context(), "", raw)
		if (err == nil) != (test.rule == "") || err == nil && got.Issuer != test.iss {
			t.Errorf("%s: logout token = %+v, %v; want rule %q", test.name, got, err, test.rule)
		}
		if p.IssuedBy(test.iss) != (test.rule != "iss") {
			t.Errorf("%s: IssuedBy = %t", test.name, p.IssuedBy(test.iss))
		}
		if t.Failed() {
			t.Fatal(test.name)
		}
	}
	plain := newProvider(t, odd.New(t)) // tid means nothing elsewhere
	if plain.IssuedBy(op.Issuer()) {
		t.Error("another provider's issuer was taken")
	}
}

// RFC 9207, OIDC Core §12.2: the authorization response, the ID token and each renewed one must
// come from the same tenant.
func TestTenantsAreNotMixedUp(t *testing.T) {
	op := odd.New(t)
	issuer := entra(op)
	p := newProvider(t, op, twoTenants(op))
	op.OnClaims(func(_ string, c odd.Claims) { c["iss"], c["tid"] = issuer(tenantA), tenantA })
	token, err := logIn(t, p, op)
	if err != nil || token.Issuer != issuer(tenantA) {
		t.Fatalf("login = %+v, %v", token, err)
	}
	checkRule(t, p, op, "", func(want *jose.Attempt) { want.Issuer = issuer(tenantA) })
	checkRule(t, p, op, "iss", func(want *jose.Attempt) { want.Issuer = issuer(tenantB) })
	renewed := op.Sign(op.Header(), odd.Claims{
		"iss": issuer(tenantB), "tid": tenantB, "aud": op.Client.ID,
		"iat": now(), "exp": now() + 60, "sub": token.Subject,
	})
	var invalid *jose.InvalidTokenError
	_, err = p.Verifier().RenewedIDToken(t.Context(), secret.New(renewed), &jose.Original{Issuer: token.Issuer, Subject: token.Subject})
	if !errors.As(err, &invalid) || invalid.Rule != "iss" {
		t.Errorf("renewed by another tenant: %v, want rule iss", err)
	}
}

// A key that the set assigns to one tenant verifies tokens of no other.
func TestKeyOfOneTenantSignsForNoOther(t *testing.T) {
	op := odd.New(t)
	issuer := entra(op)
	p := newProvider(t, op, twoTenants(op))
	own, all := odd.NewKey("own", "RS256"), odd.NewKey("all", "RS256")
	for key, signsFor := range map[*odd.Key]string{own: issuer(tenantB), all: issuer("{tenantid}")} {
		entry := key.JWK()
		entry["issuer"] = signsFor
		op.PublishAlso(entry)
	}
	for _, test := range []struct {
		key    *odd.Key
		tenant string
		good   bool
	}{{all, tenantA, true}, {all, tenantB, true}, {own, tenantB, true}, {own, tenantA, false}} {
		raw := odd.Sign(test.key, odd.Claims{"alg": "RS256", "kid": test.key.ID}, odd.Claims{
			"iss": issuer(test.tenant), "aud": op.Client.ID, "iat": now(), "exp": now() + 60, "jti": "j", "sub": "alice",
			"events": odd.Claims{logoutEvent: odd.Claims{}},
		})
		if _, err := p.Verifier().LogoutToken(t.Context(), "", raw); (err == nil) != test.good {
			t.Errorf("key %s for %s: %v, want good %t", test.key.ID, test.tenant, err, test.good)
		}
	}
}

// MD1: which issuers the metadata may name if the configured one is a template, and metadata at
// another address than the issuer.
func TestMetadataMayBeElsewhereThanTheIssuer(t *testing.T) {
	op := odd.New(t)
	base := op.Issuer()
	at := func(issuer string) func(*setup) {
		return func(s *setup) { s.Issuer, s.MetadataURL = issuer, op.URL(odd.Discovery) }
	}
	for _, test := range []struct {
		name, announced string
		change          func(*setup)
		good            bool
	}{
		{"template", base + "/{tenantid}/v2.0", twoTenants(op), true},
		{"its placeholder spelled otherwise", base + "/{tenantId}/v2.0", twoTenants(op), true},
		{"listed tenant", base + "/" + tenantB + "/v2.0", twoTenants(op), true},
		{"other tenant", base + "/" + tenantC + "/v2.0", twoTenants(op), false},
		{"other path", base + "/{tenantid}/v1.0", twoTenants(op), false},
		{"other host", "https://evil.example/{tenantid}/v2.0", twoTenants(op), false},
		{"slash at the end", base + "/{tenantid}/v2.0/", twoTenants(op), false},
		{"a GUID, as Azure AD B2C", base + "/" + tenantA + "/v2.0/", at(base + "/" + tenantA + "/v2.0/"), true},
		{"another GUID", base + "/" + tenantB + "/v2.0/", at(base + "/" + tenantA + "/v2.0/"), false},
		{"split horizon", "https://id.example.com", at("https://id.example.com"), true},
		{"a placeholder where none is configured", base + "/{tenantid}/v2.0", at(base + "/" + tenantA + "/v2.0"), false},
	} {
		op.OnDiscovery(func(d odd.Claims) { d["issuer"] = test.announced })
		p := newProvider(t, op, test.change)
		_, err := p.Metadata(t.Context())
		var other *provider.IssuerError
		switch {
		case test.good && err != nil:
			t.Errorf("%s: %v", test.name, err)
		case !test.good && (!errors.As(err, &other) || !errors.Is(err, provider.ErrMisconfigured) ||
			!strings.Contains(err.Error(), test.announced) || !strings.Contains(err.Error(), p.Issuer())):
			t.Errorf("%s: error = %v, want one that names both issuers", test.name, err)
		}
	}
}

// A provider with an https issuer, whose metadata is read on this machine, may have its
// back-channel endpoints there. Its tokens still name the issuer.
func TestSplitHorizon(t *testing.T) {
	op := odd.New(t)
	const public = "https://id.example.com"
	op.OnDiscovery(func(d odd.Claims) {
		d["issuer"], d["authorization_endpoint"], d["end_session_endpoint"] = public, public+"/authorize", public+"/logout"
	})
	p := newProvider(t, op, func(s *setup) { s.Issuer, s.MetadataURL = public, op.URL(odd.Discovery) })
	to, err := p.AuthorizationURL(t.Context(), provider.AuthorizationRequest{State: "s", Nonce: nonce, Verifier: secret.New(verifier)})
	if err != nil || !strings.HasPrefix(to, public+"/authorize?") {
		t.Fatalf("authorization URL = %q, %v", to, err)
	}
	op.OnClaims(func(_ string, c odd.Claims) { c["iss"] = public })
	_, query, _ := strings.Cut(to, "?")
	code := op.Login(op.URL(odd.Authorize) + "?" + query).Query().Get("code") // the public address leads here
	got, err := p.Exchange(t.Context(), secret.New(code), secret.New(verifier))
	if err != nil {
		t.Fatal(err)
	}
	token, err := p.Verifier().IDToken(t.Context(), got.IDToken, jose.Attempt{Nonce: nonce, Started: time.Now()})
	if err != nil || token.Issuer != public {
		t.Errorf("ID token = %+v, %v", token, err)
	}
}

// A template without tenants would let in everybody who has a tenant, so it stops the start. So do
// the other contradictions.
func TestTemplateWithoutTenantsStopsTheStart(t *testing.T) {
	const template, meta = "https://login.example.com/{tenantid}/v2.0", "https://login.example.com/common/.well-known/openid-configuration"
	for name, c := range map[string]provider.Config{
		"no tenants":             {Issuer: template, MetadataURL: meta},
		"no metadata_url":        {Issuer: template, Tenants: []string{tenantA}},
		"tenants and no place":   {Issuer: "https://login.example.com", Tenants: []string{tenantA}},
		"a tenant with a slash":  {Issuer: template, MetadataURL: meta, Tenants: []string{tenantA + "/../" + tenantB}},
		"an empty tenant":        {Issuer: template, MetadataURL: meta, Tenants: []string{""}},
		"a tenant of dots":       {Issuer: template, MetadataURL: meta, Tenants: []string{".."}},
		"another placeholder":    {Issuer: "https://login.example.com/{realm}", MetadataURL: meta, Tenants: []string{tenantA}},
		"two placeholders":       {Issuer: template + "/{tenantid}", MetadataURL: meta, Tenants: []string{tenantA}},
		"part of a segment":      {Issuer: "https://login.example.com/t-{tenantid}", MetadataURL: meta, Tenants: []string{tenantA}},
		"in the host":            {Issuer: "https://{tenantid}.example.com/", MetadataURL: meta, Tenants: []string{tenantA}},
		"in the query":           {Issuer: "https://login.example.com/?t={tenantid}", MetadataURL: meta, Tenants: []string{tenantA}},
		"metadata in plain http": {Issuer: "https://login.example.com", MetadataURL: "http://login.example.com/meta"},
	} {
		c.ID, c.ClientID, c.ClientAuth = "main", "c", "none"
		if _, err := provider.New(c, provider.Options{}); !errors.Is(err, provider.ErrMisconfigured) {
			t.Errorf("%s: error = %v, want ErrMisconfigured", name, err)
		}
	}
}

// An issuer template identifies no server, so the audience of a client assertion is then the token
// endpoint; otherwise it is the issuer.
func TestAssertionForManyTenantsIsForTheTokenEndpoint(t *testing.T) {
	op := odd.New(t, odd.WithClient(odd.Client{ID: "cloakroom", Secret: strings.Repeat("s", 40), Auth: "client_secret_jwt", Alg: "RS256"}))
	entra(op)
	p := newProvider(t, op, twoTenants(op))
	_, _ = exchange(t, p, op) // odd wants its issuer
	_, rest, _ := strings.Cut(op.Requests(odd.Token)[0].Form.Get("client_assertion"), ".")
	body, _, _ := strings.Cut(rest, ".")
	checkMember(t, "assertion", decoded(t, body), map[string]string{"aud": op.URL(odd.Token)})
}
