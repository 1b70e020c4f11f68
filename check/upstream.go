package check

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/cloakroom/cloakroom/outbound"
)

// guarded are the values of a route's `token` with which its API should require a token.
var guarded = map[string]bool{"user": true, "client": true, "user_or_client": true}

// checkUpstream requests the upstream's URL without a token. needsToken says that the API should
// refuse that.
func checkUpstream(ctx context.Context, name string, u *url.URL, needsToken bool) Finding {
	f := Finding{Area: "upstream", Name: name + " → " + u.Redacted(), Status: OK, Detail: "answers"}
	status, err := get(ctx, u)
	refused := status == http.StatusUnauthorized || status == http.StatusForbidden
	var certificate *tls.CertificateVerificationError
	switch {
	case errors.As(err, &certificate):
		f.Status, f.Detail = Wrong, fmt.Sprintf("has a certificate that is not trusted: %v", certificate)
		f.Remedy = "add its CA to this system's certificates, and use the certificate's host name; " + until502
	case err != nil:
		f.Status, f.Detail = Wrong, fmt.Sprintf("does not answer: %v", err)
		f.Remedy = "start it, or correct the address in the route; " + until502
	case needsToken && status >= 200 && status < 300:
		f.Status = Warning
		f.Detail = fmt.Sprintf("answers %d without a token: whoever reaches it needs no login", status)
		f.Remedy = "have the API check the access token; if only this one path is public, nothing is wrong"
	case needsToken && refused:
		f.Detail = fmt.Sprintf("answers %d without a token, as it should", status)
	}
	return f
}

const until502 = "until then this route answers 502 upstream_unreachable"

// get returns the status of a GET. It follows no redirects.
func get(ctx context.Context, u *url.URL) (status int, err error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return 0, err
	}
	transport := outbound.NewTransport()
	defer transport.CloseIdleConnections()
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return 0, err
	}
	return resp.StatusCode, resp.Body.Close()
}
