package handlers

import (
	"mime"
	"net/http"
	"net/url"

	"github.com/labstack/echo/v4"

	"github.com/cloakroom/cloakroom/problem"
	"github.com/cloakroom/cloakroom/requestlog"
	"github.com/cloakroom/cloakroom/session/login"
	"github.com/cloakroom/cloakroom/templates"
)

// maxCallbackBody is the largest form_post response, in bytes: ample for a code, a state or an
// error.
const maxCallbackBody = 64 << 10

// callback answers the redirect URI: it completes the attempt that `state` names and starts the
// session. Only browsers are sent here, so every error is answered with a page.
func (h *Handlers) callback(c echo.Context) error {
	if err := h.finishLogin(c); err != nil {
		p := problemOf(err)
		p.Page = true
		return p
	}
	return nil
}

func (h *Handlers) finishLogin(c echo.Context) error {
	r := c.Request()
	p, err := h.provider(c.Param("provider"))
	if err != nil {
		return err
	}
	params, err := authorizationResponse(c, p.Config().ResponseMode)
	if err != nil {
		return err
	}
	if params.Has("stale") && len(params) == 1 {
		return h.afterStaleCallback(c)
	}
	outcome, err := h.o.Login.Finish(c.Response(), r, p.ID(), params)
	if err != nil {
		return h.callbackFailed(c, err)
	}
	h.o.Outbox.Wake() // a session that this login replaced has tokens to revoke
	if outcome.Silent {
		return h.silentSucceeded(c, outcome)
	}
	h.loops.note(c, h.o.Now())
	return redirect(c, seeOther(r), outcome.ReturnURL)
}

// authorizationResponse reads the parameters from where the response mode puts them, and from there
// alone: the query of a GET, or the form of a POST (Form Post Response Mode §2).
func authorizationResponse(c echo.Context, mode string) (url.Values, error) {
	r := c.Request()
	if r.Method == http.MethodGet {
		query, err := url.ParseQuery(r.URL.RawQuery)
		if err != nil {
			return nil, problem.New(problem.BadRequest).WithDetail("the query does not parse")
		}
		if mode == "form_post" && (query.Has("code") || query.Has("error")) {
			return nil, problem.New(problem.BadRequest).
				WithDetail("this provider is configured for response_mode form_post, but answered by GET")
		}
		return query, nil
	}
	if mode != "form_post" {
		c.Response().Header().Set("Allow", "GET, HEAD")
		return nil, problem.New(problem.MethodNotAllowed)
	}
	return form(c, maxCallbackBody)
}

// form reads a urlencoded body of at most limit bytes. The URL must have no parameters.
func form(c echo.Context, limit int64) (url.Values, error) {
	r := c.Request()
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "application/x-www-form-urlencoded" {
		return nil, problem.New(problem.BadRequest).WithDetail("the body must be application/x-www-form-urlencoded")
	}
	if r.URL.RawQuery != "" {
		return nil, problem.New(problem.BadRequest).WithDetail("parameters belong in the body, not in the URL")
	}
	r.Body = http.MaxBytesReader(c.Response(), r.Body, limit)
	if err := r.ParseForm(); err != nil {
		return nil, formError(err)
	}
	return r.PostForm, nil
}

// formError is the problem for a form that could not be read: too large, too slow, or malformed.
func formError(err error) error {
	if known, ok := problem.Of(err); ok {
		return known
	}
	return problem.New(problem.BadRequest).WithDetail("The form can't be read.").CausedBy(err)
}

// callbackFailed answers an authorization response that was refused.
//
// In a frame, only a silent login can have started. Tracking prevention may withhold its attempt
// cookie, because another site redirected the frame here; a stale response in a frame is therefore
// answered as a failed silent login. A stale response in a window (back button, second tab) of a
// browser with a live session is no failure to the user, who is redirected to the app.
func (h *Handlers) callbackFailed(c echo.Context, err error) error {
	failure, ok := asFailure(err)
	if !ok {
		return err
	}
	if failure.Silent || failure.Stale() && isFrame(c.Request()) {
		requestlog.Annotate(c.Request().Context(), err)
		return h.silentFailed(c)
	}
	if failure.Stale() {
		if _, sessionErr := h.o.Sessions.FromRequest(c.Request()); sessionErr == nil {
			return redirect(c, seeOther(c.Request()), "/")
		}
		if h.cameWithoutStrictCookie(c.Request()) {
			requestlog.Annotate(c.Request().Context(), err)
			return h.page(c, http.StatusOK, templates.Continue{
				URL: c.Request().URL.EscapedPath() + "?stale=" + url.QueryEscape(string(failure.Kind)),
			})
		}
	}
	return err
}

// cameWithoutStrictCookie reports whether the browser may have a session whose cookie it did not
// send: browsers omit SameSite=Strict cookies on a navigation that another site started. They send
// it when a page of this origin navigates on.
func (h *Handlers) cameWithoutStrictCookie(r *http.Request) bool {
	return h.o.Site.StrictCookie() && r.Header.Get("Sec-Fetch-Site") == "cross-site" &&
		r.Header.Get("Sec-Fetch-Dest") != "" && isNavigation(r) && isWindow(r)
}

// afterStaleCallback answers the navigation from that page. If there is a session, this request has
// its cookie.
func (h *Handlers) afterStaleCallback(c echo.Context) error {
	if _, err := h.o.Sessions.FromRequest(c.Request()); err == nil {
		return redirect(c, http.StatusFound, "/")
	}
	return login.StaleFailure(c.Param("provider"), c.QueryParam("stale"))
}

// seeOther is the status of a redirect that the browser follows by GET. After a form_post that is
// 303: 307 and 308 would post the code to the app (RFC 9700 §4.12).
func seeOther(r *http.Request) int {
	if r.Method == http.MethodPost {
		return http.StatusSeeOther
	}
	return http.StatusFound
}
