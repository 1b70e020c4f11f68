package handlers

import (
	"net/http"
	"net/url"

	"github.com/labstack/echo/v4"

	"github.com/cloakroom/cloakroom/problem"
	"github.com/cloakroom/cloakroom/provider"
	"github.com/cloakroom/cloakroom/requestlog"
	"github.com/cloakroom/cloakroom/secret"
	"github.com/cloakroom/cloakroom/session"
	"github.com/cloakroom/cloakroom/templates"
)

// logoutByNavigation answers GET /bff/logout. The `sid` proves that the link was made for this
// session; without it, any page could log its visitors out (CS8).
func (h *Handlers) logoutByNavigation(c echo.Context) error {
	r := c.Request()
	if !isWindow(r) {
		return problem.New(problem.NavigationRequired)
	}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return problem.New(problem.InvalidLogout)
	}
	returnURL, err := h.logoutReturnURL(query)
	if err != nil {
		return err
	}
	s, err := h.o.Sessions.FromRequest(r)
	if loggedOut(err) {
		return redirect(c, http.StatusFound, orHome(returnURL))
	}
	if err != nil {
		return err
	}
	if sids := query["sid"]; len(sids) != 1 || !secret.New(s.Record.LogoutID).Equal(sids[0]) {
		return problem.New(problem.InvalidLogout)
	}
	if _, err := h.logout(c, s); err != nil {
		return err
	}
	next := h.endSessionURL(r, s.Record.Provider, s.Record, returnURL)
	if next == "" {
		return h.afterLocalLogout(c, returnURL)
	}
	return redirect(c, http.StatusFound, next)
}

// logoutByFetch answers POST /bff/logout: the same for an app's script, which navigates by itself.
func (h *Handlers) logoutByFetch(c echo.Context) error {
	r := c.Request()
	if err := h.requireCSRF(r); err != nil {
		return err
	}
	returnURL, err := h.logoutReturnURL(r.URL.Query())
	if err != nil {
		return err
	}
	s, err := h.o.Sessions.FromRequest(r)
	if loggedOut(err) {
		h.forget(c)
		return c.NoContent(http.StatusNoContent)
	}
	if err != nil {
		return err
	}
	first, err := h.logout(c, s)
	if err != nil {
		return err
	}
	next := h.continueURL(r, s, returnURL, first)
	if next == "" {
		return c.NoContent(http.StatusNoContent)
	}
	return c.JSON(http.StatusOK, map[string]string{"redirect": next})
}

// logout ends the session here, before and independently of the logout at the provider. The same
// write puts its tokens into the outbox (LO6). It reports whether this call ended the session. If
// the store is unreachable, the session has not ended, and logout returns the error (ST2).
func (h *Handlers) logout(c echo.Context, s *session.Session) (first bool, err error) {
	if first, err = h.o.Sessions.Logout(c.Request().Context(), s.Name); err != nil {
		return false, err
	}
	h.o.Outbox.Wake()
	h.forget(c)
	return first, nil
}

// forget clears the session cookie, and the responses in the browser's cache.
func (h *Handlers) forget(c echo.Context) {
	h.loops.forget(c)
	h.o.Sessions.ClearCookie(c.Response())
	c.Response().Header().Set("Cache-Control", "no-store")
	c.Response().Header().Set("Clear-Site-Data", `"cache"`)
}

// endSessionURL is the URL of an RP-initiated logout at the provider (OIDC RP-Initiated Logout §2),
// with the hints of rec, or without if rec is nil. It is "" if the provider has no end-session
// endpoint or its metadata can't be read within a short time: the user is logged out here in any
// case.
func (h *Handlers) endSessionURL(r *http.Request, providerID string, rec *session.Record, returnURL string) string {
	p, err := h.provider(providerID)
	if err != nil {
		return "" // the provider was removed from the configuration since the login
	}
	ctx, cancel := withShortDeadline(r)
	defer cancel()
	state, err := h.logoutState.seal(returnURL, h.o.Now())
	if err != nil {
		h.o.Logger.ErrorContext(ctx, "seal the state of a logout", "error", err)
		return ""
	}
	request := provider.EndSessionRequest{State: state}
	if rec != nil {
		request.IDTokenHint, request.LogoutHint = rec.IDToken, rec.SID
	}
	next, err := p.EndSessionURL(ctx, request)
	if err != nil {
		h.o.Logger.WarnContext(ctx, "logged out here only: the provider's end-session endpoint is not known",
			"provider", p.ID(), "error", err)
		return ""
	}
	return next
}

// afterLogout answers the post-logout redirect URI. It trusts `state` only if we sealed it, and
// takes only a path on this origin from it. It ends no session (LO4).
func (h *Handlers) afterLogout(c echo.Context) error {
	if _, err := h.provider(c.Param("provider")); err != nil {
		return err
	}
	states := c.Request().URL.Query()["state"]
	if len(states) == 1 {
		if returnURL, ok := h.logoutState.open(states[0], h.o.Now()); ok {
			return h.afterLocalLogout(c, returnURL)
		}
	}
	return h.afterLocalLogout(c, "")
}

// afterLocalLogout redirects to returnURL, or shows the logged-out page if it is "".
func (h *Handlers) afterLocalLogout(c echo.Context, returnURL string) error {
	if returnURL != "" {
		return redirect(c, http.StatusFound, returnURL)
	}
	return h.loggedOutPage(c, "")
}

// loggedOutPage shows that the user is logged out, with a link to returnURL.
func (h *Handlers) loggedOutPage(c echo.Context, returnURL string) error {
	return h.page(c, http.StatusOK, templates.LoggedOut{
		BackURL: orHome(returnURL), LoginURL: h.o.Site.LoginURL(nil), RequestID: requestlog.ID(c.Request().Context()),
	})
}

// logoutReturnURL is the return URL of a logout, or "" if there is none.
func (h *Handlers) logoutReturnURL(query url.Values) (string, error) {
	if !query.Has("returnUrl") {
		return "", nil
	}
	return h.returnURL(query)
}

func orHome(returnURL string) string {
	if returnURL == "" {
		return "/"
	}
	return returnURL
}
