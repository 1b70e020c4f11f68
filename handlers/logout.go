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

// logoutByNavigation answers GET /bff/logout. The `sid` proves that the link was made for this very
// session; without that proof any page could log its visitors out (CS8).
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

// logoutByFetch answers POST /bff/logout: the same, for an app that goes on by itself.
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

// logout ends the session here, first and whatever the provider does: its tokens are in the outbox
// with the same step (LO6). It reports whether it was this call that ended it. When the store can't be
// reached nothing happened, and nothing pretends that it did (ST2).
func (h *Handlers) logout(c echo.Context, s *session.Session) (first bool, err error) {
	if first, err = h.o.Sessions.EndFirst(c.Request().Context(), s.Name, session.ReasonLogout); err != nil {
		return false, err
	}
	h.o.Outbox.Wake()
	h.forget(c)
	return first, nil
}

// forget takes the cookie back, and what the browser's cache keeps of the session's answers.
func (h *Handlers) forget(c echo.Context) {
	h.loops.forget(c)
	h.o.Sessions.ClearCookie(c.Response())
	c.Response().Header().Set("Cache-Control", "no-store")
	c.Response().Header().Set("Clear-Site-Data", `"cache"`)
}

// endSessionURL is the provider's end-session endpoint with what it needs to know the session by
// (OIDC RP-Initiated Logout §2), nothing where rec is nil; "" when it has none or can't be asked. The
// person is logged out here in any case, so a provider that is down costs them no more than a moment.
func (h *Handlers) endSessionURL(r *http.Request, providerID string, rec *session.Record, returnURL string) string {
	p, err := h.provider(providerID)
	if err != nil {
		return "" // configured away since the login; the outbox still knows the tokens
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
		h.o.Logger.WarnContext(ctx, "logged out here only: the provider's end-session endpoint is not known", "provider", p.ID(), "error", err)
		return ""
	}
	return next
}

// afterLogout answers the post-logout redirect URI. Its `state` is believed only if we sealed it,
// and then says no more than a path of our own; it ends nothing (LO4).
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

// afterLocalLogout goes to where the app wanted, or says that it is done.
func (h *Handlers) afterLocalLogout(c echo.Context, returnURL string) error {
	if returnURL != "" {
		return redirect(c, http.StatusFound, returnURL)
	}
	return h.loggedOutPage(c, "")
}

// loggedOutPage says that it is done, and leads on to returnUrl.
func (h *Handlers) loggedOutPage(c echo.Context, returnURL string) error {
	return h.page(c, http.StatusOK, templates.LoggedOut{
		BackURL: orHome(returnURL), LoginURL: h.o.Site.LoginURL(nil), RequestID: requestlog.ID(c.Request().Context()),
	})
}

// logoutReturnURL is the one return URL of a logout, "" when none was given.
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
