package proxy

import (
	"context"
	"errors"
	"net"
	"net/http"

	"github.com/cloakroom/cloakroom/handlers/problem"
	"github.com/cloakroom/cloakroom/provider"
	"github.com/cloakroom/cloakroom/session"
	"github.com/cloakroom/cloakroom/session/renewal"
)

func ambiguousPath() error {
	return problem.New(problem.BadRequest).Because("the path could be read in more than one way: no encoded slashes, backslashes, dot segments, double slashes or control characters, and no other spelling of another route")
}

func tooLarge() error { return problem.New(problem.RequestTooLarge) }

func methodNotAllowed() error { return problem.New(problem.MethodNotAllowed) }

func forged() error { return problem.New(problem.CSRF) }

func unsupportedUpgrade() error {
	return problem.New(problem.BadRequest).Because("only an upgrade to websocket is passed on")
}

// upstreamProblem sorts why an upstream gave no response. A session or renewal that ended on the way
// keeps its own answer.
func upstreamProblem(err error, r *http.Request) error {
	if own := new(problem.Problem); errors.As(err, &own) {
		return own
	}
	var (
		tooMuch *http.MaxBytesError
		timeout net.Error
		over    *streamOver
	)
	switch {
	case errors.Is(err, renewal.ErrRefused), errors.Is(err, session.ErrEnded), errors.Is(err, session.ErrUnavailable),
		errors.Is(err, session.ErrNoSession), errors.Is(err, session.ErrSessionExpired),
		errors.Is(err, provider.ErrUnreachable), errors.Is(err, provider.ErrMisconfigured):
		return err
	case errors.Is(err, errNotKept):
		return problem.New(problem.UpstreamUnreachable).Because("the API has not processed the request, and its body was too large to be kept: send it again").CausedBy(err)
	case errors.As(err, &tooMuch):
		return problem.New(problem.RequestTooLarge).CausedBy(err)
	case errors.As(context.Cause(r.Context()), &over) && over.code == closeSessionOver:
		return problem.New(over.problem()).CausedBy(err)
	case errors.Is(err, errFirstByte), errors.As(err, &timeout) && timeout.Timeout():
		return problem.New(problem.UpstreamTimeout).CausedBy(err)
	}
	return problem.New(problem.UpstreamUnreachable).CausedBy(err)
}
