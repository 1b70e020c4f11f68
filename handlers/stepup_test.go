package handlers_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/test/world"

	"github.com/coder/websocket"

	"github.com/cloakroom/cloakroom/proxy"
	"github.com/cloakroom/cloakroom/test/providers/odd"
)

// stepUpRig has a route /gold/ that requires a recent strong login, and a route /sales/ that
// requires a claim that no login has.
func stepUpRig(t *testing.T) *world.World {
	t.Helper()
	g := world.NewStage(t)
	cfg := g.Config(g.Port, "sqlite:"+g.DB, "")
	gold, sales := cfg.Proxy.Routes[0], cfg.Proxy.Routes[0]
	gold.Path, gold.Require = "/gold/", proxy.Require{ACR: []string{"gold", "platinum"}, MaxAge: 10 * time.Minute}
	sales.Path, sales.Require = "/sales/", proxy.Require{Claims: map[string]string{"department": "sales"}, Scopes: []string{"profile"}}
	cfg.Proxy.Routes = append(cfg.Proxy.Routes, gold, sales)
	g.Run(cfg)
	return g
}

// loggedInWith makes the provider report how and when the user authenticated.
func loggedInWith(g *world.World, value string, ago time.Duration) {
	g.OP.OnClaims(func(_ string, claims odd.Claims) {
		claims["acr"] = value
		claims["auth_time"] = time.Now().Add(-ago).Unix()
	})
}

// wantStepUp checks for a 401 that names the login URL and what it asks for.
func wantStepUp(t *testing.T, r *world.Reply, want map[string]string) string {
	t.Helper()
	r.Want(t, http.StatusUnauthorized, "step_up_required")
	var body struct {
		LoginURL string `json:"login_url"`
	}
	if err := json.Unmarshal([]byte(r.Text), &body); err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(body.LoginURL)
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range want {
		if got := u.Query().Get(name); got != value {
			t.Errorf("%s in %s = %q, want %q", name, body.LoginURL, got, value)
		}
	}
	return body.LoginURL
}

// SP11, RFC 9470: a request that needs a stronger login is answered with the URL for it. After that
// login the same session continues under a new ticket.
func TestStepUpGoesOnWithTheSameSession(t *testing.T) {
	g := stepUpRig(t)
	b := g.Browser()
	b.Login()
	rows := b.Get("/bff/sessions").Text
	session := b.Get("/bff/session").Text
	old := b.Cookie()

	login := wantStepUp(t, b.Get("/gold/x", "Referer", g.Origin+"/vault?a=b"), map[string]string{
		"acr_values": "gold platinum", "max_age": "600", "returnUrl": "/vault?a=b", "provider": "main", "step_up": "1",
	})
	if len(g.API.Requests()) != 0 {
		t.Error("the API was called")
	}
	b.Get("/api/x").Want(t, http.StatusOK, "") // the session is good for all else

	begin := b.Navigate(login)
	to, _ := url.Parse(begin.Header.Get("Location"))
	if q := to.Query(); q.Get("acr_values") != "gold platinum" || q.Get("max_age") != "600" || q.Has("step_up") {
		t.Errorf("the provider is asked for %v", to.Query())
	}
	loggedInWith(g, "silver", 0)
	weak := b.Navigate(g.OP.Login(begin.Header.Get("Location")).RequestURI())
	if weak.StatusCode != http.StatusForbidden || !strings.Contains(weak.Text, "as strongly") || b.Cookie() != old {
		t.Errorf("a login that is too weak = %d, cookie changed: %v: %s", weak.StatusCode, b.Cookie() != old, weak.Text)
	}
	b.Get("/api/x").Want(t, http.StatusOK, "")

	loggedInWith(g, "gold", 0)
	events := b.Stream(g.Origin + "/bff/events")
	world.Next(t, events, time.Second)
	world.Next(t, events, time.Second)
	g.ServeStreams()
	socket := b.WebSocket(g.Origin, "/api/echo")
	if back := b.StepUp(login); back.StatusCode != http.StatusFound || back.Header.Get("Location") != "/vault?a=b" {
		t.Fatalf("step-up = %d %s", back.StatusCode, back.Text)
	}
	if line, _ := world.Next(t, events, time.Second); line != "retry: 500" {
		t.Errorf("listeners hear %q, want to come back in a moment", line)
	}
	world.WantClosed(t, socket, 1012, "session_continued", time.Second)
	g.API.Respond(nil)
	b.Get("/gold/x").Want(t, http.StatusOK, "")
	if b.Cookie() == old {
		t.Error("the ticket is the old one")
	}
	stranger := g.Browser()
	stranger.Get("/api/x", "Cookie", "cloakroom="+old).Want(t, http.StatusUnauthorized, "")
	if after := b.Get("/bff/sessions").Text; idIn(t, after) != idIn(t, rows) {
		t.Errorf("sessions were %s and are %s, want the same one", rows, after)
	}
	if after := b.Get("/bff/session").Text; field(t, after, "created_at") != field(t, session, "created_at") ||
		field(t, after, "expires_at") != field(t, session, "expires_at") {
		t.Errorf("session was %s and is %s, want the same life", session, after)
	}
}

// The old ticket ends before the browser has the new one. A tab that meanwhile uses the old one is
// told to retry, and not that the user has logged out.
func TestListenerThatComesBackBeforeTheNewTicketComesAgain(t *testing.T) {
	var later atomic.Int64
	g := world.NewStage(t)
	g.Now = func() time.Time { return time.Now().Add(time.Duration(later.Load())) }
	g.Start(g.Port, "sqlite:"+g.DB, "")
	b := g.Browser()
	b.Login()
	old := b.Cookie()
	b.StepUp("/bff/login?step_up=1").Want(t, http.StatusFound, "")

	again := g.Browser().Get("/bff/events", "Cookie", "cloakroom="+old, "Last-Event-ID", "1.a")
	if again.StatusCode != http.StatusOK || again.Text != "retry: 500\n\n" {
		t.Errorf("with the old ticket = %d %q, want to come again", again.StatusCode, again.Text)
	}
	events := b.Stream(g.Origin + "/bff/events")
	if line, _ := world.Next(t, events, time.Second); line != "event: session" {
		t.Errorf("with the new ticket it hears %q", line)
	}
	later.Store(int64(11 * time.Second))
	g.Browser().Get(g.Admin+"/readyz").Want(t, http.StatusOK, "") // a ping, by which the clock is set
	never := g.Browser().Get("/bff/events", "Cookie", "cloakroom="+old, "Last-Event-ID", "1.a")
	if !strings.Contains(never.Text, `{"reason":"logout"}`) {
		t.Errorf("who never got the new ticket = %d %q, want the end", never.StatusCode, never.Text)
	}
}

// An old strong login is not enough where a recent one is required.
func TestStepUpForAFresherLogin(t *testing.T) {
	g := stepUpRig(t)
	loggedInWith(g, "gold", 20*time.Minute)
	b := g.Browser()
	b.Login()
	login := wantStepUp(t, b.Get("/gold/x"), map[string]string{"max_age": "600"})
	if back := b.StepUp(login); back.StatusCode != http.StatusForbidden || !strings.Contains(back.Text, "as recently") {
		t.Errorf("a provider that did not ask again = %d %s", back.StatusCode, back.Text)
	}
	loggedInWith(g, "platinum", time.Minute)
	if back := b.StepUp(login); back.StatusCode != http.StatusFound {
		t.Fatalf("step-up = %d %s", back.StatusCode, back.Text)
	}
	b.Get("/gold/x").Want(t, http.StatusOK, "")
}

// The requirements of a step-up count, whatever the operator configures for each login.
func TestStepUpIsHeldToWhatItAsksForBesideAuthParams(t *testing.T) {
	for _, params := range []map[string]string{{"max_age": "3600"}, {"acr_values": "silver"}} {
		g := world.NewStage(t)
		cfg := g.Config(g.Port, "sqlite:"+g.DB, "")
		cfg.Providers[0].AuthParams = params
		gold := cfg.Proxy.Routes[0]
		gold.Path, gold.Require = "/gold/", proxy.Require{ACR: []string{"gold"}, MaxAge: time.Minute}
		cfg.Proxy.Routes = append(cfg.Proxy.Routes, gold)
		g.Run(cfg)
		loggedInWith(g, "silver", 10*time.Minute)
		b := g.Browser()
		b.Login()
		login := wantStepUp(t, b.Get("/gold/x"), nil)
		begin := b.Navigate(login)
		if to, _ := url.Parse(begin.Header.Get("Location")); to.Query().Get("acr_values") != "gold" || to.Query().Get("max_age") != "60" {
			t.Errorf("with %v the provider is asked for %v", params, to.Query())
		}
		for acr, ago := range map[string]time.Duration{"gold": 10 * time.Minute, "silver": 0} {
			loggedInWith(g, acr, ago)
			b.StepUp(login).Want(t, http.StatusForbidden, "")
		}
		loggedInWith(g, "gold", 0)
		b.StepUp(login).Want(t, http.StatusFound, "")
		b.Get("/gold/x").Want(t, http.StatusOK, "")
	}
}

// Anybody can write the URL of a step-up. It must not allow a login without what the operator
// requires of each login.
func TestStepUpDoesNotLowerWhatALoginIsAskedFor(t *testing.T) {
	g := world.NewStage(t)
	cfg := g.Config(g.Port, "sqlite:"+g.DB, "")
	cfg.Providers[0].AuthParams = map[string]string{"acr_values": "mfa"}
	g.Run(cfg)
	const weak = "/bff/login?step_up=1&acr_values=password"
	begin := g.Browser().Navigate(weak)
	if to, _ := url.Parse(begin.Header.Get("Location")); to.Query().Get("acr_values") != "mfa" {
		t.Errorf("without a session the provider is asked for %v", to.Query())
	}
	loggedInWith(g, "mfa", 0)
	b := g.Browser()
	b.Login()
	g.OP.OnClaims(func(_ string, claims odd.Claims) { claims["acr"], claims["sub"] = "password", "bob" })
	b.StepUp(weak).Want(t, http.StatusForbidden, "")
	if who := field(t, b.Get("/bff/session").Text, "subject"); who != "alice" {
		t.Errorf("the session is %s's, want alice's", who)
	}
}

// The API itself may ask (RFC 9470 §3). What it says reaches the app as our own 401, and the
// session stays.
func TestAPIsDemandForAStrongerLoginReachesTheApp(t *testing.T) {
	g := stepUpRig(t)
	b := g.Browser()
	b.Login()
	for challenge, want := range map[string]map[string]string{
		`Bearer error="insufficient_user_authentication", error_description="A different one, is required", ` +
			`acr_values="myACR other", max_age="5"`: {"acr_values": "myACR other", "max_age": "5"},
		`Basic realm="x, y", Bearer error="insufficient_user_authentication", max_age=7`: {"max_age": "7"},
		`Bearer realm="x", error=insufficient_user_authentication, max_age=0`:            {"max_age": "0", "acr_values": ""},
	} {
		g.API.Respond(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("WWW-Authenticate", challenge)
			w.WriteHeader(http.StatusUnauthorized)
		})
		renewals := len(g.OP.Grants("refresh_token"))
		wantStepUp(t, b.Get("/api/x"), want)
		if n := len(g.OP.Grants("refresh_token")) - renewals; n != 0 {
			t.Errorf("renewals = %d, want none: the token is not to blame", n)
		}
	}
	g.API.Respond(nil)
	b.Get("/api/x").Want(t, http.StatusOK, "")
}

// SP11: an API that is never satisfied does not cause an endless loop of logins.
func TestAPIThatIsNeverContentIsExplained(t *testing.T) {
	g := stepUpRig(t)
	b := g.Browser()
	b.Login()
	g.API.Respond(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("WWW-Authenticate", `Bearer error="insufficient_user_authentication", max_age=60`)
		w.WriteHeader(http.StatusUnauthorized)
	})
	logins := 0
	for ; logins < 10; logins++ {
		begin := b.Navigate(wantStepUp(t, b.Get("/api/x"), nil))
		if begin.StatusCode != http.StatusFound {
			if begin.StatusCode != http.StatusBadRequest || !strings.Contains(begin.Text, "<code>app</code>") {
				t.Errorf("after %d logins = %d %s", logins, begin.StatusCode, begin.Text)
			}
			break
		}
		b.Navigate(g.OP.Login(begin.Header.Get("Location")).RequestURI())
	}
	if logins > 3 {
		t.Errorf("%d logins before anybody was told", logins)
	}
}

func TestRouteDemandsClaimsAndScopes(t *testing.T) {
	g := stepUpRig(t)
	for department, want := range map[any]int{"sales": http.StatusOK, "hr": http.StatusForbidden, nil: http.StatusForbidden} {
		g.OP.OnClaims(func(_ string, claims odd.Claims) { claims["department"] = department })
		b := g.Browser()
		b.Login()
		b.Get("/sales/x").Want(t, want, "")
	}
	g.OP.OnClaims(func(_ string, claims odd.Claims) { claims["department"] = []string{"hr", "sales"} })
	b := g.Browser()
	b.Login()
	b.Get("/sales/x").Want(t, http.StatusOK, "")
	g.Browser().Get("/sales/x").Want(t, http.StatusUnauthorized, "not_authenticated")
	_, res, err := websocket.Dial(t.Context(), g.Origin+"/gold/echo", &websocket.DialOptions{
		HTTPClient: &http.Client{Jar: b.Client.Jar},
		HTTPHeader: http.Header{"Origin": {g.Origin}},
	})
	if err == nil || res.StatusCode != http.StatusUnauthorized {
		t.Errorf("a WebSocket without what the route demands: %v", err)
	}
}

// A path can't be spelled so that a less strict route takes it and the requirement of a route is
// avoided (PX4).
func TestRequireHoldsHoweverThePathIsSpelled(t *testing.T) {
	g := world.NewStage(t)
	cfg := g.Config(g.Port, "sqlite:"+g.DB, "")
	admin, upstream := cfg.Proxy.Routes[0], *cfg.Proxy.Routes[0].Upstream
	upstream.Path = "/admin/"
	admin.Path, admin.Upstream, admin.Require = "/api/admin/", &upstream, proxy.Require{Claims: map[string]string{"role": "admin"}}
	cfg.Proxy.Routes = append(cfg.Proxy.Routes, admin)
	g.Run(cfg)
	b := g.Browser()
	b.Login()
	b.Get("/api/admin/x").Want(t, http.StatusForbidden, "forbidden")
	for _, path := range []string{"/api/%61dmin/x", "/api/admin;a=b/x", "/api/Admin/x", "/api/%61dmin", "/api/%2561dmin/x"} {
		b.Get(path).Want(t, http.StatusBadRequest, "")
	}
	if n := len(g.API.Requests()); n != 0 {
		t.Errorf("requests at the API = %d, want none", n)
	}
	b.Get("/api/%61bc;d/Admin").Want(t, http.StatusOK, "")
}

// Logging out does not give access to a route with a requirement, even if it admits visitors
// otherwise.
func TestRequireIsNotMetByLoggingOut(t *testing.T) {
	g := world.NewStage(t)
	cfg := g.Config(g.Port, "sqlite:"+g.DB, "")
	optional := cfg.Proxy.Routes[1]
	optional.Path, optional.Require = "/guarded/", proxy.Require{Claims: map[string]string{"role": "admin"}}
	cfg.Proxy.Routes = append(cfg.Proxy.Routes, optional)
	g.Run(cfg)
	b := g.Browser()
	b.Get("/guarded/x").Want(t, http.StatusUnauthorized, "not_authenticated")
	b.Login()
	b.Get("/guarded/x").Want(t, http.StatusForbidden, "forbidden")
	if n := len(g.API.Requests()); n != 0 {
		t.Errorf("requests at the API = %d, want none", n)
	}
}

// A permission that a renewal removes is already missing for the request that caused the renewal.
func TestRequireIsJudgedByTheRenewedSession(t *testing.T) {
	g := stepUpRig(t)
	g.OP.SetTokenLife(time.Second)
	g.OP.OnClaims(func(_ string, claims odd.Claims) { claims["department"] = "sales" })
	b := g.Browser()
	b.Login()
	b.Get("/sales/x").Want(t, http.StatusOK, "")
	g.OP.OnClaims(func(_ string, claims odd.Claims) { claims["department"] = "hr" })
	time.Sleep(1100 * time.Millisecond)
	calls := len(g.API.Requests())
	b.Get("/sales/x").Want(t, http.StatusForbidden, "forbidden")
	if n := len(g.API.Requests()) - calls; n != 0 {
		t.Errorf("requests at the API = %d, want none", n)
	}

	// The API itself reports that the token is no longer valid.
	g.OP.SetTokenLife(time.Hour)
	g.OP.OnClaims(func(_ string, claims odd.Claims) { claims["department"] = "sales" })
	b = g.Browser()
	b.Login()
	g.OP.OnClaims(func(_ string, claims odd.Claims) { claims["department"] = "hr" })
	g.API.Respond(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
		w.WriteHeader(http.StatusUnauthorized)
	})
	calls = len(g.API.Requests())
	b.Get("/sales/x").Want(t, http.StatusForbidden, "forbidden")
	if n := len(g.API.Requests()) - calls; n != 1 {
		t.Errorf("requests at the API = %d, want the one that it rejected", n)
	}
}

// The session_expiry claim: the provider's session ends before ours would.
func TestProvidersSessionExpiryShortensTheSession(t *testing.T) {
	g := world.New(t, "  lifetime: 12h")
	end := time.Now().Add(time.Hour).Truncate(time.Second)
	for claim, want := range map[any]time.Duration{
		end.Unix():                     time.Hour,
		end.Add(24 * time.Hour).Unix(): 12 * time.Hour,
		"soon":                         12 * time.Hour,
		-1:                             12 * time.Hour,
	} {
		g.OP.OnClaims(func(_ string, claims odd.Claims) { claims["session_expiry"] = claim })
		b := g.Browser()
		b.Login()
		expires, err := time.Parse(time.RFC3339, field(t, b.Get("/bff/session").Text, "expires_at"))
		if left := time.Until(expires); err != nil || left > want || left < want-time.Minute {
			t.Errorf("session_expiry %v leaves %v %v, want %v", claim, left, err, want)
		}
	}
}

func idIn(t *testing.T, rows string) string {
	t.Helper()
	var all []struct{ ID string }
	if err := json.Unmarshal([]byte(rows), &all); err != nil || len(all) != 1 {
		t.Fatalf("sessions = %s %v, want one", rows, err)
	}
	return all[0].ID
}

func field(t *testing.T, object, name string) string {
	t.Helper()
	var all map[string]any
	if err := json.Unmarshal([]byte(object), &all); err != nil {
		t.Fatal(err)
	}
	s, _ := all[name].(string)
	return s
}

// A provider may keep one grant for all logins of one of its sessions. After a refused step-up, the
// tokens of that login are not revoked while the session goes on.
func TestRefusedStepUpLeavesTheSessionsGrantAlone(t *testing.T) {
	g := stepUpRig(t)
	b := g.Browser()
	b.Login()
	revoked := g.OP.Count(odd.Revocation)
	b.StepUp(wantStepUp(t, b.Get("/gold/x"), nil)).Want(t, http.StatusForbidden, "")
	time.Sleep(2500 * time.Millisecond) // the outbox is looked at every second
	if n := g.OP.Count(odd.Revocation) - revoked; n != 0 {
		t.Errorf("revocations while the session goes on = %d, want none", n)
	}
	b.Get("/api/x").Want(t, http.StatusOK, "")
}
