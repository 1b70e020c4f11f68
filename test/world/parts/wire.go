package parts

import (
	"io"
	"net/http"
	"net/http/httptest"
)

// A Wire carries requests to a handler without a network, which no synctest bubble's clock could wait
// for. A handler that panics cuts the connection.
type Wire struct{ Handler http.Handler }

// RoundTrip implements http.RoundTripper.
func (w Wire) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, whole := httptest.NewRecorder(), make(chan bool, 1)
	go func() {
		defer func() { whole <- recover() == nil }()
		w.Handler.ServeHTTP(answer, r.Clone(r.Context()))
	}()
	select {
	case <-r.Context().Done():
		return nil, r.Context().Err()
	case ok := <-whole:
		if !ok {
			return nil, io.ErrUnexpectedEOF
		}
		return answer.Result(), nil
	}
}
