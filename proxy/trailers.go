package proxy

import (
	"io"
	"net/http"
	"net/http/httputil"
	"net/textproto"
	"slices"
	"strings"

	"golang.org/x/net/http/httpguts"

	"github.com/cloakroom/cloakroom/identity"
)

// forbiddenTrailers are further fields that must not be in a trailer. httpguts allows them, but
// some server or browser uses them in a header, and may merge trailers into headers (RFC 9110
// §6.5.1).
var forbiddenTrailers = set(
	"Cookie", "Cookie2", "Set-Cookie", "Set-Cookie2", "Upgrade", "Http2-Settings", "Via", "Origin",
	"Referer", "Location", "Content-Location", "Content-Security-Policy", "Content-Disposition", "Vary",
)

// allowedInTrailer reports whether a field is forwarded in a trailer, in either direction. It
// refuses credentials, fields about framing, routing, content or the connection, and reserved
// fields, spelled with hyphens or underscores (PX13).
func allowedInTrailer(name string) bool {
	name = identity.Canonical(name)
	_, never := forbiddenTrailers[name]
	return !never && httpguts.ValidTrailerHeader(name) && !reserved(name)
}

// namedByConnection returns the fields that Connection declares hop-by-hop (RFC 9110 §7.6.1).
func namedByConnection(h http.Header) []string {
	var names []string
	for _, line := range h["Connection"] {
		for name := range strings.SplitSeq(line, ",") {
			names = append(names, textproto.CanonicalMIMEHeaderKey(textproto.TrimString(name)))
		}
	}
	return names
}

// announceTrailers adds the client's trailers to the outgoing request. It forwards only fields that
// the client has announced in Trailer. replayBody fills in their values at the end of the body.
// Over HTTP/1.1 a message with trailers can't have a Content-Length (RFC 9112 §7.1.2).
func (c *call) announceTrailers(pr *httputil.ProxyRequest) {
	hop := namedByConnection(pr.In.Header)
	for name := range pr.Out.Trailer {
		if !allowedInTrailer(name) || slices.Contains(hop, name) {
			delete(pr.Out.Trailer, name)
		}
	}
	if len(pr.Out.Trailer) > 0 {
		c.trailer = pr.In.Trailer
		pr.Out.ContentLength = -1
		pr.Out.Header.Del("Content-Length")
	}
}

// A trailerCleaner is a response body that filters the trailers at its end. They are known only
// then, and the ReverseProxy has not copied them yet (PR8).
type trailerCleaner struct {
	io.ReadCloser
	proxy *Proxy
	res   *http.Response
	call  *call
}

// cleanTrailers returns the body of res with filtered trailers. The body of a tunnel is also a
// writer, so it is returned unchanged. Over HTTP/1.1 a response with trailers can't have a
// Content-Length (RFC 9112 §7.1.2), but one that came over HTTP/2 may have.
func cleanTrailers(p *Proxy, res *http.Response, c *call) io.ReadCloser {
	if _, tunnel := res.Body.(io.ReadWriteCloser); tunnel {
		return res.Body
	}
	r := res.Request
	http11 := r.ProtoMajor == 1 && r.ProtoMinor == 1
	if len(res.Trailer) > 0 && http11 && r.Method != http.MethodHead {
		res.ContentLength = -1
		res.Header.Del("Content-Length")
	}
	return &trailerCleaner{res.Body, p, res, c}
}

// Read implements io.Reader.
func (t *trailerCleaner) Read(b []byte) (int, error) {
	n, err := t.ReadCloser.Read(b)
	if err == io.EOF {
		t.proxy.cleanTrailer(t.res.Trailer, t.call)
	} else if err != nil {
		err = t.grpcEnd(err)
	}
	return n, err
}

// cleanTrailer is cleanHeader for trailers. It removes more fields.
func (p *Proxy) cleanTrailer(h http.Header, c *call) {
	p.cleanHeader(h)
	for name := range h {
		if !allowedInTrailer(name) || slices.Contains(c.named, name) {
			delete(h, name)
		}
	}
	c.dropTokens(h)
}
