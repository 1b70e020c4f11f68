package config

import (
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/cloakroom/cloakroom/keys"
	"github.com/cloakroom/cloakroom/provider"
	"github.com/cloakroom/cloakroom/proxy"
	"github.com/cloakroom/cloakroom/secret"
	"github.com/cloakroom/cloakroom/site"
)

func address(t *testing.T, s string) *url.URL {
	t.Helper()
	u, err := url.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// wantSame compares what can be compared: options that no file sets are left out.
func wantSame(t *testing.T, got, want *Config) {
	t.Helper()
	whole := cmp.Exporter(func(reflect.Type) bool { return true })
	if diff := cmp.Diff(want, got, whole, cmpopts.IgnoreFields(Config{}, "Warnings")); diff != "" {
		t.Errorf("configuration (-want +got):\n%s", diff)
	}
}

func TestAProgramsConfigIsThatOfTheSameFile(t *testing.T) {
	want := parse(t, `
server: {public_url: "https://app.example.com"}
session: {keys: ["`+testKey+`"], lifetime: 1h, idle_timeout: 5m}
providers: [{id: main, issuer: "https://id.example.com", client_id: app, client_secret: hush}]
routes: [{path: /api/, upstream: "http://127.0.0.1:9000"}]
`)
	c := New()
	c.Site.PublicURL = address(t, "https://App.example.com:443/")
	key, err := keys.Parse(testKey)
	if err != nil {
		t.Fatal(err)
	}
	c.Keys.Keys = []keys.Key{key}
	c.Session.Lifetime, c.Session.IdleTimeout = time.Hour, 5*time.Minute
	c.Providers = []provider.Config{{
		ID: "main", Issuer: "https://id.example.com", ClientID: "app", ClientSecret: secret.New("hush"),
	}}
	c.Proxy.Routes = []proxy.Route{{Path: "/api/", Upstream: address(t, "http://127.0.0.1:9000")}}
	got, err := c.Complete()
	if err != nil {
		t.Fatal(err)
	}
	wantSame(t, got, want)
	if c.Providers[0].ClientAuth != "" || c.Proxy.Routes[0].Methods != nil || c.Site.PublicURL.Port() != "443" {
		t.Error("Complete changed the program's own Config")
	}
}

// A literal that does not begin with New gets the defaults of what must not be zero.
func TestALiteralIsCompleted(t *testing.T) {
	c := &Config{
		Site: site.Options{PublicURL: address(t, "https://app.example.com")},
		Providers: []provider.Config{{
			ID: "main", Issuer: "https://id.example.com", ClientID: "app", ClientSecret: secret.New("hush"),
		}},
	}
	got, err := c.Complete()
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "base path", got.Site.BasePath, "/bff")
	equal(t, "lifetime", got.Session.Lifetime, 12*time.Hour)
	equal(t, "cache", got.Session.CacheMemory, 64<<20)
	equal(t, "lease", got.Renewal.Lease, 30*time.Second)
	equal(t, "idle timeout, where zero is none", got.Session.IdleTimeout, 0)
	equal(t, "admin listener, where nothing is none", got.Listen.Admin, "")
}

func TestWhatAFileGaveIsComplete(t *testing.T) {
	want := loadExample(t)
	got, err := want.Complete()
	if err != nil {
		t.Fatal(err)
	}
	wantSame(t, got, want)
}

func TestEveryFaultOfAProgramsConfigIsNamed(t *testing.T) {
	c := New()
	c.Session.Lifetime, c.Session.IdleTimeout = -time.Hour, time.Minute
	c.Store.URL = secret.New("redis://user:hunter2@redis.example.com")
	c.Providers = []provider.Config{
		{ID: "main", Issuer: "https://id.example.com", ClientID: "app", ClientSecret: secret.New("hush")},
		{ID: "main", Issuer: "http://id.example.com", ClientAuth: "basic", Scopes: []string{"profile"}, TrustedAudiences: []string{""}},
	}
	c.Proxy.Routes = []proxy.Route{
		{Path: "/bff/x", Upstream: address(t, "http://127.0.0.1:9000"), Methods: []string{"get"}},
		{Path: "/a", Upstream: address(t, "http://127.0.0.1:9000"), Require: proxy.Require{ACR: []string{""}}},
	}
	got, err := c.Complete()
	if err == nil {
		t.Fatalf("config = %+v", got)
	}
	for _, want := range []string{
		"server.public_url is missing", "session.lifetime is negative", "session.keys is missing",
		"providers[1].id", "providers[1].issuer is http", "providers[1].client_id is missing",
		"providers[1].client_auth is none of", "providers[1].scopes lacks openid",
		"routes[0].path is below server.base_path", "routes[0].methods[0] is not in capitals",
		"providers[1].trusted_audiences[0] is empty", "routes[1].require.acr is not a list of acr values",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error lacks %q:\n%v", want, err)
		}
	}
	for _, not := range []string{"providers[0].", "hunter2", "hush"} {
		if strings.Contains(err.Error(), not) {
			t.Errorf("error has %q:\n%v", not, err)
		}
	}
}
