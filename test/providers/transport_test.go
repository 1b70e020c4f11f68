package providers

import (
	"net/http"
	"net/http/httptest"
)

// stopAtLocalhost answers for a relying party that is not there.
type stopAtLocalhost struct{}

func (stopAtLocalhost) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Hostname() == "localhost" {
		w := httptest.NewRecorder()
		w.WriteHeader(http.StatusNoContent)
		return w.Result(), nil
	}
	return http.DefaultTransport.RoundTrip(r)
}
