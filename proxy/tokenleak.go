package proxy

import (
	"net/http"
	"slices"

	"github.com/cloakroom/cloakroom/secret"
)

// dropTokens removes every field that holds a token of this call from a response. Some APIs send
// back the headers of the request. It does not search bodies: these are streamed, and a token could
// be split or encoded.
func (c *call) dropTokens(h http.Header) {
	f := c.tokens()
	for name, values := range h {
		if f.In(name) {
			delete(h, name)
			continue
		}
		if slices.ContainsFunc(values, f.In) {
			delete(h, name)
		}
	}
}

// tokens returns a Finder of the call's tokens: the one that the request was sent with, and those
// of the session.
func (c *call) tokens() secret.Finder {
	if c.session == nil {
		return secret.NewFinder(c.accessToken)
	}
	rec := c.session.Record
	return secret.NewFinder(c.accessToken, rec.AccessToken, rec.RefreshToken, rec.IDToken)
}
