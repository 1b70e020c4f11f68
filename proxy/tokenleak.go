package proxy

import (
	"net/http"
	"slices"

	"github.com/cloakroom/cloakroom/secret"
)

// dropTokens removes from what an upstream answers every field that holds a token of this call, as an
// API does that sends back the headers it was sent. What it writes into the body is its own affair: bodies are
// streamed, and nobody can tell a token that was cut up or encoded.
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

// tokens finds those of the call: the one that it was sent with, and those of its session, among them the one that
// an upstream has rejected before.
func (c *call) tokens() secret.Finder {
	if c.session == nil {
		return secret.NewFinder(c.accessToken)
	}
	rec := c.session.Record
	return secret.NewFinder(c.accessToken, rec.AccessToken, rec.RefreshToken, rec.IDToken)
}
