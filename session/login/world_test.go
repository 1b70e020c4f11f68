package login_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/cloakroom/cloakroom/keys"
	"github.com/cloakroom/cloakroom/problem"
	"github.com/cloakroom/cloakroom/provider"
	"github.com/cloakroom/cloakroom/session"
	"github.com/cloakroom/cloakroom/session/login"
	"github.com/cloakroom/cloakroom/session/store/memory"
	"github.com/cloakroom/cloakroom/session/store/storetest"
	"github.com/cloakroom/cloakroom/site"
	"github.com/cloakroom/cloakroom/site/sitetest"
	"github.com/cloakroom/cloakroom/test/providers/odd"
	"github.com/cloakroom/cloakroom/test/world/parts"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A world is one service on a loopback listener between browsers and two providers: main, and other.
type world struct {
	t        *testing.T
	op       *odd.Provider // "main"
	other    *odd.Provider // "other"
	store    *storetest.Faulty
	sessions *session.Manager
	app      string // the public origin
	metrics  *prometheus.Registry
	settle   func() // waits until the tokens of refused logins are seen to
	logs     *parts.Log
	ahead    atomic.Int64 // of the real clock, in nanoseconds
}

// newWorld starts everything. change alters how the service is registered at "main".
func newWorld(t *testing.T, change ...func(*provider.Config)) *world {
	t.Helper()
	w := &world{t: t, store: storetest.NewFaulty(memory.New().Parts()), metrics: prometheus.NewRegistry(), logs: new(parts.Log)}
	w.op, w.other = odd.New(t, odd.WithClock(w.now)), odd.New(t, odd.WithClock(w.now))
	logger := w.logs.Logger()
	mux := http.NewServeMux()
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	w.app = server.URL
	app := sitetest.New(t, w.app, site.Options{})
	ring := keys.NewRing(keys.Key{1})
	w.sessions = parts.Sessions(t, w.store.Parts(), func(o *session.Options) {
		o.Keys, o.Lifetime, o.Site, o.Now, o.Logger, o.Metrics = ring, time.Hour, app, w.now, logger, w.metrics
	})
	t.Cleanup(w.sessions.Close)
	providers := map[string]*provider.Provider{
		"main": w.provider("main", w.op, change...), "other": w.provider("other", w.other),
	}
	l, err := login.New(login.Options{
		Providers: providers, Sessions: w.sessions, Keys: ring, Site: app,
		Now: w.now, Logger: logger, Metrics: w.metrics,
	})
	if err != nil {
		t.Fatal(err)
	}
	w.settle = func() { l.Close(context.Background()) }
	t.Cleanup(w.settle)
	w.routes(mux, l)
	return w
}

func (w *world) now() time.Time { return time.Now().Add(time.Duration(w.ahead.Load())) }

func (w *world) pass(d time.Duration) { w.ahead.Add(int64(d)) }

func (w *world) provider(id string, op *odd.Provider, change ...func(*provider.Config)) *provider.Provider {
	w.t.Helper()
	transport := &http.Transport{}
	w.t.Cleanup(transport.CloseIdleConnections)
	return parts.Provider(w.t, id, op, transport, func(c *provider.Config, o *provider.Options) {
		c.Scopes, c.RedirectURI, o.Now = []string{"openid", "profile", "email"}, w.app+"/bff/callback/"+id, w.now
		for _, f := range change {
			f(c)
		}
	})
}

// An answer is what Begin or Finish came to, as the browser of these tests is told it.
type answer struct {
	Kind              problem.Code // "" for success
	Provider          string
	Code, Description string
	ReturnURL         string
	Silent            bool
	Err               string
	To                string // of Begin: the authorization URL
}

func (w *world) routes(mux *http.ServeMux, l *login.Login) {
	mux.HandleFunc("GET /bff/login", func(rw http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		to, err := l.Begin(rw, r, login.Request{
			Provider: q.Get("provider"), ReturnURL: q.Get("returnUrl"), Params: q, Silent: r.Header.Get("X-Silent") != "",
		})
		reply(rw, answer{To: to}, err)
	})
	mux.HandleFunc("/bff/callback/{provider}", func(rw http.ResponseWriter, r *http.Request) {
		params := r.URL.Query()
		if r.Method == http.MethodPost {
			_ = r.ParseForm() // what does not parse is not there
			params = r.PostForm
		}
		o, err := l.Finish(rw, r, r.PathValue("provider"), params)
		a := answer{}
		if err == nil {
			a = answer{ReturnURL: o.ReturnURL, Silent: o.Silent, Provider: o.Session.Record.Provider}
		}
		reply(rw, a, err)
	})
	mux.HandleFunc("GET /record", func(rw http.ResponseWriter, r *http.Request) {
		s, err := w.sessions.FromRequest(r)
		if err != nil {
			http.Error(rw, err.Error(), http.StatusUnauthorized)
			return
		}
		// The test may see what no browser may.
		_ = json.NewEncoder(rw).Encode(record{
			Record: *s.Record, Access: s.Record.AccessToken.Reveal(), Refresh: s.Record.RefreshToken.Reveal(), Name: s.Name,
		})
	})
}

func reply(rw http.ResponseWriter, a answer, err error) {
	status := http.StatusOK
	if err != nil {
		status, a = http.StatusBadRequest, answer{Err: err.Error()}
		if f := new(login.Failure); errors.As(err, &f) {
			a = answer{
				Kind: f.Kind, Provider: f.Provider, Code: f.Code, Description: f.Description,
				ReturnURL: f.ReturnURL, Silent: f.Silent, Err: f.Error(),
			}
		}
	}
	rw.WriteHeader(status)
	_ = json.NewEncoder(rw).Encode(a)
}

type record struct {
	session.Record
	Access, Refresh string
	Name            session.Name
}

// A browser is a cookie jar. It knows nothing of SameSite: what a browser would leave behind a test
// drops itself.
type browser struct {
	w   *world
	jar http.CookieJar
}

func (w *world) browser() *browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		w.t.Fatal(err)
	}
	return &browser{w: w, jar: jar}
}

func (b *browser) do(r *http.Request) (int, []byte) {
	b.w.t.Helper()
	transport := &http.Transport{DisableKeepAlives: true}
	resp, err := (&http.Client{Jar: b.jar, Transport: transport}).Do(r)
	if err != nil {
		b.w.t.Fatalf("%s %s: %v", r.Method, r.URL.Path, err)
	}
	defer func() { _ = resp.Body.Close() }() // only read
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		b.w.t.Fatal(err)
	}
	return resp.StatusCode, body
}

func (b *browser) ask(r *http.Request) answer {
	b.w.t.Helper()
	_, body := b.do(r)
	var a answer
	if err := json.Unmarshal(body, &a); err != nil {
		b.w.t.Fatalf("%s %s answered %q: %v", r.Method, r.URL.Path, body, err)
	}
	return a
}

func (b *browser) get(rawURL string) *http.Request {
	b.w.t.Helper()
	r, err := http.NewRequestWithContext(b.w.t.Context(), http.MethodGet, rawURL, nil)
	if err != nil {
		b.w.t.Fatal(err)
	}
	r.Header.Set("User-Agent", "test browser")
	return r
}

// begin starts an attempt and returns the authorization URL.
func (b *browser) begin(query string) string {
	b.w.t.Helper()
	if !strings.Contains(query, "provider=") {
		query += "&provider=main"
	}
	a := b.ask(b.get(b.w.app + "/bff/login?" + query))
	if a.To == "" {
		b.w.t.Fatalf("begin with %q: %+v", query, a)
	}
	return a.To
}

// away starts an attempt and lets the provider send the browser back: the callback's URL.
func (b *browser) away(query string) *url.URL {
	b.w.t.Helper()
	return b.w.op.Login(b.begin(query))
}

// back brings an authorization response.
func (b *browser) back(callback *url.URL) answer {
	b.w.t.Helper()
	return b.ask(b.get(callback.String()))
}

// login is a whole proper login, which must succeed.
func (b *browser) login() *record {
	b.w.t.Helper()
	if a := b.back(b.away("returnUrl=/after")); a.Kind != "" || a.Err != "" || a.ReturnURL != "/after" {
		b.w.t.Fatalf("a proper login came to %+v", a)
	}
	rec := b.record()
	if rec == nil {
		b.w.t.Fatal("a proper login brought no session")
	}
	return rec
}

// record is the browser's session, nil when it has none.
func (b *browser) record() *record {
	b.w.t.Helper()
	status, body := b.do(b.get(b.w.app + "/record"))
	if status == http.StatusUnauthorized {
		return nil
	}
	rec := new(record)
	if err := json.Unmarshal(body, rec); err != nil {
		b.w.t.Fatalf("%q: %v", body, err)
	}
	return rec
}

func (b *browser) cookies() map[string]string {
	at, err := url.Parse(b.w.app)
	if err != nil {
		b.w.t.Fatal(err)
	}
	found := map[string]string{}
	for _, c := range b.jar.Cookies(at) {
		found[c.Name] = c.Value
	}
	return found
}

// set gives the browser a cookie; an empty value takes it away.
func (b *browser) set(name, value string) {
	at, err := url.Parse(b.w.app)
	if err != nil {
		b.w.t.Fatal(err)
	}
	c := &http.Cookie{Name: name, Value: value, Path: "/"}
	if value == "" {
		c.MaxAge = -1
	}
	b.jar.SetCookies(at, []*http.Cookie{c})
}

// attempts are the names of the browser's attempt cookies.
func (b *browser) attempts() []string {
	var names []string
	for name := range b.cookies() {
		if strings.HasPrefix(name, "cloakroom-attempt-") {
			names = append(names, name)
		}
	}
	return names
}

// stands is what a refusal must not change.
type stands struct {
	sessions, tokenRequests, userinfo int
}

func (w *world) stands() stands {
	w.t.Helper()
	n, err := w.store.Count(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	return stands{
		sessions:      n,
		tokenRequests: w.op.Count(odd.Token) + w.other.Count(odd.Token),
		userinfo:      w.op.Count(odd.Userinfo) + w.other.Count(odd.Userinfo),
	}
}

// outbox is what waits to be revoked.
func (w *world) outbox() []*session.Record {
	w.t.Helper()
	w.settle()
	return parts.Waiting(w.t, w.sessions, w.store, w.now().Add(time.Hour))
}

// refuses says that got is a refusal of that kind and code, that no session was started or ended, no
// token request was sent, and that the browser's next proper login works.
func (w *world) refuses(b *browser, before stands, got answer, kind problem.Code, code string) {
	w.t.Helper()
	if got.Kind != kind || got.Code != code {
		w.t.Errorf("got %s (%s) %s, want %s (%s)", got.Kind, got.Code, got.Err, kind, code)
	}
	if after := w.stands(); after != before {
		w.t.Errorf("the refusal had an effect: %+v, before %+v", after, before)
	}
	b.login()
}

// refusesTokens is refuses for what fails after tokens were issued: one token request more, and all
// that it brought waits to be revoked.
func (w *world) refusesTokens(b *browser, before stands, got answer, kind problem.Code, code string) {
	w.t.Helper()
	before.tokenRequests++
	waiting := w.outbox()
	issued := w.op.Grants("authorization_code")
	if len(issued) == 0 {
		w.t.Fatal("no tokens were issued")
	}
	last := issued[len(issued)-1]
	found := false
	for _, rec := range waiting {
		found = found || rec.RefreshToken.Equal(last.Issued) && rec.AccessToken.Equal(last.AccessToken) && rec.Provider == "main"
	}
	if !found {
		w.t.Errorf("the tokens are not among the %d in the outbox", len(waiting))
	}
	w.op.OnClaims(nil)
	w.op.OnToken(nil)
	w.op.OnSign(nil)
	w.op.OnHeader(nil)
	w.op.OnUserinfo(nil)
	w.refuses(b, before, got, kind, code)
}

// logins is the counter of logins at "main".
func (w *world) logins(outcome string) float64 {
	w.t.Helper()
	return parts.Metric(w.t, w.metrics, "cloakroom_logins_total", "provider=main", "outcome="+outcome)
}
