package proxy

import (
	"net/http"
	"testing"
)

// Each way to tell a forged request has its guard, and a word that is not known has the strictest.
func TestRoutesAreGuardedAsTheyAreConfigured(t *testing.T) {
	p := newTestProxy(t)
	for _, c := range []struct {
		csrf string
		line [2]string
		want bool // let through
	}{
		{CSRFNone, [2]string{"Sec-Fetch-Site", "cross-site"}, true},
		{CSRFHeader, [2]string{"X-Csrf", "1"}, true},
		{CSRFHeader, [2]string{"Sec-Fetch-Site", "same-origin"}, false},
		{CSRFFetchMetadata, [2]string{"Sec-Fetch-Site", "same-origin"}, true},
		{CSRFFetchMetadata, [2]string{"Sec-Fetch-Site", "bogus"}, false},
		{"bogus", [2]string{"Sec-Fetch-Site", "same-origin"}, false},
		{"bogus", [2]string{"X-Csrf", "1"}, true},
		{"", [2]string{"Sec-Fetch-Site", "same-origin"}, false},
		{CSRFNone, [2]string{"Upgrade", "websocket"}, false}, // WS1: without an Origin
	} {
		r := &http.Request{Method: http.MethodPost, Header: http.Header{c.line[0]: {c.line[1]}}}
		if err := p.checkForgery(&route{Route: Route{CSRF: c.csrf}}, r); (err == nil) != c.want {
			t.Errorf("csrf %q with %v: %v, want it let through: %v", c.csrf, c.line, err, c.want)
		}
	}
}
