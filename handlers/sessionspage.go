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

// sessionsPage answers a navigation to GET /bff/sessions: the user's sessions, for apps that have no page of their
// own for them. With ?end=ID it asks before it ends one.
func (h *Handlers) sessionsPage(c echo.Context) error {
	current, all, err := h.sessionsOfUser(c)
	if loggedOut(err) && h.cameWithoutStrictCookie(c.Request()) {
		requestlog.Annotate(c.Request().Context(), err)
		return h.page(c, http.StatusOK, templates.Continue{URL: h.o.Site.SessionsPage()})
	}
	if err != nil {
		return h.thenBackToSessions(err)
	}
	slices.SortFunc(all, func(a, b *session.Session) int { return b.LastActive.Compare(a.LastActive) })
	page := templates.Sessions{Action: h.o.Site.SessionsPage(), Token: current.Record.LogoutID, Others: allOthers}
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
		ID: s.Record.ID, Current: current, Device: device(s.Record.UserAgent), Address: s.Record.RemoteAddr, Provider: name,
		Began: s.Record.CreatedAt.UTC().Truncate(time.Minute), Active: s.LastActive.UTC().Truncate(time.Minute),
	}
}

// device is what a person calls the browser that a User-Agent is of; "" when it can't be told.
func device(userAgent string) string {
	u := useragent.Parse(userAgent)
	parts := []string{u.Name, u.OS}
	if u.Device != "" {
		parts[1] = u.Device
	}
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), ", ")
}

// endFromPage answers POST /bff/sessions, the page's form. A form can't send X-CSRF: the token in it proves that the
// page was made for this session, and the browser must not say that another origin sent it.
func (h *Handlers) endFromPage(c echo.Context) error {
	r := c.Request()
	if err := h.admit(r, site.ForForm); err != nil {
		return err
	}
	current, all, err := h.sessionsOfUser(c)
	if err != nil {
		return h.thenBackToSessions(err) // who is nobody is not waited for
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
		if err := h.o.Sessions.End(r.Context(), s.Name, session.ReasonLogout); err != nil {
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

// thenBackToSessions has the page of an error lead whoever must log in first back to the sessions.
func (h *Handlers) thenBackToSessions(err error) error {
	p := problemOf(err)
	if p.Status == http.StatusUnauthorized {
		p.LoginURL = h.o.Site.LoginBackTo(h.o.Site.SessionsPage())
	}
	return p
}

// sessionsOfUser are the current session and all of its user.
func (h *Handlers) sessionsOfUser(c echo.Context) (*session.Session, []*session.Session, error) {
	r := c.Request()
	current, err := h.o.Sessions.FromRequest(r)
	if err != nil {
		return nil, nil, err
	}
	all, err := h.o.Sessions.OfUser(r.Context(), current.Record.Provider, current.Record.Issuer, current.Record.Subject)
	return current, all, err
}
