package server_test

import (
	"context"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/config"
	"github.com/cloakroom/cloakroom/test/providers/odd"
	"github.com/cloakroom/cloakroom/test/world"
)

// TestStrangersFailNoCallOfAUser: strangers send made-up codes, calls that need this service's own
// token, and logout tokens with unknown keys, all at once and as fast as they can. The provider
// limits them, fails, hangs or is slow, and meanwhile a user's access token expires. Users with a
// session notice nothing.
func TestStrangersFailNoCallOfAUser(t *testing.T) {
	const atLeast, atMost = 1500 * time.Millisecond, 5 * time.Minute // with each answer of the provider
	notRenewals := func(i odd.Interceptor) odd.Interceptor {
		return func(w http.ResponseWriter, r *http.Request, next http.HandlerFunc) {
			if r.PostForm.Get("grant_type") == "refresh_token" {
				next(w, r)
				return
			}
			i(w, r, next)
		}
	}
	g := world.NewStage(t)
	cfg := g.Config(g.Port, "sqlite:"+g.DB, "")
	for i := range cfg.Proxy.Routes { // an API that is slow because the machine is busy is no failure here
		cfg.Proxy.Routes[i].Timeout = time.Minute
	}
	service := cfg.Proxy.Routes[0]
	service.Path, service.Token, service.CSRF, service.Provider = "/service/", "client", "none", "main"
	cfg.Proxy.Routes = append(cfg.Proxy.Routes, service)
	g.Run(cfg)
	g.OP.SetTokenLife(time.Second)
	user := g.Browser()
	user.Client.Timeout = time.Minute
	user.Login()
	for _, provider := range []struct {
		name   string
		answer odd.Interceptor
	}{
		{"is slow", odd.Delay(300 * time.Millisecond)},
		{"fails", notRenewals(odd.Answer(http.StatusInternalServerError, "text/plain", ""))},
		{"hangs", notRenewals(odd.Hang(nil))},
		{"limits them", notRenewals(odd.OAuthError(http.StatusTooManyRequests, "slow_down", "Retry-After", "60"))},
	} {
		undo := g.OP.Intercept(odd.Token, provider.answer)
		undoKeys := g.OP.Intercept(odd.JWKS, provider.answer)
		renewed, asked := len(g.OP.Grants("refresh_token")), g.OP.Count(odd.Token)
		shown := func() bool {
			renewals := len(g.OP.Grants("refresh_token")) - renewed
			return renewals > 1 && g.OP.Count(odd.Token)-asked > renewals
		}
		ctx, cancel := context.WithTimeout(t.Context(), atMost)
		began := time.Now()
		var crowd sync.WaitGroup
		s := g.Stranger("198.51.100.7") // of a proxy that nobody trusts: no limit per address helps
		for i := range 80 {
			crowd.Go(func() {
				for ctx.Err() == nil {
					switch {
					case i%10 == 0:
						s.JunkLogout(ctx)
					case i%10 == 1:
						s.Do(ctx, http.MethodGet, "/service/x", nil)
					default:
						s.Guess(ctx)
					}
				}
			})
		}
		calls := 0
		for ; ctx.Err() == nil && (time.Since(began) < atLeast || !shown()); calls++ {
			if r := user.Get("/api/x"); r.StatusCode != http.StatusOK {
				t.Errorf("call %d at a provider that %s = %d %s", calls, provider.name, r.StatusCode, r.Text)
				break
			}
			time.Sleep(20 * time.Millisecond)
		}
		cancel()
		crowd.Wait()
		undo()
		undoKeys()
		if !t.Failed() && !shown() {
			t.Errorf("a provider that %s saw no strangers, or no renewals, beside %d calls: this shows nothing", provider.name, calls)
		}
	}
	user.Get("/bff/user").Want(t, http.StatusOK, "")
}

// behindATrustedProxy runs a server that trusts the client addresses that this machine sends.
func behindATrustedProxy(t *testing.T, change ...func(*config.Config)) *world.World {
	t.Helper()
	g := world.NewStage(t)
	cfg := g.Config(g.Port, "sqlite:"+g.DB, "")
	cfg.Site.TrustedProxies = append(cfg.Site.TrustedProxies, netip.MustParsePrefix("127.0.0.1/32"))
	for _, f := range change {
		f(cfg)
	}
	g.Run(cfg)
	return g
}

// TestRefusedCodesOfOneClientAreLimited: beyond the limit no code is sent. Only codes that the
// provider refuses count, so that any number of people can log in from one address. The limit
// applies to that client alone.
func TestRefusedCodesOfOneClientAreLimited(t *testing.T) {
	g := behindATrustedProxy(t)
	for range 70 {
		if r := loginFrom(g, "192.0.2.1"); r.StatusCode != http.StatusFound {
			t.Fatalf("login = %d %s", r.StatusCode, r.Text)
		}
	}
	s := g.Stranger("192.0.2.1")
	var limited, sent atomic.Int64
	before := g.OP.Count(odd.Token)
	var crowd sync.WaitGroup
	for range 200 {
		crowd.Go(func() {
			r := s.Guess(t.Context())
			if r == nil || r.StatusCode != http.StatusTooManyRequests {
				sent.Add(1)
				return
			}
			limited.Add(1)
			isPage := strings.HasPrefix(r.Header.Get("Content-Type"), "text/html")
			if !strings.Contains(r.Text, "rate_limited") || r.Header.Get("Retry-After") == "" || !isPage {
				t.Errorf("the answer to one too many is %s %q:\n%s", r.Header.Get("Content-Type"), r.Header.Get("Retry-After"), r.Text)
			}
		})
	}
	crowd.Wait()
	if n := g.OP.Count(odd.Token) - before; limited.Load() < 20 || int64(n) > sent.Load() {
		t.Errorf("of 200 made-up codes %d were refused as too many, and %d sent", limited.Load(), n)
	}
	if r := loginFrom(g, "192.0.2.2"); r.StatusCode != http.StatusFound {
		t.Errorf("login from another address = %d %s", r.StatusCode, r.Text)
	}
	if r := loginFrom(g, "2001:db8::1"); r.StatusCode != http.StatusFound {
		t.Errorf("login from another address = %d %s", r.StatusCode, r.Text)
	}
}

// loginFrom logs in with a browser whose address a proxy reports.
func loginFrom(g *world.World, from string) *world.Reply {
	g.T.Helper()
	b := g.Browser()
	navigate := func(to string) *world.Reply {
		return b.Get(to, "X-CSRF", "", "Accept", "text/html", "X-Forwarded-For", from,
			"Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document", "Sec-Fetch-Site", "same-origin")
	}
	begin := navigate("/bff/login")
	return navigate(g.OP.Login(begin.Header.Get("Location")).RequestURI())
}

// TestClientsBehindAnUnknownProxyHaveNoLimit: all of them have the proxy's address. The log says
// once what to do.
func TestClientsBehindAnUnknownProxyHaveNoLimit(t *testing.T) {
	g := world.New(t, "")
	s := g.Stranger("192.0.2.1")
	for i := range 120 {
		if r := s.Guess(t.Context()); r == nil || r.StatusCode != http.StatusForbidden {
			t.Fatalf("code %d = %+v, want the provider's refusal", i, r)
		}
	}
	if n := strings.Count(g.Log.String(), "server.trusted_proxies"); n != 1 {
		t.Errorf("the log names server.trusted_proxies %d times, want once", n)
	}
}
