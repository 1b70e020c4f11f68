// Package problem owns the error codes of docs/endpoints.md: what a caller is told of an error, with
// its status and its words. It also finds the code that an error names, so that one error has one answer
// wherever it happened. It knows no other package of this module, and it writes nothing: pages and
// problem details (RFC 9457) are those of package handlers.
//
// What a caller sees of an error is its code and words of our own. Texts of other software, tokens
// and addresses stay in Problem.Err, which goes to the log and nowhere else.
//
// A package says what its errors are answered with: by a Sentinel, or by a method Problem of the
// error's type. The weak point is an error that does neither: it is answered 500.
package problem

import (
	"net/http"
	"net/url"
	"time"
)

// retryAfter is what a 503 says when nothing better is known.
const retryAfter = 5 * time.Second

// A Problem is one answer to an error. It is an error itself, so that handlers return it.
type Problem struct {
	Status   int
	Code     Code
	Title    string // constant per code
	Detail   string // constant text, or names of our own; nothing of a caller's or a provider's
	LoginURL string // of a 401; empty: whoever writes the answer makes it
	// LoginParams are what a login URL that is made has to ask for.
	LoginParams url.Values
	RetryAfter  time.Duration
	Err         error // for the log; never shown

	// Page has the problem answered with a page unless the caller plainly wants something else: for
	// places that only browsers are sent to, whatever they say in Accept.
	Page bool
}

// New is the problem of that code. A code that nobody entered in the table is an internal error.
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

// CausedBy notes the error for the log. Callers never see it.
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

// Unwrap gives the cause.
func (p *Problem) Unwrap() error { return p.Err }
