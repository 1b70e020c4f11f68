package handlers

import (
	"net/http"

	"github.com/cloakroom/cloakroom/problem"
	"github.com/cloakroom/cloakroom/requestlog"
	"github.com/cloakroom/cloakroom/templates"
)

func (w *ErrorWriter) writePage(rw http.ResponseWriter, r *http.Request, p *problem.Problem) {
	lang := w.pages.Language(r.Header.Get("Accept-Language"))
	if err := w.pages.Write(rw, p.Status, lang, w.page(r, p)); err != nil {
		// An operator's template that breaks on this value, or a reader who left.
		w.logger.WarnContext(r.Context(), "write error page", "code", string(p.Code), "error", err)
	}
}

// page has the same facts as the details. A failed login gets the provider's words, if they are its
// words and not the rule that it broke, and a way to try again.
func (w *ErrorWriter) page(r *http.Request, p *problem.Problem) templates.Page {
	id := requestlog.ID(r.Context())
	f, failed := asFailure(p.Err)
	// Too many requests are neither the provider's fault nor this login's.
	if !failed || p.Code != f.Kind || p.Code == problem.RateLimited {
		return templates.ErrorPage{Code: string(p.Code), Status: p.Status, LoginURL: p.LoginURL, RequestID: id}
	}
	page := templates.LoginFailed{Kind: string(p.Code), RetryURL: w.site.LoginBackTo(f.ReturnURL), RequestID: id}
	switch p.Code {
	case problem.AccessDenied, problem.ProviderRefused, problem.ProviderUnreachable, problem.ProviderMisconfigured:
		page.ProviderError, page.ProviderSays = f.Code, f.Description
	case problem.CookiesBlocked, problem.AttemptNotFound:
		page.Host = w.site.Origin()
	}
	return page
}
