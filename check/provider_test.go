package check_test

import (
	"os"
	"strings"
	"testing"

	"github.com/cloakroom/cloakroom/check"
	"github.com/cloakroom/cloakroom/config"
	"github.com/cloakroom/cloakroom/test/providers/odd"
)

// providerReport checks a configuration with one provider. yaml has more of its keys, one to a
// line.
func providerReport(t *testing.T, yaml ...string) *check.Report {
	t.Helper()
	text := `
server: {public_url: "http://localhost:8080"}
session: {store: "memory:"}
providers:
  - id: main
    client_id: cloakroom
    ` + strings.Join(yaml, "\n    ") + "\n"
	if !strings.Contains(text, "client_auth") {
		text += "    client_secret: secret\n"
	}
	cfg, err := config.Parse("test.yaml", []byte(text), os.LookupEnv)
	if err != nil {
		t.Fatal(err)
	}
	return check.Run(t.Context(), cfg, check.Options{})
}

// rows are the findings of a report about providers, one to a line.
func rows(r *check.Report) string {
	var b strings.Builder
	for _, f := range r.Findings {
		if f.Area == "provider" {
			b.WriteString(string(f.Status) + " " + f.Detail + " → " + f.Remedy + "\n")
		}
	}
	return b.String()
}

// A missing feature is reported with the key that helps, and no longer once that key is set.
func TestGapsOfAProviderNameTheKeyThatFillsThem(t *testing.T) {
	op := odd.New(t)
	op.OnDiscovery(func(d odd.Claims) {
		delete(d, "end_session_endpoint")
		delete(d, "revocation_endpoint")
		d["grant_types_supported"] = []string{"authorization_code"}
	})
	bare := rows(providerReport(t, "issuer: "+op.Issuer()))
	for _, want := range []string{"`revocation_endpoint`", "`end_session`", "`refresh: off`"} {
		if !strings.Contains(bare, want) {
			t.Errorf("findings lack %s:\n%s", want, bare)
		}
	}
	full := rows(providerReport(t, "issuer: "+op.Issuer(),
		"end_session: off", "refresh: off", "revocation_endpoint: http://127.0.0.1/revoke"))
	if strings.Contains(full, "warning no") || strings.Contains(full, "grant_types_supported") {
		t.Errorf("findings though the keys are set:\n%s", full)
	}
}

// A setting with which no login can succeed is wrong, not a warning.
func TestRequiredUserinfoWithoutAnEndpointIsWrong(t *testing.T) {
	op := odd.New(t)
	required := func() string { return rows(providerReport(t, "issuer: "+op.Issuer(), "userinfo: required")) }
	if got := required(); strings.Contains(got, "userinfo") {
		t.Errorf("findings though the endpoint is there:\n%s", got)
	}
	op.OnDiscovery(func(d odd.Claims) { delete(d, "userinfo_endpoint") })
	got := required()
	if !strings.Contains(got, string(check.Wrong)+" ") || !strings.Contains(got, "`userinfo: auto`") {
		t.Errorf("findings = %s", got)
	}
}

// The configuration that the remedy for a wrong issuer suggests passes the check. No URL in it has
// an empty segment.
func TestIssuerRemedyLeadsToAGreenCheck(t *testing.T) {
	op := odd.New(t)
	base := op.Issuer()
	discovery := op.URL(odd.Discovery)
	for _, test := range []struct {
		name, announced   string
		before, remedy    string
		remedied          []string
		alsoWant, notWant string
	}{
		{
			"a slash too many", base, base + "/", "write issuer: \"" + base + "\"",
			[]string{"issuer: " + base},
			"", "metadata_url",
		},
		{
			"a slash too few", base + "/", base, "write issuer: \"" + base + "/\"",
			[]string{"issuer: " + base + "/"},
			"", "metadata_url",
		},
		{
			"a tenant's id", base + "/id/v2.0/", base, "metadata_url: \"" + discovery + "\"",
			[]string{"issuer: " + base + "/id/v2.0/", "metadata_url: " + discovery},
			"issuer: \"" + base + "/id/v2.0/\"", "",
		},
		{
			"many tenants", base + "/{tenantid}/v2.0", base, "`tenants`",
			[]string{"issuer: " + base + "/{tenantid}/v2.0", "metadata_url: " + discovery, "tenants: [acme]"},
			"metadata_url: \"" + discovery + "\"", "",
		},
	} {
		op.OnDiscovery(func(d odd.Claims) { d["issuer"] = test.announced })
		got := rows(providerReport(t, "issuer: "+test.before))
		if !strings.HasPrefix(got, "wrong ") || !strings.Contains(got, test.remedy) ||
			!strings.Contains(got, test.alsoWant) ||
			test.notWant != "" && strings.Contains(got, test.notWant) {
			t.Errorf("%s: findings = %s", test.name, got)
		}
		if strings.Contains(strings.ReplaceAll(got, "://", ""), "//") {
			t.Errorf("%s: an address has //: %s", test.name, got)
		}
		if got := rows(providerReport(t, test.remedied...)); !strings.HasPrefix(got, "ok ") {
			t.Errorf("%s: after the remedy: %s", test.name, got)
		}
	}
	down := op.SetDown()
	defer down()
	got := rows(providerReport(t, "issuer: "+base+"/"))
	if !strings.Contains(got, base+"/.well-known/openid-configuration") || !strings.Contains(got, "metadata_url") {
		t.Errorf("a provider that is down: %s", got)
	}
}
