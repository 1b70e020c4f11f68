package handlers

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/cloakroom/cloakroom/keys"
	"github.com/cloakroom/cloakroom/problem"
	"github.com/cloakroom/cloakroom/session"
)

const (
	// handoffLife is how long the provider's URL stays in the store: the time in which a browser
	// must follow the redirect of POST /bff/logout.
	handoffLife = 2 * time.Minute
	// handoffPurpose separates these deposits from others in the store.
	handoffPurpose = "logout"
	handoffName    = "logout-continue"
)

// A handoff is the sealed parameter of the URL that POST /bff/logout returns, which leads on to the
// provider. A script can read that URL, so it must not hold an ID token: the provider's URL, with
// the id_token_hint, is kept sealed in the store for one navigation, and the handoff has its
// handle. Because the handoff is sealed, a forged URL causes neither a look-up in the store nor a
// redirect.
type handoff struct {
	Handle   string `json:"h,omitempty"` // of the provider's URL in the store; "" to go there without a hint
	Provider string `json:"p"`
	Return   string `json:"r,omitempty"`
	Sealed   int64  `json:"t"` // Unix seconds, by the store's clock
}

// A handoffCodec seals and opens handoffs. They are valid for as long as the state of a logout: one
// whose URL has expired in the store still leads to the return URL.
type handoffCodec struct{ codec *keys.Codec }

func newHandoffCodec(ring *keys.Ring) handoffCodec {
	return handoffCodec{ring.Codec("logout continue", maxSealed)}
}

func (s handoffCodec) seal(o handoff) (string, error) {
	var plain bytes.Buffer
	e := json.NewEncoder(&plain)
	e.SetEscapeHTML(false) // escaping the ampersands of a query could exceed maxSealed
	if err := e.Encode(o); err != nil {
		return "", err
	}
	return s.codec.Seal(handoffName, plain.Bytes())
}

// open returns false for a value that we did not seal, that was altered, or that is too old.
func (s handoffCodec) open(sealed string, now time.Time) (o handoff, ok bool) {
	plain, ok := s.codec.Open(handoffName, sealed)
	if !ok || json.Unmarshal(plain, &o) != nil {
		return o, false
	}
	age := now.Sub(time.Unix(o.Sealed, 0))
	return o, age > -clockSkew && age <= logoutStateMaxAge
}

// continueURL is the URL of this service that leads on to the provider's end-session endpoint, or
// "" if the provider has none or its metadata can't be read. Only the call that ended the session
// writes to the store, so that nobody can fill it by repeating the request. If that write fails,
// the user is logged out all the same, and goes to the provider without the hint; the provider may
// then ask for a confirmation.
func (h *Handlers) continueURL(r *http.Request, s *session.Session, returnURL string, first bool) string {
	to := h.endSessionURL(r, s.Record.Provider, s.Record, returnURL)
	if to == "" {
		return ""
	}
	next := handoff{Provider: s.Record.Provider, Return: returnURL, Sealed: h.o.Now().Unix()}
	if first {
		ctx, cancel := withShortDeadline(r)
		defer cancel()
		var err error
		if next.Handle, err = h.o.Sessions.Deposit(ctx, handoffPurpose, []byte(to), handoffLife); err != nil {
			h.o.Logger.WarnContext(ctx, "logout at the provider without id_token_hint: the store did not keep it",
				"session", s.Record.ID, "error", err)
		}
	}
	sealed, err := h.handoff.seal(next)
	if err != nil {
		h.o.Logger.ErrorContext(r.Context(), "seal the URL that a logout continues at", "error", err)
		return ""
	}
	return h.o.Site.URL("/logout/continue?handle=") + url.QueryEscape(sealed)
}

// continueLogout answers GET /bff/logout/continue: it redirects to the provider, once. It requires
// a navigation that the user can notice, because a script could read the ID token in the URL that
// its fetch is redirected to, or in a report of the refused redirect (RFC 9700 §4.2). A second or
// late request gets the logged-out page, or the return URL if the user has logged in again.
func (h *Handlers) continueLogout(c echo.Context) error {
	r := c.Request()
	if !isWindow(r) || isScripts(r) {
		return problem.New(problem.NavigationRequired)
	}
	handles := r.URL.Query()["handle"]
	if len(handles) != 1 {
		return h.loggedOutPage(c, "")
	}
	next, ok := h.handoff.open(handles[0], h.o.Now())
	if !ok {
		return h.loggedOutPage(c, "")
	}
	if next.Handle != "" {
		to, err := h.o.Sessions.Fetch(r.Context(), handoffPurpose, next.Handle)
		switch {
		case err == nil:
			return redirect(c, http.StatusFound, string(to))
		case errors.Is(err, session.ErrNoDeposit):
			return h.logoutDone(c, next.Return)
		}
		h.o.Logger.WarnContext(r.Context(), "logout at the provider without id_token_hint: the store did not return it",
			"provider", next.Provider, "error", err)
	}
	if to := h.endSessionURL(r, next.Provider, nil, next.Return); to != "" {
		return redirect(c, http.StatusFound, to)
	}
	return h.logoutDone(c, next.Return)
}

// logoutDone answers a request to continue a logout that can't be continued (again).
func (h *Handlers) logoutDone(c echo.Context, returnURL string) error {
	if _, err := h.o.Sessions.FromRequest(c.Request()); err == nil {
		return redirect(c, http.StatusFound, orHome(returnURL))
	}
	return h.loggedOutPage(c, returnURL)
}

// isScripts reports whether a request has a header that no navigation has. Where the browser sends
// no Fetch Metadata, nothing else identifies a script.
func isScripts(r *http.Request) bool {
	return len(r.Header["X-Csrf"]) > 0 || len(r.Header["X-Requested-With"]) > 0
}
