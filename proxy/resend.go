package proxy

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/cloakroom/cloakroom/resilience"
)

// send sends a request. If the API says that it has not processed the request, send tries again:
// the first time at once, then after the pauses of the policy.
func (t *retrying) send(r *http.Request, body *replayBody, clock *apiClock) (*http.Response, error) {
	policy := resilience.UnprocessedRequest
	for sent := 1; ; sent++ {
		res, err := t.next.RoundTrip(clock.watch(r))
		if err == nil || sent == policy.Tries() || !unprocessed(err) {
			return res, err
		}
		if sent > 1 && !resilience.Sleep(r.Context(), policy.Pauses().After(sent-1)) {
			return nil, err
		}
		r = r.WithContext(r.Context())
		if gone := body.attach(r); gone != nil {
			return nil, fmt.Errorf("%w: %w", gone, err)
		}
	}
}

// unprocessed reports whether HTTP/2 guarantees that the API has not processed a request (RFC 9113
// §8.7): its stream was reset with REFUSED_STREAM, its id is above the last one of a GOAWAY, or it
// got no stream because the connection was closing. net/http has no error values for these, so the
// texts are compared. If net/http could not rewind the body, it wraps the text; other errors that
// it wraps (PROTOCOL_ERROR) guarantee nothing. No part of a text that is compared comes from the
// API.
func unprocessed(err error) bool {
	text := err.Error()
	firstStream := strings.HasPrefix(text, "http2: Transport received GOAWAY from server ErrCode:")
	notSent := text == "net/http: cannot rewind body after connection loss" // see prepareResend
	if firstStream || notSent {
		return true
	}
	cause, wrapped := strings.CutPrefix(text, "http2: Transport: cannot retry err [")
	goAway := strings.HasPrefix(cause, "http2: Transport received Server's graceful shutdown GOAWAY]")
	refused := strings.HasPrefix(cause, "stream error: stream ID ") && strings.Contains(cause, "; REFUSED_STREAM")
	return wrapped && (goAway || refused)
}
