package handlers

import (
	"errors"
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/cloakroom/cloakroom/problem"
)

// problemOf is the problem that answers err: the one that err wraps, or the router's.
func problemOf(err error) *problem.Problem {
	if p, known := problem.Of(err); known {
		return p
	}
	if e, ok := errors.AsType[*echo.HTTPError](err); ok {
		return fromEcho(e).CausedBy(err)
	}
	return problem.From(err)
}

// fromEcho maps the router's own errors to problems. It drops their texts: Echo includes messages
// of binders and parsers, which may quote the request.
func fromEcho(e *echo.HTTPError) *problem.Problem {
	switch {
	case e.Code == http.StatusUnauthorized:
		return problem.New(problem.NotAuthenticated)
	case e.Code == http.StatusForbidden:
		return problem.New(problem.Forbidden)
	case e.Code == http.StatusNotFound:
		return problem.New(problem.NotFound)
	case e.Code == http.StatusMethodNotAllowed:
		return problem.New(problem.MethodNotAllowed)
	case e.Code == http.StatusRequestEntityTooLarge:
		return problem.New(problem.RequestTooLarge)
	case e.Code == http.StatusTooManyRequests:
		return problem.New(problem.RateLimited)
	case e.Code >= 400 && e.Code < 500:
		return problem.New(problem.BadRequest)
	}
	return problem.New(problem.InternalError)
}
