package proxy

import (
	"context"
	"errors"
	"net"
	"net/http"

	"github.com/cloakroom/cloakroom/problem"
)

func ambiguousPath() error {
	return problem.New(problem.BadRequest).
		WithDetail("the path could be read in more than one way: no encoded slashes, backslashes, " +
			"dot segments, double slashes or control characters, and no other spelling of another route")
}

func tooLarge() error { return problem.New(problem.RequestTooLarge) }

func methodNotAllowed() error { return problem.New(problem.MethodNotAllowed) }

func forged() error { return problem.New(problem.CSRF) }

func unsupportedUpgrade() error {
	return problem.New(problem.BadRequest).WithDetail("only an upgrade to websocket is passed on")
}

// upstreamProblem returns the problem for a request without a response. If err already names a
// problem, as after a refused renewal, it returns that.
func upstreamProblem(err error, r *http.Request) error {
	if own, known := problem.Of(err); known {
		return own
	}
	var (
		timeout net.Error
		over    *streamEnd
	)
	switch {
	case errors.Is(err, errNotReplayable):
		return problem.New(problem.UpstreamUnreachable).CausedBy(err).
			WithDetail("the API has not processed the request, and its body was too large to be kept: " +
				"send it again")
	case errors.As(context.Cause(r.Context()), &over) && over.code == closeSessionEnded:
		return problem.New(over.problem()).CausedBy(err)
	case errors.Is(err, errFirstByte), errors.As(err, &timeout) && timeout.Timeout():
		return problem.New(problem.UpstreamTimeout).CausedBy(err)
	}
	return problem.New(problem.UpstreamUnreachable).CausedBy(err)
}
