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

// guarded are the kinds of token of a route whose API is meant to ask for one.
var guarded = map[string]bool{"user": true, "client": true, "user_or_client": true}

// checkUpstream asks the API for the address that the route's path itself leads to, without a token.
func checkUpstream(ctx context.Context, name string, u *url.URL, wantsToken bool) Finding {
	f := Finding{Area: "upstream", Name: name + " → " + u.Redacted(), Status: OK, Detail: "answers"}
	status, err := ask(ctx, u)
	var certificate *tls.CertificateVerificationError
	switch {
	case errors.As(err, &certificate):
		f.Status, f.Detail = Wrong, fmt.Sprintf("has a certificate that is not trusted: %v", certificate)
		f.Remedy = "add its CA to this system's certificates, and name the host as the certificate does; until then this route answers 502 upstream_unreachable"
	case err != nil:
		f.Status, f.Detail = Wrong, fmt.Sprintf("does not answer: %v", err)
		f.Remedy = "start it, or correct the address in the route; until then this route answers 502 upstream_unreachable"
	case wantsToken && status >= 200 && status < 300:
		f.Status, f.Detail = Warning, fmt.Sprintf("answers %d without a token: whoever reaches it needs no login", status)
		f.Remedy = "have the API check the access token; if only this address is open, all is well"
	case wantsToken && (status == http.StatusUnauthorized || status == http.StatusForbidden):
		f.Detail = fmt.Sprintf("answers %d without a token, as it should", status)
	}
	return f
}

// ask is the status of a GET that follows no redirect.
func ask(ctx context.Context, u *url.URL) (status int, err error) {
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
