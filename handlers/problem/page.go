package problem

import (
	"net/http"
	"net/url"

	"github.com/cloakroom/cloakroom/session/login"
	"github.com/cloakroom/cloakroom/templates"
)

// writePage answers a person: what a failed login came to, or the general page, in their language.
func (w *Writer) writePage(rw http.ResponseWriter, r *http.Request, p *Problem) {
	lang := w.pages.Language(r.Header.Get("Accept-Language"))
	if err := w.pages.Write(rw, p.Status, lang, w.pageOf(r, p)); err != nil {
		w.logger.WarnContext(r.Context(), "write error page", "code", p.Code, "error", err)
	}
}

func (w *Writer) pageOf(r *http.Request, p *Problem) templates.Page {
	id := RequestID(r.Context())
	if p.login == nil {
		return templates.ErrorPage{Code: string(p.Code), Status: p.Status, RequestID: id, LoginURL: w.loginLink(r, p)}
	}
	f := p.login.failure
	page := templates.LoginFailed{Kind: string(p.Code), RetryURL: w.retryURL(f), RequestID: id}
	if f.Description != "" || f.Kind == login.ProviderRefused || f.Kind == login.AccessDenied {
		page.ProviderError, page.ProviderSays = f.Code, f.Description
	}
	return page
}

// loginLink is where the general page offers to log in, back to the very page that was asked for;
// "" where logging in would not help.
func (w *Writer) loginLink(r *http.Request, p *Problem) string {
	if p.Status != http.StatusUnauthorized {
		return ""
	}
	if back, ok := login.ValidReturnURL(r.URL.RequestURI(), w.basePath); ok && r.Method == http.MethodGet {
		return w.loginFor(back)
	}
	return p.LoginURL
}

// retryURL starts the same login again.
func (w *Writer) retryURL(f *login.Failure) string {
	q := url.Values{}
	if f.Provider != "" {
		q.Set("provider", f.Provider)
	}
	if f.ReturnURL != "" && f.ReturnURL != "/" {
		q.Set("returnUrl", f.ReturnURL)
	}
	if len(q) == 0 {
		return w.basePath + "/login"
	}
	return w.basePath + "/login?" + q.Encode()
}
