package login

import (
	"fmt"
	"net/http"
	"net/url"

	"github.com/cloakroom/cloakroom/provider"
)

// A Request describes the login that a caller wants.
type Request struct {
	Provider  string     // configured id
	ReturnURL string     // where the browser goes after the login; see site.Site.ReturnURL
	Params    url.Values // the caller's whole query; only some parameters go to the provider
	Silent    bool       // the login runs in a hidden frame, where nobody sees a page
}

// Begin starts an attempt: it sets the attempt's cookie on w and returns the URL to redirect the
// browser to. It stores nothing else. It returns ErrUnknownProvider, ErrInvalidReturnURL, a
// *ParameterError, or a *Failure if the provider can't be used at the moment.
func (l *Login) Begin(
	w http.ResponseWriter, r *http.Request, req Request,
) (authorizationURL string, err error) {
	p, ok := l.providers[req.Provider]
	if !ok {
		return "", ErrUnknownProvider
	}
	returnURL, ok := l.site.ReturnURL(req.ReturnURL)
	if !ok {
		return "", ErrInvalidReturnURL
	}
	params, err := allowed(req.Params)
	if err != nil {
		return "", err
	}
	a := newAttempt(p.ID(), returnURL, l.now())
	a.Silent = req.Silent
	a.Previous = l.sessions.NameFromRequest(r)
	outranking := a.expect(params, p.Config())

	authorizationURL, err = p.AuthorizationURL(r.Context(), provider.AuthorizationRequest{
		State: a.State, Nonce: a.Nonce, Verifier: a.verifier(),
		Params: params, Outranking: outranking,
	})
	if err != nil {
		return "", l.failed(r.Context(), p, a, failureOf(err))
	}
	if err := l.cookies.set(w, r, a, p.Config().ResponseMode == "form_post"); err != nil {
		return "", fmt.Errorf("start login at provider %q: %w", p.ID(), err)
	}
	return authorizationURL, nil
}
