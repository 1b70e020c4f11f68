package handlers

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/labstack/echo/v4"

	"github.com/cloakroom/cloakroom/problem"
	"github.com/cloakroom/cloakroom/session"
)

// The router's own errors get codes; other errors keep theirs.
func TestErrorsOfTheRouterGetCodes(t *testing.T) {
	for _, c := range []struct {
		err  error
		want problem.Code
	}{
		{echo.ErrNotFound, problem.NotFound},
		{echo.ErrMethodNotAllowed, problem.MethodNotAllowed},
		{echo.ErrUnsupportedMediaType, problem.BadRequest},
		{echo.ErrStatusRequestEntityTooLarge, problem.RequestTooLarge},
		{echo.ErrTooManyRequests, problem.RateLimited},
		{echo.ErrForbidden, problem.Forbidden},
		{echo.ErrUnauthorized, problem.NotAuthenticated},
		{echo.ErrBadGateway, problem.InternalError},
		{session.ErrNoSession, problem.NotAuthenticated},
		{errors.New("disk on fire"), problem.InternalError},
	} {
		for _, err := range []error{c.err, fmt.Errorf("act thing: %w", c.err)} {
			got := problemOf(err)
			if got.Code != c.want || got.Status != problem.New(c.want).Status || !errors.Is(got, c.err) {
				t.Errorf("problemOf(%v) = %v, want %s and its cause", err, got, c.want)
			}
		}
	}
}

func TestFormErrors(t *testing.T) {
	if got := problemOf(formError(&http.MaxBytesError{Limit: 1})); got.Code != problem.RequestTooLarge {
		t.Errorf("a large form = %s", got.Code)
	}
	got := problemOf(formError(errors.New("invalid URL escape \"%zz\"")))
	if got.Code != problem.BadRequest || strings.Contains(got.Detail, "zz") {
		t.Errorf("a bad form = %+v", got)
	}
}
