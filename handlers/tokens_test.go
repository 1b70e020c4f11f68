package handlers_test

import (
	"bufio"
	"encoding/base64"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/secret"
	"github.com/cloakroom/cloakroom/test/providers/odd"
	"github.com/cloakroom/cloakroom/test/world"
)

// stowaway is a token of another party that a provider passes on.
const stowaway = "stowaway-token-of-another-provider"

// A haul is everything that browsers received, and all tokens that existed.
type haul struct {
	mu     sync.Mutex // guards all below
	got    []string
	tokens map[string]bool
}

func (h *haul) token(s string) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	if s != "" {
		h.tokens[s] = true
	}
	return s
}

func (h *haul) see(what string, v any) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.got = append(h.got, fmt.Sprintf("%s: %v", what, v))
}

// wantNone searches everything that was received, and the log, for every token: plain, escaped and
// in base64.
func (h *haul) wantNone(t *testing.T, log string) {
	t.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	for token := range h.tokens {
		for _, form := range []string{token, url.QueryEscape(token), base64.RawStdEncoding.EncodeToString([]byte(token[:len(token)/3*3]))} {
			for _, seen := range h.got {
				if strings.Contains(seen, form) {
					t.Errorf("the browser got a token:\n%.1500s", seen)
				}
			}
			if at := strings.Index(log, form); at >= 0 {
				t.Errorf("the log shows a token: %.600s", log[max(at-300, 0):])
			}
		}
	}
}

// plants are claims with a token in each place that might be read or overlooked.
func plants(h *haul, access string) odd.Claims {
	jwt := h.token(odd.Sign(&odd.Key{Secret: []byte("s")}, odd.Claims{"alg": "HS256"}, odd.Claims{"sub": "alice"}))
	return odd.Claims{
		"_claim_names": odd.Claims{"pay": "s", "groups": "t"},
		"_claim_sources": odd.Claims{
			"s": odd.Claims{"endpoint": "https://x.example", "access_token": stowaway},
			"t": odd.Claims{"JWT": jwt},
		},
		"idp_access_token": stowaway, "identities": []any{odd.Claims{"provider": "g", "accessToken": stowaway}},
		"profile": "https://x.example/?t=" + access, "nickname": access, "locale": "Bearer " + access, access: true,
		"vc": jwt, "website": base64.StdEncoding.EncodeToString([]byte(access)), "picture": []string{"a.png", access},
		"blob": `{"access_token":"` + stowaway + `"}`, "session_state": "x." + access, "sid": access, "preferred_username": access,
	}
}

// echoing is an API that returns its callers' tokens in every part of its answer.
func echoing(w http.ResponseWriter, r *http.Request) {
	token := r.Header.Get("Authorization")
	bare := strings.TrimPrefix(token, "Bearer ")
	h := w.Header()
	if r.URL.Path == "/challenge" {
		h.Set("Www-Authenticate", `Bearer error="insufficient_user_authentication", acr_values="gold `+bare+`"`)
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	h.Set("Link", "</x?t="+bare+">; rel=preload")
	w.WriteHeader(http.StatusEarlyHints)
	for _, name := range []string{
		"Authorization", "Authentication-Info", "X-Request-Headers", "X-Auth-Request-Access-Token",
		"Etag", "X-Request-Id", "Content-Language",
	} {
		h.Set(name, `"`+token+`"`)
	}
	h.Set("Location", "/elsewhere?token="+url.QueryEscape(bare))
	h.Add("Set-Cookie", "mine=1")
	h.Add("Set-Cookie", "theirs="+bare)
	h.Set("X-"+bare, "1")
	h.Set("X-Kept", "kept")
	h.Set("Trailer", "X-Late, X-Fine")
	w.WriteHeader(http.StatusCreated)
	_, _ = io.WriteString(w, "an API's own words")
	h.Set("X-Late", token)
	h.Set("X-Fine", "fine")
	h.Set(http.TrailerPrefix+"X-Later", token)
}

// TestNoTokenReachesTheBrowser: a provider and an API put tokens wherever they can, at login, at a
// renewal and in their errors. Everything that the browser received, and the whole log, is then
// searched for the tokens.
func TestNoTokenReachesTheBrowser(t *testing.T) {
	h := &haul{tokens: map[string]bool{stowaway: true}}
	g := world.NewStage(t)
	cfg := g.Config(g.Port, "sqlite:"+g.DB, "")
	cfg.Handlers.ForwardAuthSecret = secret.New(world.ProxySecret)
	g.Run(cfg)
	g.API.Respond(echoing)
	newest := func() string {
		grants := g.OP.Grants("")
		h.token(grants[len(grants)-1].Issued)
		return h.token(grants[len(grants)-1].AccessToken)
	}
	plant := func(c odd.Claims) {
		maps.Copy(c, plants(h, newest()))
	}
	g.OP.OnClaims(func(_ string, c odd.Claims) { delete(c, "email"); plant(c) })
	g.OP.OnUserinfo(plant)
	g.OP.OnToken(func(_ url.Values, answer odd.Claims) {
		if s, ok := answer["id_token"].(string); ok {
			h.token(s)
		}
		answer["scope"] = "openid profile email " + newest()
		answer["session_state"] = newest()
	})
	b := &hauler{h, g.Browser()}
	b.see(b.Login())
	ask := func(why string) {
		for _, path := range []string{
			"/bff/user", "/bff/user?format=object", "/bff/session", "/bff/auth", "/bff/auth/x", "/bff/sessions",
			"/optional/x", "/open", "/nothing", "/api/challenge",
		} {
			b.see(b.Get(path))
		}
		b.see(b.traced("/api/x"))
		b.see(b.Navigate("/bff/sessions"))
		b.firstEvents()
		b.see(g.Browser().Get(g.Admin+"/admin/sessions", "Authorization", "Bearer "+world.AdminToken))
		h.wantNone(t, g.Log.String())
		if t.Failed() {
			t.Fatalf("that was %s", why)
		}
	}
	ask("after the login")
	b.see(b.Do(http.MethodPost, "/bff/session/refresh", nil))
	ask("after a renewal")
	if user := b.Get("/bff/user?format=object"); !strings.Contains(user.Text, `"picture":["a.png"]`) ||
		!strings.Contains(user.Text, `"email":"alice@example.com"`) {
		t.Errorf("what holds no token is gone, too: %s", user.Text)
	}
	if r := b.traced("/api/x"); r.Header.Get("X-Kept") != "kept" || r.Trailer.Get("X-Fine") != "fine" || r.Header.Get("Set-Cookie") != "" {
		t.Errorf("of the API's fields came %v, %v", r.Header, r.Trailer)
	}
	for name, answer := range tellingErrors(h) {
		undo := g.OP.Intercept(odd.Token, answer)
		fresh := &hauler{h, g.Browser()}
		begin := fresh.Navigate("/bff/login")
		back := g.OP.Login(begin.Header.Get("Location"))
		h.token(back.Query().Get("code"))
		fresh.see(fresh.Navigate(back.RequestURI()))
		b.see(b.Do(http.MethodPost, "/bff/session/refresh", nil))
		undo()
		ask("after the error " + name)
	}
	b.see(b.Do(http.MethodPost, "/bff/session/refresh", nil))
	b.see(g.Browser().Get("/bff/user"))
	h.wantNone(t, g.Log.String())
}

// tellingErrors are errors of the token endpoint that repeat what was sent.
func tellingErrors(h *haul) map[string]odd.Interceptor {
	sent := func(r *http.Request) string { return h.token(r.PostForm.Get("code") + r.PostForm.Get("refresh_token")) }
	return map[string]odd.Interceptor{
		"in words": func(w http.ResponseWriter, r *http.Request, _ http.HandlerFunc) {
			w.Header().Set("Retry-After", "0")
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusBadRequest)
			_, _ = fmt.Fprintf(w, `{"error":"odd_%s","error_description":"no %s, nor %s","access_token":%q}`,
				sent(r), url.QueryEscape(sent(r)), stowaway, stowaway)
		},
		"no HTTP": func(w http.ResponseWriter, r *http.Request, _ http.HandlerFunc) {
			conn, buf, err := http.NewResponseController(w).Hijack()
			if err != nil {
				return
			}
			_, _ = buf.WriteString("HTTP/1.1 200 OK\r\nno header " + sent(r) + "\r\n\r\n")
			_ = buf.Flush()
			_ = conn.Close()
		},
		"a page": func(w http.ResponseWriter, r *http.Request, _ http.HandlerFunc) {
			w.Header().Set("Location", "https://x.example/?"+sent(r))
			w.WriteHeader(http.StatusFound)
		},
	}
}

// A hauler is a browser that keeps what it receives.
type hauler struct {
	*haul
	*world.Browser
}

func (b *hauler) see(r *world.Reply) {
	b.haul.see(r.Request.Method+" "+r.Request.URL.Path, fmt.Sprint(r.Status, r.Header, r.Trailer, r.Text))
}

// traced is get, but also keeps the interim responses.
func (b *hauler) traced(path string) *world.Reply {
	b.T.Helper()
	ctx := httptrace.WithClientTrace(b.T.Context(), &httptrace.ClientTrace{Got1xxResponse: func(code int, h textproto.MIMEHeader) error {
		b.haul.see("interim", fmt.Sprint(code, h))
		return nil
	}})
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, b.World.Origin+path, nil)
	if err != nil {
		b.T.Fatal(err)
	}
	req.Header.Set("X-CSRF", "1")
	return b.Send(req)
}

// firstEvents reads the beginning of an event stream.
func (b *hauler) firstEvents() {
	b.T.Helper()
	req, err := http.NewRequestWithContext(b.T.Context(), http.MethodGet, b.World.Origin+"/bff/events", nil)
	if err != nil {
		b.T.Fatal(err)
	}
	res, err := b.Client.Do(req)
	if err != nil {
		b.T.Fatal(err)
	}
	defer res.Body.Close()
	stop := time.AfterFunc(10*time.Second, func() { _ = res.Body.Close() })
	defer stop.Stop()
	lines := bufio.NewScanner(res.Body)
	for lines.Scan() && lines.Text() != "" {
		b.haul.see("events", fmt.Sprint(res.Header, lines.Text()))
	}
}
