package handlers_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/test/providers/odd"
	"github.com/cloakroom/cloakroom/test/world"
)

// unsigned returns a logout token with an invalid signature.
func unsigned(header, claims odd.Claims) string {
	part := func(v any) string {
		b, _ := json.Marshal(v) // strings and numbers
		return base64.RawURLEncoding.EncodeToString(b)
	}
	return part(header) + "." + part(claims) + "." + base64.RawURLEncoding.EncodeToString(make([]byte, 256))
}

// junk are the kinds of logout token that strangers can make up, up to one that is right except for
// its signature.
func junk(g *world.World) []func(i int) string {
	shape := func(change func(i int, h, c odd.Claims)) func(int) string {
		return func(i int) string {
			h, now := g.OP.Header(), time.Now().Unix()
			c := odd.Claims{
				"iss": g.OP.Issuer(), "aud": g.OP.Client.ID, "iat": now, "exp": now + 100, "jti": fmt.Sprint(i), "sub": "alice",
				"events": odd.Claims{"http://schemas.openid.net/event/backchannel-logout": odd.Claims{}},
			}
			change(i, h, c)
			return unsigned(h, c)
		}
	}
	return []func(int) string{
		func(int) string { return "x.y.z" },
		func(int) string { return "" },
		shape(func(_ int, h, _ odd.Claims) { h["alg"] = "none" }),
		shape(func(_ int, h, _ odd.Claims) { h["alg"] = "ES256" }),
		shape(func(_ int, _, c odd.Claims) { c["aud"] = "somebody" }),
		shape(func(_ int, _, c odd.Claims) { c["exp"] = 1 }),
		shape(func(_ int, _, c odd.Claims) { delete(c, "events") }),
		shape(func(int, odd.Claims, odd.Claims) {}),
		shape(func(i int, h, _ odd.Claims) { h["kid"] = fmt.Sprint("made-up-", i) }),
		shape(func(_ int, h, _ odd.Claims) { delete(h, "kid") }),
	}
}

// TestJunkKeepsOutNoLogout: strangers post logout tokens of every kind as fast as they can, from
// the same address as the provider, as is the case behind every proxy that is not trusted. Each
// token of the provider is answered with 200 and ends its session.
func TestJunkKeepsOutNoLogout(t *testing.T) {
	g := world.New(t, "")
	shapes := junk(g)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	var posted atomic.Int64
	var crowd sync.WaitGroup
	s := g.Stranger("198.51.100.7")
	for range 30 {
		crowd.Go(func() {
			for ctx.Err() == nil {
				i := int(posted.Add(1))
				form := url.Values{"logout_token": {shapes[i%len(shapes)](i)}}.Encode()
				r := s.Do(ctx, http.MethodPost, "/bff/backchannel/main", strings.NewReader(form),
					"Content-Type", "application/x-www-form-urlencoded")
				if r != nil && r.StatusCode != http.StatusBadRequest &&
					(r.StatusCode != http.StatusServiceUnavailable || r.Header.Get("Retry-After") == "") {
					t.Errorf("junk of shape %d = %d %s", i%len(shapes), r.StatusCode, r.Text)
				}
			}
		})
	}
	op := g.Browser()
	op.Client.Timeout = time.Minute
	for n := 0; n < 8 || posted.Load() < 1000; n++ {
		if ctx.Err() != nil {
			t.Fatalf("after five minutes %d logout tokens beside %d pieces of junk", n, posted.Load())
		}
		sub := fmt.Sprint("user-", n)
		g.OP.SetUser(odd.Claims{"sub": sub})
		b := g.Browser()
		b.Client.Timeout = time.Minute
		b.Login()
		form := url.Values{"logout_token": {g.OP.LogoutToken(world.BySub(sub))}}.Encode()
		r := op.Do(http.MethodPost, "/bff/backchannel/main", strings.NewReader(form),
			"Content-Type", "application/x-www-form-urlencoded", "X-Forwarded-For", "192.0.2.1")
		if r.StatusCode != http.StatusOK {
			t.Errorf("logout token %d, beside %d pieces of junk = %d %s", n, posted.Load(), r.StatusCode, r.Text)
		}
		b.Get("/bff/user").Want(t, http.StatusUnauthorized, "")
	}
	cancel()
	crowd.Wait()
	if n := strings.Count(g.Log.String(), "server.trusted_proxies"); n != 1 {
		t.Errorf("the log names server.trusted_proxies %d times, want once", n)
	}
	if n := g.OP.Count(odd.JWKS); n > 160 { // three at once, then one in two seconds
		t.Errorf("the keys were fetched %d times", n)
	}
}

// TestJunkInTheFrontChannelKeepsOutNoLogout is the same for GET /bff/frontchannel.
func TestJunkInTheFrontChannelKeepsOutNoLogout(t *testing.T) {
	g := world.New(t, "")
	g.OP.OnClaims(func(_ string, c odd.Claims) { c["sid"] = "the-sid" })
	b := g.Browser()
	b.Login()
	path := "/bff/frontchannel/main?iss=" + url.QueryEscape(g.OP.Issuer()) + "&sid="
	s := g.Stranger("")
	var crowd sync.WaitGroup
	for i := range 20 {
		crowd.Go(func() {
			for n := range 60 {
				s.Do(t.Context(), http.MethodGet, fmt.Sprintf("%smade-up-%d-%d", path, i, n), nil)
			}
		})
	}
	crowd.Wait()
	if r := g.Browser().Navigate(path + "the-sid"); r.StatusCode != http.StatusOK {
		t.Errorf("the provider's = %d %s", r.StatusCode, r.Text)
	}
	b.Get("/bff/user").Want(t, http.StatusUnauthorized, "")
}

// TestKeysThatHangHoldUpNoLogout: tokens of an unknown key wait for the provider's keys; tokens of
// a known key do not wait.
func TestKeysThatHangHoldUpNoLogout(t *testing.T) {
	g := world.New(t, "")
	b := g.Browser()
	b.Login()
	undo := g.OP.Intercept(odd.JWKS, odd.Hang(nil))
	defer undo()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var crowd sync.WaitGroup
	s := g.Stranger("")
	var busy atomic.Int64
	shapes := junk(g)
	for i := range 300 {
		crowd.Go(func() {
			token := shapes[len(shapes)-2](i)
			r := s.Do(ctx, http.MethodPost, "/bff/backchannel/main", strings.NewReader(url.Values{"logout_token": {token}}.Encode()),
				"Content-Type", "application/x-www-form-urlencoded")
			if r != nil && r.StatusCode == http.StatusServiceUnavailable && r.Header.Get("Retry-After") != "" {
				busy.Add(1)
			}
		})
	}
	world.Eventually(t, "the crowd to wait for keys", func() bool { return busy.Load() > 0 })
	b.Backchannel(g.OP.LogoutToken(world.BySub("alice"))).Want(t, http.StatusOK, "")
	b.Get("/bff/user").Want(t, http.StatusUnauthorized, "")
	cancel()
	crowd.Wait()
}
