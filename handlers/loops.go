package handlers

import (
	"encoding/json"
	"net/http"
	"slices"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/cloakroom/cloakroom/keys"
	"github.com/cloakroom/cloakroom/requestlog"
	"github.com/cloakroom/cloakroom/session"
	"github.com/cloakroom/cloakroom/session/login"
	"github.com/cloakroom/cloakroom/site"
	"github.com/cloakroom/cloakroom/templates"
)

// A browser that has logged in loopLogins times within loopTime and requests a login again is in a
// redirect loop: each login succeeds, but the app does not see the session. If the session is
// known, the user may really be logging in again and again, so the limit is maxLogins. For a
// step-up it is loopLogins all the same.
const (
	loopLogins = 3
	maxLogins  = 10
	loopTime   = time.Minute
	// loopSkew is the difference between replicas' clocks from which on it is taken for the cause.
	loopSkew = 5 * time.Second
)

// Causes of a redirect loop that the user or the operator can remove. The page's text depends on
// them.
const (
	loopClock      = "clock"       // replicas' clocks differ
	loopSameSite   = "same_site"   // another site links here each time, so the strict cookie is not sent
	loopCookieLost = "cookie_lost" // the browser sends other cookies, but not the session's
	loopUnknown    = "unknown"     // no session for the cookie: replicas without a shared store
	loopEnded      = "ended"       // the provider or an administrator ended the session at once
	loopExpired    = "expired"     // the session expired at once
	loopApp        = "app"         // the session is fine; the app or its API sends the user to the login
)

// loops keeps the times of a browser's recent logins in a cookie of its own. That needs no state on
// the server, and the cookie shows that the browser accepts cookies at all.
type loops struct {
	name  string // of the cookie
	codec *keys.Codec
	site  *site.Site
}

func newLoops(s *site.Site, ring *keys.Ring) loops {
	return loops{s.LoginsCookie(), ring.Codec("logins", maxSealed), s}
}

// recent returns the times of this browser's last logins, in Unix milliseconds; none if the cookie
// is missing or invalid.
func (l loops) recent(r *http.Request) (logins []int64) {
	c, err := r.Cookie(l.name)
	if err != nil {
		return nil
	}
	plain, ok := l.codec.Open(l.name, c.Value)
	if !ok || json.Unmarshal(plain, &logins) != nil {
		return nil
	}
	return logins
}

// note adds a successful login.
func (l loops) note(c echo.Context, now time.Time) {
	recent := slices.DeleteFunc(l.recent(c.Request()), func(at int64) bool {
		return now.UnixMilli()-at > loopTime.Milliseconds()
	})
	recent = append(recent, now.UnixMilli())
	plain, err := json.Marshal(recent[max(0, len(recent)-maxLogins):])
	if err != nil {
		return
	}
	value, err := l.codec.Seal(l.name, plain)
	if err != nil {
		return
	}
	l.set(c, value, int(loopTime.Seconds()))
	h := c.Response().Header()
	lines := h["Set-Cookie"]
	last := len(lines) - 1
	// The session's cookie must stay the last: if a browser has no room for both, it keeps the
	// later one.
	h["Set-Cookie"] = slices.Concat(lines[last:], lines[:last])
}

// forget clears the cookie, after the loop was explained or the user logged out.
func (l loops) forget(c echo.Context) {
	if _, err := c.Request().Cookie(l.name); err == nil {
		l.set(c, "", -1)
	}
}

func (l loops) set(c echo.Context, value string, maxAge int) {
	cookie := l.site.NewCookie(l.name, value)
	cookie.MaxAge = maxAge
	http.SetCookie(c.Response(), cookie)
}

// explainLoop answers a login in a redirect loop with a page that names the cause, and reports
// whether it did.
func (h *Handlers) explainLoop(c echo.Context) (explained bool, err error) {
	ctx := c.Request().Context()
	logins := h.loops.recent(c.Request())
	now := h.o.Now()
	recent := 0
	for _, at := range logins {
		if now.UnixMilli()-at <= loopTime.Milliseconds() {
			recent++
		}
	}
	if recent < loopLogins {
		return false, nil
	}
	cause, err := h.loopCause(c.Request(), time.UnixMilli(slices.Max(logins)))
	if err != nil {
		return false, err
	}
	sessionKnown := cause == loopApp || cause == loopEnded || cause == loopExpired
	if sessionKnown && recent < maxLogins && c.QueryParam(login.StepUp) == "" {
		return false, nil
	}
	h.loops.forget(c)
	h.o.Logger.WarnContext(ctx, "a browser is in a redirect loop between login and app",
		"cause", cause, "request_id", requestlog.ID(ctx))
	return true, h.page(c, http.StatusBadRequest, templates.LoginLoop{
		Cause: cause, Host: h.o.Site.Origin(), RetryURL: h.o.Site.LoginURL(nil), RequestID: requestlog.ID(ctx),
	})
}

// loopCause finds out why the app does not see the logins. last is the time of the last one.
func (h *Handlers) loopCause(r *http.Request, last time.Time) (string, error) {
	if last.Sub(h.o.Now()) > loopSkew {
		return loopClock, nil
	}
	name := h.o.Sessions.NameFromRequest(r)
	if name == "" {
		from := r.Header.Get("Sec-Fetch-Site")
		fromElsewhere := from != "" && from != "same-origin" && from != "none"
		if h.o.Site.StrictCookie() && fromElsewhere {
			return loopSameSite, nil
		}
		return loopCookieLost, nil
	}
	_, err := h.o.Sessions.FromRequest(r)
	reason, known := h.o.Sessions.EndReason(name)
	switch {
	case err == nil:
		return loopApp, nil
	case !loggedOut(err):
		return "", err
	case known && reason == session.ReasonExpired:
		return loopExpired, nil
	case known:
		return loopEnded, nil
	}
	return loopUnknown, nil
}
