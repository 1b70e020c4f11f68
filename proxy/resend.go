package proxy

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/cloakroom/cloakroom/resilience"
)

// send sends a request, and again what the API says it has not processed: the first time at once.
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

// unprocessed reports whether HTTP/2 guarantees that the API has not processed a request: its stream was
// reset with REFUSED_STREAM, or is above the last one that a GOAWAY names (RFC 9113 §8.7); or it got no
// stream, because the connection was just ending. net/http has no values for these, and where it can't make
// the body anew it wraps their text. What else it wraps (PROTOCOL_ERROR) guarantees nothing. Nothing that the
// API sent stands where it is looked for.
func unprocessed(err error) bool {
	text := err.Error()
	if strings.HasPrefix(text, "http2: Transport received GOAWAY from server ErrCode:") || // a connection's first stream
		text == "net/http: cannot rewind body after connection loss" { // not sent: see keep, it sends nothing again that was
		return true
	}
	cause, wrapped := strings.CutPrefix(text, "http2: Transport: cannot retry err [")
	return wrapped && (strings.HasPrefix(cause, "http2: Transport received Server's graceful shutdown GOAWAY]") ||
		strings.HasPrefix(cause, "stream error: stream ID ") && strings.Contains(cause, "; REFUSED_STREAM"))
}
