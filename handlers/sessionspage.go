package handlers

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/mileusna/useragent"

	"github.com/cloakroom/cloakroom/problem"
	"github.com/cloakroom/cloakroom/requestlog"
	"github.com/cloakroom/cloakroom/secret"
	"github.com/cloakroom/cloakroom/session"
	"github.com/cloakroom/cloakroom/site"
	"github.com/cloakroom/cloakroom/templates"
)

// allOthers stands for every session but the current one in the page's form.
const allOthers = "others"

// sessionsPage answers a navigation to GET /bff/sessions: a page with the user's sessions, for apps
// that have none of their own. With ?end=ID it asks for a confirmation to end that session.
func (h *Handlers) sessionsPage(c echo.Context) error {
	current, all, err := h.sessionsOfUser(c)
	if loggedOut(err) && h.cameWithoutStrictCookie(c.Request()) {
		requestlog.Annotate(c.Request().Context(), err)
		return h.page(c, http.StatusOK, templates.Continue{URL: h.o.Site.SessionsPage()})
	}
	if err != nil {
		return h.returningToSessions(err)
	}
	slices.SortFunc(all, func(a, b *session.Session) int { return b.LastActive.Compare(a.LastActive) })
	page := templates.Sessions{
		Action: h.o.Site.SessionsPage(), Token: current.Record.LogoutID, Others: allOthers,
	}
	end := c.QueryParam("end")
	for _, s := range all {
		row := h.sessionRow(s, s.Name == current.Name)
		page.Rows = append(page.Rows, row)
		if end == row.ID {
			page.Ending = &row
		}
	}
	page.EndingOthers = end == allOthers && len(all) > 1
	return h.page(c, http.StatusOK, page)
}

func (h *Handlers) sessionRow(s *session.Session, current bool) templates.SessionRow {
	name := s.Record.Provider
	if p, ok := h.byID[name]; ok {
		name = p.Name()
	}
	return templates.SessionRow{
		ID: s.Record.ID, Current: current, Provider: name,
		Device: device(s.Record.UserAgent), Address: s.Record.RemoteAddr,
		Began: s.Record.CreatedAt.UTC().Truncate(time.Minute), Active: s.LastActive.UTC().Truncate(time.Minute),
	}
}

// device names the browser and system, or device, of a User-Agent; "" if they are unknown.
func device(userAgent string) string {
	u := useragent.Parse(userAgent)
	parts := []string{u.Name, u.OS}
	if u.Device != "" {
		parts[1] = u.Device
	}
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), ", ")
}

// endFromPage answers POST /bff/sessions, the page's form. A form can't send X-CSRF. Instead, its
// token proves that the page was made for this session, and Fetch Metadata and Origin must not name
// another origin.
func (h *Handlers) endFromPage(c echo.Context) error {
	r := c.Request()
	if err := h.admit(r, site.ForForm); err != nil {
		return err
	}
	current, all, err := h.sessionsOfUser(c)
	if err != nil {
		return h.returningToSessions(err) // before the body is read: nobody waits for a stranger's body
	}
	fields, err := form(c, maxLoginBody)
	if err != nil {
		return err
	}
	if !secret.New(current.Record.LogoutID).Equal(fields.Get("token")) {
		return problem.New(problem.CSRF)
	}
	endedThis := false
	for _, s := range all {
		if id := fields.Get("id"); s.Record.ID != id && (id != allOthers || s.Name == current.Name) {
			continue
		}
		if _, err := h.o.Sessions.Logout(r.Context(), s.Name); err != nil {
			return err
		}
		endedThis = endedThis || s.Name == current.Name
	}
	h.o.Outbox.Wake()
	if endedThis {
		h.forget(c)
		return redirect(c, http.StatusSeeOther, "/")
	}
	return redirect(c, http.StatusSeeOther, h.o.Site.SessionsPage())
}

// returningToSessions returns err as a problem; if the user must log in, the login returns to the
// sessions page.
func (h *Handlers) returningToSessions(err error) error {
	p := problemOf(err)
	if p.Status == http.StatusUnauthorized {
		p.LoginURL = h.o.Site.LoginBackTo(h.o.Site.SessionsPage())
	}
	return p
}

// sessionsOfUser returns the current session and all sessions of its user.
func (h *Handlers) sessionsOfUser(c echo.Context) (*session.Session, []*session.Session, error) {
	r := c.Request()
	current, err := h.o.Sessions.FromRequest(r)
	if err != nil {
		return nil, nil, err
	}
	rec := current.Record
	all, err := h.o.Sessions.OfUser(r.Context(), rec.Provider, rec.Issuer, rec.Subject)
	return current, all, err
}
