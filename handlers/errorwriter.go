package handlers

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/cloakroom/cloakroom/problem"
	"github.com/cloakroom/cloakroom/requestlog"
	"github.com/cloakroom/cloakroom/site"
	"github.com/cloakroom/cloakroom/templates"
)

// typePrefix and a code make a problem type (RFC 9457 §3.1.1): an identifier, not an address.
const typePrefix = "urn:cloakroom:problem:"

// ErrorOptions are what an ErrorWriter needs. Pages and Site are required.
type ErrorOptions struct {
	Pages  *templates.Set
	Site   *site.Site   // for login URLs
	Logger *slog.Logger // nil means slog.Default
}

// An ErrorWriter writes the answers to errors: problem details (RFC 9457) for programs, and a page
// with the same facts for people. It is safe for concurrent use.
type ErrorWriter struct {
	pages  *templates.Set
	site   *site.Site
	logger *slog.Logger
}

// NewErrorWriter makes an ErrorWriter.
func NewErrorWriter(o ErrorOptions) *ErrorWriter {
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	return &ErrorWriter{pages: o.Pages, site: o.Site, logger: o.Logger}
}

// Write answers r with err, and notes it for the request's log line. The answer is a page for a
// navigation, and problem details otherwise. It keeps cookies that are already set. If an answer
// has already begun, Write adds nothing to it. (net/http omits the body of the answer to HEAD.)
func (w *ErrorWriter) Write(rw http.ResponseWriter, r *http.Request, err error) {
	p := problemOf(err)
	if errors.Is(r.Context().Err(), context.Canceled) {
		p = problem.New(problem.ClientGone).CausedBy(err)
	}
	requestlog.Annotate(r.Context(), p)
	if begun(rw) {
		return
	}
	p = w.completed(p, r)
	errorHeaders(rw.Header(), p)
	if isNavigation(r) || p.Page && !wantsData(r) {
		w.writePage(rw, r, p)
		return
	}
	w.writeJSON(rw, r, p)
}

// EchoErrorHandler is Write as echo.Echo.HTTPErrorHandler.
func (w *ErrorWriter) EchoErrorHandler(err error, c echo.Context) {
	w.Write(c.Response(), c.Request(), err)
}

// begun reports whether the status line was sent. Only Echo's writer knows; it may be anywhere in
// the chain of wrappers.
func begun(rw http.ResponseWriter) bool {
	for {
		if r, ok := rw.(*echo.Response); ok {
			return r.Committed
		}
		wrapper, ok := rw.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			return false
		}
		rw = wrapper.Unwrap()
	}
}

// completed returns p with the login URL. It does not modify p, which may be shared.
func (w *ErrorWriter) completed(p *problem.Problem, r *http.Request) *problem.Problem {
	if p.Status != http.StatusUnauthorized || p.LoginURL != "" {
		return p
	}
	c := *p
	c.LoginURL = withParams(w.site.LoginFrom(r), p.LoginParams)
	return &c
}

// withParams adds params to the query of to.
func withParams(to string, params url.Values) string {
	if len(params) == 0 {
		return to
	}
	separator := "?"
	if strings.Contains(to, "?") {
		separator = "&"
	}
	return to + separator + params.Encode()
}

// errorHeaders sets the headers of an error's answer, and removes those that described the answer
// that it replaces.
func errorHeaders(h http.Header, p *problem.Problem) {
	for _, name := range []string{
		"Content-Length", "Content-Encoding", "Content-Disposition", "Content-Range", "Accept-Ranges",
		"Etag", "Last-Modified", "Expires", "Trailer", "Refresh", "Location",
	} {
		h.Del(name)
	}
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	vary(h, varyOn...)
	if p.RetryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(int(math.Ceil(p.RetryAfter.Seconds()))))
	}
}

// details is the JSON form (RFC 9457 §3); code, request_id and login_url are extensions (§3.2).
type details struct {
	Type      string       `json:"type"`
	Title     string       `json:"title"`
	Status    int          `json:"status"`
	Detail    string       `json:"detail,omitempty"`
	Code      problem.Code `json:"code"`
	RequestID string       `json:"request_id,omitempty"`
	LoginURL  string       `json:"login_url,omitempty"`
}

func (w *ErrorWriter) writeJSON(rw http.ResponseWriter, r *http.Request, p *problem.Problem) {
	rw.Header().Set("Content-Type", "application/problem+json")
	body, err := json.Marshal(details{
		Type: typePrefix + string(p.Code), Title: p.Title, Status: p.Status, Detail: p.Detail, Code: p.Code,
		RequestID: requestlog.ID(r.Context()), LoginURL: p.LoginURL,
	})
	if err != nil { // impossible: only strings and a number
		w.logger.ErrorContext(r.Context(), "write problem details", "error", err)
	}
	rw.Header().Set("Content-Length", strconv.Itoa(len(body)+1))
	rw.WriteHeader(p.Status)
	_, _ = rw.Write(append(body, '\n')) // an error means that the caller hung up
}
