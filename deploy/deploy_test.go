// Package deploy has samples for operators. Its tests check that they fit together: what is
// registered at Keycloak must be exactly what cloakroom sends.
package deploy

import (
	"encoding/json"
	"io/fs"
	"net/textproto"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/cloakroom/cloakroom/config"
	"github.com/cloakroom/cloakroom/identity"
	"github.com/cloakroom/cloakroom/site"
)

type compose struct {
	Services map[string]struct {
		Image       string
		Build       struct{ Target string }
		Environment map[string]string
		Healthcheck struct{ Test []string }
	}
}

func readCompose(t *testing.T) compose {
	t.Helper()
	raw, err := os.ReadFile("../docker-compose.yml")
	if err != nil {
		t.Fatal(err)
	}
	var c compose
	if err := yaml.Unmarshal(raw, &c); err != nil {
		t.Fatal(err)
	}
	return c
}

// pinned is a tag with at least three numbers, which always means the same image.
var pinned = regexp.MustCompile(`:\d+\.\d+\.\d+(-[a-z0-9.]+)?(@sha256:[0-9a-f]{64})?$`)

func TestEveryServiceIsPinnedAndWatched(t *testing.T) {
	for name, s := range readCompose(t).Services {
		if !pinned.MatchString(s.Image) {
			t.Errorf("service %s: image %q names no version", name, s.Image)
		}
		if len(s.Healthcheck.Test) == 0 {
			t.Errorf("service %s has no health check", name)
		}
	}
	dockerfile, err := os.ReadFile("../Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`(?m)^FROM (?:--\S+ )*(\S+) AS (\S+)`).FindAllStringSubmatch(string(dockerfile), -1) {
		if m[1] != "scratch" && !pinned.MatchString(m[1]) {
			t.Errorf("Dockerfile stage %s: image %q names no version", m[2], m[1])
		}
	}
}

// A client in Keycloak's realm file.
type client struct {
	ClientID     string
	Secret       string
	RedirectURIs []string `json:"redirectUris"`
	Attributes   map[string]string
}

func TestKeycloakIsToldWhatCloakroomAsksFor(t *testing.T) {
	services := readCompose(t).Services
	t.Setenv("CLIENT_SECRET", services["cloakroom"].Environment["CLIENT_SECRET"])
	cfg, err := config.Load("compose/cloakroom.yaml")
	if err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile("keycloak/realm.json")
	if err != nil {
		t.Fatal(err)
	}
	var realm struct {
		Realm   string
		Clients []client
	}
	if err := json.Unmarshal(raw, &realm); err != nil {
		t.Fatal(err)
	}
	p := cfg.Providers[0]
	if !strings.HasSuffix(p.Issuer, "/realms/"+realm.Realm) {
		t.Errorf("issuer %q is not realm %q", p.Issuer, realm.Realm)
	}
	i := slices.IndexFunc(realm.Clients, func(c client) bool { return c.ClientID == p.ClientID })
	if i < 0 {
		t.Fatalf("the realm has no client %q", p.ClientID)
	}
	app := realm.Clients[i]
	public, err := site.New(cfg.Site)
	if err != nil {
		t.Fatal(err)
	}
	for what, pair := range map[string][2]string{
		"redirect URI":             {app.RedirectURIs[0], public.RedirectURI(p.ID)},
		"post-logout redirect URI": {app.Attributes["post.logout.redirect.uris"], public.PostLogoutRedirectURI(p.ID)},
		"back-channel logout URI":  {app.Attributes["backchannel.logout.url"], public.BackchannelLogoutURI(p.ID)},
	} {
		if pair[0] != pair[1] {
			t.Errorf("%s: Keycloak has %q, cloakroom %q", what, pair[0], pair[1])
		}
	}
	if !p.ClientSecret.Equal(app.Secret) {
		t.Error("the client secret in the realm is not the one in docker-compose.yml")
	}
	if api := realm.Clients[1]; api.Secret != services["sample-api"].Environment["CLIENT_SECRET"] {
		t.Error("the sample API's secret in the realm is not the one in docker-compose.yml")
	}
}

// yamlBlocks matches the YAML examples in a page of the docs.
var yamlBlocks = regexp.MustCompile("(?s)```yaml\n(.*?)```")

// Traefik and Envoy are not available here, so their examples are only compared with the list of
// fields.
func TestDocumentedProxiesKeepEveryIdentityFromTheApplication(t *testing.T) {
	page, err := os.ReadFile("../docs/endpoints.md")
	if err != nil {
		t.Fatal(err)
	}
	traefik, envoy := map[string]bool{}, map[string]bool{}
	var families strings.Builder
	for _, block := range yamlBlocks.FindAllStringSubmatch(string(page), -1) {
		var example struct {
			HTTP struct {
				Middlewares map[string]struct {
					Headers struct {
						CustomRequestHeaders map[string]string `yaml:"customRequestHeaders"`
					}
					ForwardAuth struct {
						Regex string `yaml:"authResponseHeadersRegex"`
					} `yaml:"forwardAuth"`
				}
			}
			Removed []string `yaml:"request_headers_to_remove"`
		}
		if err := yaml.Unmarshal([]byte(block[1]), &example); err != nil {
			t.Fatalf("%v in %s", err, block[1])
		}
		for _, m := range example.HTTP.Middlewares {
			for field, value := range m.Headers.CustomRequestHeaders {
				traefik[field] = traefik[field] || value == "" // which removes it
			}
			families.WriteString(strings.TrimPrefix(m.ForwardAuth.Regex, "^"))
		}
		for _, field := range example.Removed {
			envoy[textproto.CanonicalMIMEHeaderKey(field)] = true
		}
	}
	answered := []string{
		identity.User, identity.Email, identity.PreferredUsername, identity.Issuer, identity.Provider,
		identity.AccessToken,
	}
	for _, field := range append(identity.Fields(), "Cookie", "Authorization") {
		if !traefik[field] && !(families.String() != "" && strings.HasPrefix(field, families.String())) {
			t.Errorf("docs/endpoints.md: Traefik's example lets a browser's %s through", field)
		}
		if !envoy[field] && !slices.Contains(answered, field) {
			t.Errorf("docs/endpoints.md: Envoy's example lets a browser's %s through", field)
		}
	}
}

// An example that calls /bff/auth guards an application. It needs a test in package server that
// runs it.
func TestEveryExampleOfAProxyIsTried(t *testing.T) {
	tried := []string{"nginx/forward-auth.conf", "caddy/Caddyfile"}
	err := fs.WalkDir(os.DirFS("."), ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || strings.HasSuffix(path, ".go") {
			return err
		}
		text, err := os.ReadFile(path)
		if strings.Contains(string(text), "/bff/auth") && !slices.Contains(tried, path) {
			t.Errorf("%s asks /bff/auth, and no test runs it", path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
