package handlers

import (
	"errors"
	"maps"
	"net/http"
	"net/url"

	"github.com/labstack/echo/v4"

	"github.com/cloakroom/cloakroom/problem"
	"github.com/cloakroom/cloakroom/requestlog"
	"github.com/cloakroom/cloakroom/session/login"
	"github.com/cloakroom/cloakroom/templates"
)

// startLogin answers GET /bff/login: it redirects to the provider, or shows a page to choose one. A
// provider or a portal may also initiate a login, by GET or POST (OIDC Core §4).
func (h *Handlers) startLogin(c echo.Context) error {
	r := c.Request()
	if !isWindow(r) { // LS9
		return problem.New(problem.NavigationRequired)
	}
	query, err := loginQuery(c)
	if err != nil {
		return err
	}
	if query.Has("iss") || query.Has("target_link_uri") {
		if query, err = h.thirdParty(query); err != nil {
			return err
		}
	}
	returnURL, err := h.returnURL(query)
	if err != nil {
		return err
	}
	id, err := h.chosenProvider(query)
	if err != nil {
		return err
	}
	if explained, err := h.explainAddress(c, query); explained || err != nil {
		return err
	}
	if id == "" {
		return h.chooser(c, query, returnURL)
	}
	if explained, err := h.explainLoop(c); explained || err != nil {
		return err
	}
	to, err := h.o.Login.Begin(c.Response(), r, login.Request{Provider: id, ReturnURL: returnURL, Params: query})
	if err != nil {
		return err
	}
	return redirect(c, seeOther(r), to)
}

// maxLoginBody is enough for the three parameters of a login that a third party initiates.
const maxLoginBody = 16 << 10

// loginQuery returns the parameters of a login, from the URL or from a form, never from both.
func loginQuery(c echo.Context) (url.Values, error) {
	if c.Request().Method == http.MethodPost {
		return form(c, maxLoginBody)
	}
	query, err := url.ParseQuery(c.Request().URL.RawQuery)
	if err != nil {
		return nil, problem.New(problem.BadRequest).WithDetail("the query does not parse")
	}
	return query, nil
}

// thirdParty translates the parameters of a login that a third party initiates (OIDC Core §4) into
// our own. The issuer must be a configured provider's, and the target a page of this app. All other
// parameters are dropped, because anybody can send them.
func (h *Handlers) thirdParty(given url.Values) (url.Values, error) {
	if len(given["iss"]) != 1 {
		return nil, unknownProvider()
	}
	ours := url.Values{}
	for _, p := range h.o.Providers {
		if p.IssuedBy(given.Get("iss")) && !ours.Has("provider") {
			ours.Set("provider", p.ID())
		}
	}
	if !ours.Has("provider") {
		return nil, unknownProvider()
	}
	if hints := given["login_hint"]; len(hints) > 0 {
		ours["login_hint"] = hints
	}
	switch targets := given["target_link_uri"]; len(targets) {
	case 0:
	case 1: // a page of the app, as a URL or a path
		ours.Set("returnUrl", h.o.Site.Relative(targets[0]))
	default:
		return nil, problem.New(problem.InvalidReturnURL)
	}
	return ours, nil
}

// chosenProvider is the id of the provider that the query names, or of the only one, or "" if the
// user has to choose. An unknown or repeated parameter is an error, never a default (LS8).
func (h *Handlers) chosenProvider(query url.Values) (string, error) {
	switch ids := query["provider"]; {
	case len(ids) > 1:
		return "", unknownProvider()
	case len(ids) == 1:
		p, err := h.provider(ids[0])
		if err != nil {
			return "", err
		}
		return p.ID(), nil
	case len(h.o.Providers) == 1:
		return h.o.Providers[0].ID(), nil
	}
	return "", nil
}

// chooser shows a page with a link for each provider. The links keep all other parameters.
func (h *Handlers) chooser(c echo.Context, query url.Values, returnURL string) error {
	page := templates.ChooseProvider{RequestID: requestlog.ID(c.Request().Context())}
	for _, p := range h.o.Providers {
		next := url.Values{}
		maps.Copy(next, query)
		next.Set("provider", p.ID())
		next.Set("returnUrl", returnURL)
		page.Providers = append(page.Providers, templates.ProviderChoice{
			ID: p.ID(), Name: p.Name(), URL: h.o.Site.LoginURL(next),
		})
	}
	return h.page(c, http.StatusOK, page)
}

// returnURL is the query's return URL, or "/" if there is none.
func (h *Handlers) returnURL(query url.Values) (string, error) {
	given := query["returnUrl"]
	if len(given) > 1 {
		return "", problem.New(problem.InvalidReturnURL)
	}
	if len(given) == 0 {
		return "/", nil
	}
	checked, ok := h.o.Site.ReturnURL(given[0])
	if !ok {
		return "", problem.New(problem.InvalidReturnURL)
	}
	return checked, nil
}

// asFailure returns the login failure inside err.
func asFailure(err error) (*login.Failure, bool) {
	var f *login.Failure
	ok := errors.As(err, &f)
	return f, ok
}
