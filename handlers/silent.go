package handlers

import (
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/cloakroom/cloakroom/keys"
	"github.com/cloakroom/cloakroom/problem"
	"github.com/cloakroom/cloakroom/requestlog"
	"github.com/cloakroom/cloakroom/session"
	"github.com/cloakroom/cloakroom/session/login"
	"github.com/cloakroom/cloakroom/site"
	"github.com/cloakroom/cloakroom/templates"
)

// startSilentLogin answers GET /bff/silent-login, in a frame of our own origin: prompt=none, so the
// provider answers at once whether the person is logged in there (OIDC Core §3.1.2.1).
func (h *Handlers) startSilentLogin(c echo.Context) error {
	r := c.Request()
	if isPrefetch(r) || r.Header.Get("Sec-Fetch-Mode") != "" && r.Header.Get("Sec-Fetch-Mode") != "navigate" {
		return problem.New(problem.NavigationRequired)
	}
	if err := h.admit(r, site.ForFrame); err != nil {
		return err
	}
	query := r.URL.Query()
	id, err := h.chosenProvider(query)
	if err != nil {
		return err
	}
	if id == "" {
		s, err := h.o.Sessions.FromRequest(r)
		if err != nil {
			return h.silentFailed(c)
		}
		id = s.Record.Provider
	}
	query.Set("prompt", "none")
	to, err := h.o.Login.Begin(c.Response(), r, login.Request{Provider: id, ReturnURL: "/", Params: query, Silent: true})
	if err != nil {
		requestlog.Annotate(r.Context(), err)
		return h.silentFailed(c)
	}
	return redirect(c, http.StatusFound, to)
}

// silentFailed is the page that tells the parent window, of our own origin, that nobody is logged in.
func (h *Handlers) silentFailed(c echo.Context) error {
	return h.page(c, http.StatusOK, templates.SilentLogin{Origin: h.o.Site.Origin()})
}

// silentSucceeded is the page that tells the parent window that somebody is logged in, once the browser has shown
// that it has the session. A browser with tracking prevention may drop every cookie that an answer sets in a frame
// which another site has led here.
func (h *Handlers) silentSucceeded(c echo.Context, outcome *login.Outcome) error {
	confirm, err := h.silent.seal(silentLogin{outcome.Session.Name, outcome.Kept, h.o.Now().UnixMilli()})
	if err != nil {
		return err
	}
	return h.page(c, http.StatusOK, templates.SilentLogin{Origin: h.o.Site.Origin(), ConfirmURL: h.o.Site.Path("/silent-login"), Confirm: confirm})
}

// maxConfirmBody is enough for what silentSucceeded seals.
const maxConfirmBody = 4 << 10

// confirmSilentLogin answers POST /bff/silent-login, which that page sends: it says whether the browser has the
// session, and ends one that it does not have, since nobody could use or end it.
func (h *Handlers) confirmSilentLogin(c echo.Context) error {
	r := c.Request()
	if err := h.requireCSRF(r); err != nil {
		return err
	}
	sent, err := form(c, maxConfirmBody)
	if err != nil {
		return err
	}
	started, ok := h.silent.open(sent.Get("confirm"), h.o.Now())
	if !ok {
		return problem.New(problem.BadRequest).Because("the silent login is not known, or took longer than a minute")
	}
	s, err := h.o.Sessions.FromRequest(r)
	if errors.Is(err, session.ErrUnavailable) {
		return err
	}
	loggedIn := err == nil // with this session, or with the one that another silent login or a step-up made of it meanwhile
	if !started.Kept && (!loggedIn || s.Name != started.Session) {
		if err := h.o.Sessions.End(r.Context(), started.Session, session.ReasonRefused); err != nil {
			return err
		}
		h.o.Outbox.Wake()
	}
	return c.JSON(http.StatusOK, map[string]bool{"isLoggedIn": loggedIn})
}

const (
	silentName = "silent-login"
	// silentTime is how long the page of a silent login may take to ask.
	silentTime = time.Minute
)

// A silentLogin is what the page of a silent login that succeeded comes back with.
type silentLogin struct {
	Session session.Name `json:"s"`
	Kept    bool         `json:"k,omitempty"` // the session that the browser had already
	Started int64        `json:"t"`           // Unix milliseconds
}

// silentSeal seals silentLogins.
type silentSeal struct{ codec *keys.Codec }

func newSilentSeal(ring *keys.Ring) silentSeal {
	return silentSeal{ring.Codec("silent login", maxSealed)}
}

func (s silentSeal) seal(l silentLogin) (string, error) {
	plain, err := json.Marshal(l)
	if err != nil {
		return "", err
	}
	return s.codec.Seal(silentName, plain)
}

// open returns false for what is not ours, altered or too old.
func (s silentSeal) open(value string, now time.Time) (l silentLogin, ok bool) {
	plain, ok := s.codec.Open(silentName, value)
	if !ok || json.Unmarshal(plain, &l) != nil {
		return l, false
	}
	age := now.UnixMilli() - l.Started
	return l, age > -clockSkew.Milliseconds() && age <= silentTime.Milliseconds()
}
