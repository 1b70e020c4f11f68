package problem

import (
	"encoding/json"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/cloakroom/cloakroom/session/login"
	"github.com/cloakroom/cloakroom/templates"
)

// Options are what a Writer needs.
type Options struct {
	Pages    *templates.Set
	BasePath string // "/bff"
	Origin   string // the public origin, for the Referer in login_url
}

// A Writer writes problems.
type Writer struct{ Options }

// NewWriter returns a Writer.
func NewWriter(o Options) *Writer { return &Writer{o} }

// details is the body of RFC 9457 §3.
type details struct {
	Type      string `json:"type"`
	Title     string `json:"title"`
	Status    int    `json:"status"`
	Detail    string `json:"detail,omitempty"`
	Code      Code   `json:"code"`
	RequestID string `json:"request_id,omitempty"`
	LoginURL  string `json:"login_url,omitempty"`
}

// EchoErrorHandler is Echo's HTTPErrorHandler.
func (w *Writer) EchoErrorHandler(err error, c echo.Context) {
	if c.Response().Committed {
		Annotate(c.Request().Context(), err)
		return
	}
	w.Write(c.Response(), c.Request(), err)
}

// Write answers err. It must come before anything else was written.
func (w *Writer) Write(rw http.ResponseWriter, r *http.Request, err error) {
	p := From(err)
	Annotate(r.Context(), err)
	h := rw.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Add("Vary", "Sec-Fetch-Mode, Sec-Fetch-Dest, X-Requested-With, Accept")
	for _, name := range []string{"Content-Length", "Content-Encoding", "Etag", "Last-Modified"} {
		h.Del(name) // of the answer that was about to be written
	}
	if p.RetryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(int(math.Ceil(p.RetryAfter.Seconds()))))
	}
	if IsNavigation(r) {
		w.page(rw, r, p)
		return
	}
	body := details{
		Type: "urn:cloakroom:problem:" + string(p.Code), Title: p.Title, Status: p.Status, Detail: p.Detail,
		Code: p.Code, RequestID: RequestID(r.Context()),
	}
	if p.Status == http.StatusUnauthorized {
		body.LoginURL = w.loginURL(r)
	}
	h.Set("Content-Type", "application/problem+json; charset=utf-8")
	rw.WriteHeader(p.Status)
	if r.Method != http.MethodHead {
		_ = json.NewEncoder(rw).Encode(body) // the caller is gone; there is nobody to tell
	}
}

// page answers a person. A failed login says what happened to it; anything else is the general page.
func (w *Writer) page(rw http.ResponseWriter, r *http.Request, p *Problem) {
	lang := w.Pages.Language(r.Header.Get("Accept-Language"))
	var page templates.Page = templates.ErrorPage{
		Code: string(p.Code), Status: p.Status, RequestID: RequestID(r.Context()), LoginURL: w.loginLink(r, p),
	}
	if f := p.Failure; f != nil {
		page = templates.LoginFailed{
			Kind: string(f.Kind), ProviderError: f.Code, ProviderSays: f.Description,
			RetryURL: w.retryURL(f), RequestID: RequestID(r.Context()),
		}
	}
	if err := w.Pages.Write(rw, p.Status, lang, page); err != nil {
		Annotate(r.Context(), err)
	}
}

// loginLink is where the general page offers to log in: only where that would help.
func (w *Writer) loginLink(r *http.Request, p *Problem) string {
	if p.Status != http.StatusUnauthorized {
		return ""
	}
	if back, ok := login.ValidReturnURL(r.URL.RequestURI(), w.BasePath); ok && r.Method == http.MethodGet {
		return w.loginTo(back)
	}
	return w.loginTo("")
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
		return w.BasePath + "/login"
	}
	return w.BasePath + "/login?" + q.Encode()
}

// loginURL is where to log in and come back to the page that the same-origin Referer names. A
// Referer of another origin, or of our own endpoints, is not followed (LS13).
func (w *Writer) loginURL(r *http.Request) string {
	ref, err := url.Parse(r.Header.Get("Referer"))
	if err != nil || !strings.EqualFold(ref.Scheme+"://"+ref.Host, w.Origin) || ref.User != nil {
		return w.loginTo("")
	}
	back, ok := login.ValidReturnURL(ref.RequestURI(), w.BasePath)
	if !ok {
		return w.loginTo("")
	}
	return w.loginTo(back)
}

func (w *Writer) loginTo(back string) string {
	if back == "" {
		return w.BasePath + "/login"
	}
	return w.BasePath + "/login?returnUrl=" + url.QueryEscape(back)
}

// IsNavigation reports whether a browser is loading a page: told by Fetch Metadata, else by the
// absence of X-Requested-With, else by Accept.
func IsNavigation(r *http.Request) bool {
	if mode := r.Header.Get("Sec-Fetch-Mode"); mode != "" {
		return mode == "navigate" && r.Header.Get("Sec-Fetch-Dest") != "empty"
	}
	if r.Header.Get("X-Requested-With") != "" || r.Header.Get("X-CSRF") != "" {
		return false
	}
	for accepted := range strings.SplitSeq(strings.Join(r.Header.Values("Accept"), ","), ",") {
		kind, _, _ := strings.Cut(accepted, ";")
		if kind = strings.ToLower(strings.TrimSpace(kind)); kind == "text/html" || kind == "application/xhtml+xml" {
			return true
		}
	}
	return false
}

// RetryIn is the problem that says when to come back.
func (p *Problem) RetryIn(d time.Duration) *Problem {
	p.RetryAfter = d
	return p
}
