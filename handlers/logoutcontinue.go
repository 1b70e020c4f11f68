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
	// onwardLife is how long a browser may take from the answer to POST /bff/logout to the provider.
	onwardLife = 2 * time.Minute
	// onwardPurpose tells what lies in the store for it from what else may lie there.
	onwardPurpose = "logout"
	onwardName    = "logout-continue"
)

// An onward is what the address that POST /bff/logout gives bears, sealed: a script can read the address,
// and must not find an ID token in it. The provider's, with the id_token_hint, lies sealed in the store,
// for the one navigation that brings the handle. It is sealed so that an address that was made up costs
// the store nothing, and sends nobody anywhere.
type onward struct {
	Handle   string `json:"h,omitempty"` // of what lies in the store; "": nothing does, the provider is visited without a hint
	Provider string `json:"p"`
	Return   string `json:"r,omitempty"`
	Sealed   int64  `json:"t"` // Unix seconds, on the clock that replicas share
}

// An onwardSealer seals them. They are good for as long as the state of a logout is: a late one still leads to returnUrl.
type onwardSealer struct{ codec *keys.Codec }

func newOnwardSealer(ring *keys.Ring) onwardSealer {
	return onwardSealer{ring.Codec("logout continue", maxSealed)}
}

func (s onwardSealer) seal(o onward) (string, error) {
	var plain bytes.Buffer
	e := json.NewEncoder(&plain)
	e.SetEscapeHTML(false) // a query has many ampersands, and this has to stay within maxSealed
	if err := e.Encode(o); err != nil {
		return "", err
	}
	return s.codec.Seal(onwardName, plain.Bytes())
}

// open is false for what is not ours, altered or too old.
func (s onwardSealer) open(sealed string, now time.Time) (o onward, ok bool) {
	plain, ok := s.codec.Open(onwardName, sealed)
	if !ok || json.Unmarshal(plain, &o) != nil {
		return o, false
	}
	age := now.Sub(time.Unix(o.Sealed, 0))
	return o, age > -clockSkew && age <= logoutStateMaxAge
}

// continueURL is the address of this service that goes on to the provider's end-session endpoint; "" when
// it has none or can't be asked. Only the call that ended the session leaves something in the store, so
// that nobody can fill it by asking again and again. If the store does not take it, the person is logged
// out all the same, and the provider is visited without the hint: it may ask them whether they mean it.
func (h *Handlers) continueURL(r *http.Request, s *session.Session, returnURL string, first bool) string {
	to := h.endSessionURL(r, s.Record.Provider, s.Record, returnURL)
	if to == "" {
		return ""
	}
	next := onward{Provider: s.Record.Provider, Return: returnURL, Sealed: h.o.Now().Unix()}
	if first {
		ctx, cancel := withShortDeadline(r)
		defer cancel()
		var err error
		if next.Handle, err = h.o.Sessions.Deposit(ctx, onwardPurpose, []byte(to), onwardLife); err != nil {
			h.o.Logger.WarnContext(ctx, "the provider's logout is visited without id_token_hint: the store did not take it",
				"session", s.Record.ID, "error", err)
		}
	}
	sealed, err := h.onward.seal(next)
	if err != nil {
		h.o.Logger.ErrorContext(r.Context(), "seal the address that a logout goes on to", "error", err)
		return ""
	}
	return h.o.Site.URL("/logout/continue?handle=") + url.QueryEscape(sealed)
}

// continueLogout answers GET /bff/logout/continue: it goes on to the provider, once. Only a navigation
// that a person can notice does: a script would find the ID token in where its fetch was redirected to,
// or in what it is refused for (RFC 9700 §4.2). Whoever comes twice, or too late, is logged out here, and
// is told so; who has logged in again meanwhile is not.
func (h *Handlers) continueLogout(c echo.Context) error {
	r := c.Request()
	if !isWindow(r) || isScripts(r) {
		return problem.New(problem.NavigationRequired)
	}
	handles := r.URL.Query()["handle"]
	if len(handles) != 1 {
		return h.loggedOutPage(c, "")
	}
	next, ok := h.onward.open(handles[0], h.o.Now())
	if !ok {
		return h.loggedOutPage(c, "")
	}
	if next.Handle != "" {
		to, err := h.o.Sessions.Fetch(r.Context(), onwardPurpose, next.Handle)
		switch {
		case err == nil:
			return redirect(c, http.StatusFound, string(to))
		case errors.Is(err, session.ErrNotFound):
			return h.logoutIsOver(c, next.Return)
		}
		h.o.Logger.WarnContext(r.Context(), "the provider's logout is visited without id_token_hint: the store did not give it",
			"provider", next.Provider, "error", err)
	}
	if to := h.endSessionURL(r, next.Provider, nil, next.Return); to != "" {
		return redirect(c, http.StatusFound, to)
	}
	return h.logoutIsOver(c, next.Return)
}

// logoutIsOver answers who comes for a logout that has gone on already.
func (h *Handlers) logoutIsOver(c echo.Context, returnURL string) error {
	if _, err := h.o.Sessions.FromRequest(c.Request()); err == nil {
		return redirect(c, http.StatusFound, orHome(returnURL))
	}
	return h.loggedOutPage(c, returnURL)
}

// isScripts reports whether a request bears what no navigation does: all there is to tell a script by where
// the browser sends no Fetch Metadata.
func isScripts(r *http.Request) bool {
	return len(r.Header["X-Csrf"]) > 0 || len(r.Header["X-Requested-With"]) > 0
}
