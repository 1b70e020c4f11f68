package jose_test

import (
	"strings"
	"testing"

	"github.com/cloakroom/cloakroom/provider/jose"
	"github.com/cloakroom/cloakroom/test/providers/odd"
)

const (
	template = "https://login.example.com/{tenantid}/v2.0"
	tenantA  = "11111111-1111-1111-1111-111111111111"
	tenantB  = "bbbbbbbb-2222-2222-2222-222222222222"
	tenantC  = "cccccccc-3333-3333-3333-333333333333" // not listed
)

func of(tenant string) string { return strings.Replace(template, jose.TenantPlaceholder, tenant, 1) }

func tenantsAB(want *jose.Expectations) {
	want.Issuers = jose.NewIssuers(template, []string{tenantA, tenantB})
}

// ID1: of a template exactly the issuers that the listed tenants make, and tid the same. It holds
// also where the keys of the set are one tenant's each, so that no key would fit an unlisted one.
func TestATemplateTakesListedTenantsAlone(t *testing.T) {
	key := odd.NewKey("rsa-1", "RS256")
	each := key.JWK()
	each["issuer"] = template
	for _, set := range []published{setOf(t, key.JWK()), setOf(t, each)} {
		v := verifierOf(t, set, tenantsAB)
		for _, test := range []struct {
			name, rule string
			iss, tid   any // nil: left out
		}{
			{"A", "", of(tenantA), tenantA},
			{"B without tid", "", of(tenantB), nil},
			{"C", "iss", of(tenantC), tenantC},
			{"C as A", "tid", of(tenantA), tenantC},
			{"tid a number", "tid", of(tenantA), 7},
			{"the template", "iss", template, nil},
			{"other case", "iss", of(strings.ToUpper(tenantB)), nil},
			{"nobody", "iss", nil, nil},
			{"empty", "iss", "", nil},
			{"a number", "iss", 7, nil},
		} {
			for _, c := range []odd.Claims{idClaims(), logoutClaims()} {
				for name, value := range map[string]any{"iss": test.iss, "tid": test.tid} {
					if c[name] = value; value == nil {
						delete(c, name)
					}
				}
				raw := odd.Sign(key, headerOf(key), c)
				if c["events"] == nil {
					_, err := logIn(t, v, raw)
					checkRule(t, err, test.rule)
				} else if _, err := v.LogoutToken(t.Context(), "", raw); (err == nil) != (test.rule == "") {
					t.Errorf("%s: logout token: %v, want rule %q", test.name, err, test.rule)
				}
			}
			if t.Failed() {
				t.Fatal(test.name)
			}
		}
	}
}

// A key that the set says to be one tenant's signs for no other.
func TestAKeyOfOneTenantSignsForNoOther(t *testing.T) {
	key := odd.NewKey("own", "RS256")
	entry := key.JWK()
	entry["issuer"] = of(tenantB)
	v := verifierOf(t, setOf(t, entry), tenantsAB)
	for tenant, rule := range map[string]string{tenantA: "signature", tenantB: ""} {
		c := idClaims()
		c["iss"] = of(tenant)
		_, err := logIn(t, v, odd.Sign(key, headerOf(key), c))
		checkRule(t, err, rule)
	}
}

// RFC 9207 §2.4: who answered is who issued.
func TestTheAnswersIssuerIsTheTokens(t *testing.T) {
	key := odd.NewKey("rsa-1", "RS256")
	v := verifierOf(t, setOf(t, key.JWK()), tenantsAB)
	c := idClaims()
	c["iss"] = of(tenantA)
	raw := odd.Sign(key, headerOf(key), c)
	for iss, rule := range map[string]string{"": "", of(tenantA): "", of(tenantB): "iss"} {
		_, err := logIn(t, v, raw, func(a *jose.Attempt) { a.Issuer = iss })
		checkRule(t, err, rule)
	}
}
