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
		// An operator's template fails on this value, or the browser closed the connection.
		w.logger.WarnContext(r.Context(), "write error page", "code", string(p.Code), "error", err)
	}
}

// page states the same facts as the problem details. For a failed login it adds a link to try again
// and, if the provider refused the login, the provider's own error and description.
func (w *ErrorWriter) page(r *http.Request, p *problem.Problem) templates.Page {
	id := requestlog.ID(r.Context())
	f, failed := asFailure(p.Err)
	// A rate limit says nothing about the provider or this login.
	if !failed || p.Code != f.Kind || p.Code == problem.RateLimited {
		return templates.ErrorPage{Code: string(p.Code), Status: p.Status, LoginURL: p.LoginURL, RequestID: id}
	}
	page := templates.LoginFailed{Kind: string(p.Code), RetryURL: w.site.LoginBackTo(f.ReturnURL), RequestID: id}
	switch p.Code {
	case problem.AccessDenied, problem.ProviderRefused, problem.ProviderUnreachable, problem.ProviderMisconfigured:
		page.ProviderError, page.ProviderSays, page.Reason = f.Code, f.Description, f.Reason
	case problem.CookiesBlocked, problem.AttemptNotFound:
		page.Host = w.site.Origin()
	}
	return page
}
