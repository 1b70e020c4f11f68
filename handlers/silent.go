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

// startSilentLogin answers GET /bff/silent-login, which a page of our own origin loads in a frame.
// It sends prompt=none, so that the provider answers without asking the user (OIDC Core §3.1.2.1).
func (h *Handlers) startSilentLogin(c echo.Context) error {
	r := c.Request()
	if mode := r.Header.Get("Sec-Fetch-Mode"); isPrefetch(r) || mode != "" && mode != "navigate" {
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
	request := login.Request{Provider: id, ReturnURL: "/", Params: query, Silent: true}
	to, err := h.o.Login.Begin(c.Response(), r, request)
	if err != nil {
		requestlog.Annotate(r.Context(), err)
		return h.silentFailed(c)
	}
	return redirect(c, http.StatusFound, to)
}

// silentFailed writes the page that tells the parent window, of our own origin, that nobody is
// logged in.
func (h *Handlers) silentFailed(c echo.Context) error {
	return h.page(c, http.StatusOK, templates.SilentLogin{Origin: h.o.Site.Origin()})
}

// silentSucceeded writes the page that tells the parent window that the user is logged in. The page
// first calls confirmSilentLogin, because a browser with tracking prevention may drop the session
// cookie: the frame was redirected here by another site.
func (h *Handlers) silentSucceeded(c echo.Context, outcome *login.Outcome) error {
	confirm, err := h.silent.seal(silentLogin{outcome.Session.Name, outcome.Kept, h.o.Now().UnixMilli()})
	if err != nil {
		return err
	}
	return h.page(c, http.StatusOK, templates.SilentLogin{
		Origin: h.o.Site.Origin(), ConfirmURL: h.o.Site.Path("/silent-login"), Confirm: confirm,
	})
}

// maxConfirmBody is enough for the value that silentSucceeded seals.
const maxConfirmBody = 4 << 10

// confirmSilentLogin answers POST /bff/silent-login, which that page sends. It answers whether the
// browser has a session. If it lacks the one that the silent login started, it ends that session,
// because nobody could use or end it.
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
		return problem.New(problem.BadRequest).WithDetail("the silent login is not known, or took longer than a minute")
	}
	s, err := h.o.Sessions.FromRequest(r)
	if errors.Is(err, session.ErrUnavailable) {
		return err
	}
	// This session, or one that replaced it meanwhile, by another silent login or a step-up.
	loggedIn := err == nil
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
	// silentTime is how long the page of a silent login may take to confirm it.
	silentTime = time.Minute
)

// A silentLogin is a silent login that succeeded and that its page has to confirm.
type silentLogin struct {
	Session session.Name `json:"s"`
	Kept    bool         `json:"k,omitempty"` // the browser had this session before
	Started int64        `json:"t"`           // Unix milliseconds
}

// A silentCodec seals and opens silentLogins.
type silentCodec struct{ codec *keys.Codec }

func newSilentCodec(ring *keys.Ring) silentCodec {
	return silentCodec{ring.Codec("silent login", maxSealed)}
}

func (s silentCodec) seal(l silentLogin) (string, error) {
	plain, err := json.Marshal(l)
	if err != nil {
		return "", err
	}
	return s.codec.Seal(silentName, plain)
}

// open returns false for a value that we did not seal, that was altered, or that is too old.
func (s silentCodec) open(value string, now time.Time) (l silentLogin, ok bool) {
	plain, ok := s.codec.Open(silentName, value)
	if !ok || json.Unmarshal(plain, &l) != nil {
		return l, false
	}
	age := now.UnixMilli() - l.Started
	return l, age > -clockSkew.Milliseconds() && age <= silentTime.Milliseconds()
}
