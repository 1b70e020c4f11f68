package problem

import (
	"net/http"

	"github.com/cloakroom/cloakroom/session/login"
	"github.com/cloakroom/cloakroom/templates"
)

func (w *Writer) writePage(rw http.ResponseWriter, r *http.Request, p *Problem) {
	lang := w.pages.Language(r.Header.Get("Accept-Language"))
	if err := w.pages.Write(rw, p.Status, lang, w.page(r, p)); err != nil {
		// An operator's template that breaks on this value, or a reader who left.
		w.logger.WarnContext(r.Context(), "write error page", "code", string(p.Code), "error", err)
	}
}

// page has the same facts as the details. A failed login gets the provider's words, if they are its
// words and not the rule that it broke, and a way to try again.
func (w *Writer) page(r *http.Request, p *Problem) templates.Page {
	id := RequestID(r.Context())
	f := p.login
	if f == nil {
		return templates.ErrorPage{Code: string(p.Code), Status: p.Status, LoginURL: p.LoginURL, RequestID: id}
	}
	page := templates.LoginFailed{Kind: string(p.Code), RetryURL: w.loginFor(f.ReturnURL), RequestID: id}
	switch f.Kind {
	case login.AccessDenied, login.ProviderRefused, login.ProviderUnreachable, login.ProviderMisconfigured:
		page.ProviderError, page.ProviderSays = f.Code, f.Description
	case login.CookiesBlocked, login.CookieMissing:
		page.Host = w.origin
	}
	return page
}
