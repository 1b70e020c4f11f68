package handlers_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/cloakroom/cloakroom/identity"
	"github.com/cloakroom/cloakroom/test/world"
)

// spellings are the names under which an application may find a field: CGI and similar interfaces
// read an underscore as a hyphen, and ignore case.
func spellings(field string) []string {
	underscores := strings.ReplaceAll(field, "-", "_")
	return []string{
		field, strings.ToLower(field), underscores, strings.Replace(field, "-", "_", 1),
		strings.ToLower(underscores), strings.ReplaceAll(field, "-", "."),
	}
}

// A browser's own identity fields never reach the application behind an example of deploy, under
// any name that is known here and in any spelling. Neither do the secret that the proxy shares with
// this service and the session cookie. A new field in package identity fails this test until each
// example has it.
func TestExamplesKeepEveryIdentityFromTheApplication(t *testing.T) {
	for name, behind := range map[string]func(*testing.T) *world.World{"nginx": behindNginx, "Caddy": behindCaddy} {
		t.Run(name, func(t *testing.T) {
			g := behind(t)
			b := g.Browser()
			b.Login()
			fields := identity.Fields()
			if name == "Caddy" { // which can remove families
				for _, family := range identity.Prefixes() {
					fields = append(fields, family+"Anything")
				}
			}
			for spelling := range spellings("X-Y") {
				req := world.MustRequest(t, g.Origin+"/orders", "X-CSRF", "1")
				for _, field := range fields {
					req.Header[spellings(field)[spelling]] = []string{"evil"}
				}
				req.Header["Authorization"], req.Header["Cookie"] = []string{"Bearer evil"}, []string{"own=evil"}
				req.Header["X-Plain"] = []string{"stays"}
				b.Send(req).Want(t, http.StatusOK, "")
				seen := g.API.Requests()[len(g.API.Requests())-1].Header
				for field, values := range seen {
					if slices.Contains(values, "evil") || slices.Contains(values, "Bearer evil") {
						t.Errorf("the application saw %s of a browser", field)
					}
					said := strings.Join(values, " ")
					if strings.Contains(said, world.ProxySecret) || strings.Contains(said, "cloakroom=") {
						t.Errorf("the application saw a secret in %s", field)
					}
					if identity.Is(field) && field != identity.User && field != identity.Email {
						t.Errorf("the application saw %s: %q", field, values)
					}
				}
				if seen.Get(identity.User) != "alice" || seen.Get(identity.Email) != "alice@example.com" ||
					seen.Get("X-Plain") != "stays" || len(seen[identity.User]) != 1 {
					t.Errorf("the application saw %v", seen)
				}
			}
			// nginx can't remove a family of fields: the request is refused if it has one that the
			// example does not name.
			asked := len(g.API.Requests())
			for _, family := range identity.Prefixes() {
				r := b.Get("/orders", family+"Anything", "evil")
				if name == "nginx" && (r.StatusCode != http.StatusForbidden || len(g.API.Requests()) != asked) {
					t.Errorf("%sAnything, which the example does not name = %d, %d requests",
						family, r.StatusCode, len(g.API.Requests())-asked)
				}
			}
		})
	}
}

// Our own proxy keeps the same fields from an API.
func TestAPIsSeeNoIdentityThatACallerSays(t *testing.T) {
	g := world.New(t, "")
	b := g.Browser()
	b.Login()
	for spelling := range spellings("X-Y") {
		req := world.MustRequest(t, g.Origin+"/api/x", "X-CSRF", "1")
		for _, field := range identity.Fields() {
			req.Header[spellings(field)[spelling]] = []string{"evil"}
		}
		for _, family := range identity.Prefixes() {
			req.Header[spellings(family + "Anything")[spelling]] = []string{"evil"}
		}
		b.Send(req).Want(t, http.StatusOK, "")
		for field, values := range g.API.Requests()[len(g.API.Requests())-1].Header {
			if identity.Is(field) || slices.Contains(values, "evil") {
				t.Errorf("the API saw %s: %q", field, values)
			}
		}
	}
}

// A page under a name that was rebound to the proxy can send forwarding fields of its own. The
// examples, whose proxies are trusted, replace them, so that the page does not count as one of the
// public origin.
func TestExamplesPassOnNoForwardingHeadersOfACaller(t *testing.T) {
	for name, behind := range map[string]func(*testing.T) *world.World{"nginx": behindNginx, "Caddy": behindCaddy} {
		t.Run(name, func(t *testing.T) {
			g := behind(t)
			for _, header := range [][]string{
				{"X-Forwarded-Host", "localhost"},
				{"Forwarded", "for=192.0.2.1;host=localhost"},
				{"X-Forwarded-Host", "localhost", "X-Forwarded-For", "192.0.2.1"},
			} {
				req := world.MustRequest(t, g.Origin+"/bff/session", append(header, "X-CSRF", "1")...)
				req.Host = "rebound.example"
				g.Browser().Send(req).Want(t, http.StatusMisdirectedRequest, "misdirected_request")
			}
		})
	}
}
