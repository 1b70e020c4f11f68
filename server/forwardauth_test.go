package server_test

import (
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/demo/servers"
	"github.com/cloakroom/cloakroom/secret"
	testservers "github.com/cloakroom/cloakroom/test/servers"
)

const proxySecret = "a-secret-of-the-proxy-and-of-nobody-else"

// behindNginx is a service that guards the API behind a real nginx, set up as deploy/nginx says. The public origin is
// nginx's.
func behindNginx(t *testing.T) *rig {
	t.Helper()
	g := newStage(t)
	own := freePort(t)
	cfg := g.config(own, "sqlite:"+g.db, "")
	cfg.Routes = nil
	cfg.ForwardAuth.Secret = secret.New(proxySecret)
	g.run(cfg)
	conf, err := os.ReadFile("../deploy/nginx/forward-auth.conf")
	if err != nil {
		t.Fatal(err)
	}
	block := strings.NewReplacer("listen 8080", fmt.Sprintf("listen 127.0.0.1:%d", g.port), "CLOAKROOM/", fmt.Sprintf("127.0.0.1:%d/", own), "CLOAKROOM;", fmt.Sprintf("127.0.0.1:%d;", own),
		`"SECRET"`, `"`+proxySecret+`"`, "http://APP", g.api.URL).Replace(string(conf))
	nginx, err := servers.NewNginx(testservers.Folder(t), g.port, block)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nginx.Kill)
	if err := nginx.Start(); err != nil {
		t.Fatal(err)
	}
	return g
}

// nginx asks before each request: who is not logged in is sent to log in, who is reaches the application with their
// name and an access token that is renewed unseen.
func TestForwardAuthBehindNginx(t *testing.T) {
	g := behindNginx(t)
	g.op.SetTokenLife(2 * time.Second)
	b := g.browser()
	if r := b.navigate("/orders?x=1"); r.StatusCode != http.StatusFound || r.Header.Get("Location") != "/bff/login?returnUrl=/orders?x=1" && !strings.HasSuffix(r.Header.Get("Location"), "/bff/login?returnUrl=/orders?x=1") {
		t.Errorf("a page for nobody = %d to %q", r.StatusCode, r.Header.Get("Location"))
	}
	b.get("/orders").want(t, http.StatusUnauthorized, "")
	if len(g.api.requests()) != 0 {
		t.Error("the application was asked")
	}
	b.login()
	for range 3 {
		r := b.get("/orders", "X-Auth-Request-User", "mallory", "X-Auth-Request-Email", "m@evil.example", "Authorization", "Bearer mine")
		r.want(t, http.StatusOK, "")
		if r.Header.Get("X-Auth-Request-Access-Token") != "" {
			t.Error("the browser gets the access token")
		}
		all := g.api.requests()
		seen := all[len(all)-1].Header
		token := strings.TrimPrefix(seen.Get("Authorization"), "Bearer ")
		if !g.op.AccessTokenLives(token) || seen.Get("X-Auth-Request-User") != "alice" || seen.Get("X-Auth-Request-Email") != "alice@example.com" || seen.Get("Cookie") != "" {
			t.Errorf("the application saw %v", seen)
		}
		time.Sleep(1200 * time.Millisecond)
	}
	if n := len(g.op.Grants("refresh_token")); n == 0 {
		t.Error("the access token was not renewed")
	}
	b.get("/orders", "Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "cors").want(t, http.StatusForbidden, "")

	// A browser that asks for itself learns who it is, which it knows, and nothing more.
	own := b.get("/bff/auth")
	if own.StatusCode != http.StatusAccepted || own.Header.Get("X-Auth-Request-User") != "alice" || own.Header.Get("X-Auth-Request-Access-Token") != "" {
		t.Errorf("a browser's own question = %d %v", own.StatusCode, own.Header)
	}
	for _, given := range []string{"", "wrong", proxySecret} { // nginx takes away what a browser sends
		if r := b.get("/bff/auth?token=access", "X-Forward-Auth-Secret", given); r.StatusCode != http.StatusForbidden || r.Header.Get("X-Auth-Request-Access-Token") != "" {
			t.Errorf("a browser that asks for its access token = %d %v", r.StatusCode, r.Header)
		}
	}
	if r := b.get("/_auth"); r.StatusCode != http.StatusNotFound {
		t.Errorf("the subrequest's own address = %d", r.StatusCode)
	}
	b.do(http.MethodPost, "/bff/logout", nil).want(t, http.StatusOK, "")
	b.get("/orders").want(t, http.StatusUnauthorized, "")
}
