// Package problem owns the error codes of docs/endpoints.md, each with its status, title and
// detail. It also finds the code of an error, so that an error has the same answer wherever it
// happens. It knows no other package of this module and writes no responses: package handlers
// writes pages and problem details (RFC 9457).
//
// A client sees only the code and the texts of this service. Texts of other software, tokens and
// addresses stay in Problem.Err, which is only logged.
//
// A package chooses the code of its errors with a Sentinel, or with a method Problem of the error's
// type. The weak point is an error that has neither: it is answered with 500.
package problem

import (
	"net/http"
	"net/url"
	"time"
)

// retryAfter is the default of RetryAfter for 429 and 503.
const retryAfter = 5 * time.Second

// A Problem is the answer to an error. It is itself an error, so that handlers can return it.
type Problem struct {
	Status   int
	Code     Code
	Title    string // constant per code
	Detail   string // constant text or our own names; nothing that a client or provider has sent
	LoginURL string // of a 401; "" if package handlers makes it
	// LoginParams are the parameters of a login URL that package handlers makes.
	LoginParams url.Values
	RetryAfter  time.Duration
	Err         error // for the log; never shown

	// Page answers with a page unless the client clearly wants another type. It is for addresses
	// that only browsers load, whatever their Accept says.
	Page bool
}

// New returns the problem of a code. For an unknown code it is InternalError.
func New(code Code) *Problem {
	w, known := table[code]
	if !known {
		code, w = InternalError, table[InternalError]
	}
	p := &Problem{Status: w.status, Code: code, Title: w.title, Detail: w.detail}
	if p.Status == http.StatusServiceUnavailable || p.Status == http.StatusTooManyRequests {
		p.RetryAfter = retryAfter
	}
	return p
}

// WithDetail replaces the detail that clients see. It must be a constant text.
func (p *Problem) WithDetail(detail string) *Problem {
	p.Detail = detail
	return p
}

// WithRetryAfter sets the time after which the client may try again.
func (p *Problem) WithRetryAfter(wait time.Duration) *Problem {
	p.RetryAfter = wait
	return p
}

// CausedBy sets the error for the log. Clients never see it.
func (p *Problem) CausedBy(err error) *Problem {
	p.Err = err
	return p
}

// Error implements error, for the log.
func (p *Problem) Error() string {
	if p.Err != nil {
		return string(p.Code) + ": " + p.Err.Error()
	}
	return string(p.Code)
}

// Unwrap returns the cause.
func (p *Problem) Unwrap() error { return p.Err }
