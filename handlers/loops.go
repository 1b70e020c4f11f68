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

// A browser that logs in loopLogins times within loopTime, and then wants to log in again, is going round in a
// circle: each login succeeds, and the app does not see it. Another redirect would go on for ever. Where the session
// came back with the browser, and it may be a person who logs in again and again, it takes loopPatience; not for a step-up,
// which asks people for something each time.
const (
	loopLogins   = 3
	loopPatience = 10
	loopTime     = time.Minute
	// loopSkew is how far replicas' clocks may be apart before that is the cause.
	loopSkew = 5 * time.Second
)

// The causes that a person, or the operator behind them, can do something about. They pick the page's words.
const (
	loopClock      = "clock"       // replicas' clocks differ
	loopSameSite   = "same_site"   // another site leads here each time, and a strict cookie stays behind
	loopCookieLost = "cookie_lost" // other cookies come back, the session's does not
	loopUnknown    = "unknown"     // the cookie comes back, and no session is known: replicas without a shared store
	loopEnded      = "ended"       // the session was ended at once: by the provider, or an administrator
	loopExpired    = "expired"     // it ran out at once
	loopApp        = "app"         // the session is fine: it is the app, or its API, that sends people here
)

// loops remembers in a cookie of its own when a browser logged in lately: what no server needs to keep, and what shows
// that cookies work at all.
type loops struct {
	name  string // of the cookie
	codec *keys.Codec
	site  *site.Site
}

func newLoops(s *site.Site, ring *keys.Ring) loops {
	return loops{s.LoginsCookie(), ring.Codec("logins", maxSealed), s}
}

// lately are the moments of this browser's last logins, in Unix milliseconds; none without the cookie, or with one
// that is not ours.
func (l loops) lately(r *http.Request) (logins []int64) {
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

// note adds a login that has succeeded.
func (l loops) note(c echo.Context, now time.Time) {
	recent := slices.DeleteFunc(l.lately(c.Request()), func(at int64) bool { return now.UnixMilli()-at > loopTime.Milliseconds() })
	recent = append(recent, now.UnixMilli())
	plain, err := json.Marshal(recent[max(0, len(recent)-loopPatience):])
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
	h["Set-Cookie"] = slices.Concat(lines[last:], lines[:last]) // the session's stays the last, and the one to win
}

// forget lets the next login begin anew: it was explained, or somebody logged out on purpose.
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

// explainLoop answers a login that would go round once more with a page that names the cause, and reports whether
// it did.
func (h *Handlers) explainLoop(c echo.Context) (explained bool, err error) {
	logins := h.loops.lately(c.Request())
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
	asWished := cause == loopApp || cause == loopEnded || cause == loopExpired
	if asWished && recent < loopPatience && c.QueryParam(login.StepUp) == "" {
		return false, nil
	}
	h.loops.forget(c)
	h.o.Logger.WarnContext(c.Request().Context(), "a browser goes round between login and app", "cause", cause, "request_id", requestlog.ID(c.Request().Context()))
	return true, h.page(c, http.StatusBadRequest, templates.LoginLoop{
		Cause: cause, Host: h.o.Site.Origin(), RetryURL: h.o.Site.LoginURL(nil), RequestID: requestlog.ID(c.Request().Context()),
	})
}

// loopCause finds out why the app does not see the logins, the last of which was at the given time.
func (h *Handlers) loopCause(r *http.Request, last time.Time) (string, error) {
	if last.Sub(h.o.Now()) > loopSkew {
		return loopClock, nil
	}
	name := h.o.Sessions.NameFromRequest(r)
	if name == "" {
		if from := r.Header.Get("Sec-Fetch-Site"); h.o.Site.StrictCookie() && from != "" && from != "same-origin" && from != "none" {
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
