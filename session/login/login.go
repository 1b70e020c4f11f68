// Package login is one login attempt: the authorization request it begins with, the encrypted cookie
// it travels in, and the checked callback that ends it.
//
// Nothing is stored for an attempt. What the callback needs is in a cookie of its own, sealed, good for ten
// minutes, and named after the attempt's state, so that several tabs can log in at once. Its weak
// point is that a stateless attempt can be delivered twice: a bounded memory of spent states in this
// process stops that, and across replicas the provider's one-time code does.
package login

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/oauth2"

	"github.com/cloakroom/cloakroom/provider"
	"github.com/cloakroom/cloakroom/secret"
	"github.com/cloakroom/cloakroom/session"
)

// maxAge is how long a person may take at the provider.
const maxAge = 10 * time.Minute

// passedOn are the parameters that a caller may add to the authorization request, and how long each
// may be; no other name gets through (LS8).
var passedOn = map[string]int{"prompt": 64, "login_hint": 320, "acr_values": 512, "max_age": 10, "ui_locales": 128}

// Options are what logins need; all but Logger, Metrics and Now are required.
type Options struct {
	Providers  map[string]*provider.Provider // by configured id
	Sessions   *session.Manager
	Keys       [][]byte // session.keys; the first seals, all open
	CookieName string   // the session cookie's; attempts are named after it
	BasePath   string   // "/bff"
	Secure     bool
	ClientAddr func(*http.Request) string // the browser's address, shortened, for the record; nil: none
	Now        func() time.Time           // nil: time.Now
	Logger     *slog.Logger
	Metrics    prometheus.Registerer
}

// A Login begins and finishes attempts. It is safe for concurrent use.
type Login struct {
	Options
	cookies *attemptCookies
	spent   *lru.Cache[string, struct{}] // states used here lately; bounded
	total   *prometheus.CounterVec
}

// New returns a Login.
func New(o Options) (*Login, error) {
	if len(o.Keys) == 0 {
		return nil, errors.New("set up logins: no key")
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	l := &Login{
		Options: o,
		cookies: newAttemptCookies(o.CookieName, o.Secure, o.Keys, o.Now),
		total: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "cloakroom_logins_total", Help: "Login attempts that came back, by outcome.",
		}, []string{"provider", "outcome"}),
	}
	l.spent, _ = lru.New[string, struct{}](20_000) // errs only for sizes below 1
	if o.Metrics != nil {
		o.Metrics.MustRegister(l.total)
	}
	return l, nil
}

// A Request is what a caller asks of a login.
type Request struct {
	Provider  string     // configured id
	ReturnURL string     // checked by ValidReturnURL
	Params    url.Values // the query; what is not on the allow list is ignored
	Silent    bool       // prompt=none in a frame
}

// Begin sets the attempt's cookie on w and returns the URL to send the browser to. An error is a
// *Failure.
func (l *Login) Begin(w http.ResponseWriter, r *http.Request, req Request) (string, error) {
	p := l.Providers[req.Provider]
	params, err := allowed(req.Params)
	if err != nil {
		return "", l.failure(InvalidRequest, req.Provider, err).returning(req.ReturnURL)
	}
	a := attempt{
		State: randomText(), Nonce: randomText(), Verifier: oauth2.GenerateVerifier(),
		Provider: req.Provider, ReturnURL: req.ReturnURL, Started: l.Now().Unix(), Silent: req.Silent,
		MaxAge: params.Get("max_age"), Prompt: params.Get("prompt"),
		Previous: string(l.Sessions.NameFromRequest(r)),
	}
	to, err := p.AuthorizationURL(r.Context(), provider.AuthorizationRequest{
		State: a.State, Nonce: a.Nonce, Verifier: secret.New(a.Verifier), Params: params,
	})
	if err != nil {
		return "", l.failure(kindOf(err), req.Provider, err).returning(req.ReturnURL)
	}
	if err := l.cookies.set(w, r, a, p.Config().ResponseMode == "form_post"); err != nil {
		return "", l.failure(InvalidRequest, req.Provider, err).returning(req.ReturnURL)
	}
	return to, nil
}

// allowed picks from a query what may be passed on. A name that stands there twice is refused: no
// one can tell which was meant.
func allowed(query url.Values) (url.Values, error) {
	out := url.Values{}
	for name, limit := range passedOn {
		values := query[name]
		switch {
		case len(values) == 0:
			continue
		case len(values) > 1:
			return nil, fmt.Errorf("parameter %s stands there %d times", name, len(values))
		case len(values[0]) > limit:
			return nil, fmt.Errorf("parameter %s is longer than %d bytes", name, limit)
		}
		out.Set(name, values[0])
	}
	if age := out.Get("max_age"); age != "" {
		if n, err := strconv.Atoi(age); err != nil || n < 0 {
			return nil, errors.New("parameter max_age is not a number of seconds")
		}
	}
	return out, checkPrompt(out)
}

// checkPrompt holds prompt to the values of OIDC Core §3.1.2.1; none stands alone.
func checkPrompt(params url.Values) error {
	if !params.Has("prompt") {
		return nil
	}
	words := strings.Fields(params.Get("prompt"))
	for _, w := range words {
		switch w {
		case "login", "consent", "select_account":
		case "none":
			if len(words) > 1 {
				return errors.New("parameter prompt combines none with others")
			}
		default:
			return errors.New("parameter prompt has an unknown value")
		}
	}
	return nil
}
