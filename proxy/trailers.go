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

// forbiddenTrailers are fields that httpguts would let pass in a trailer, and that mean something to somebody in a
// header: a server that merges the two would take the trailer's (RFC 9110 §6.5.1).
var forbiddenTrailers = set("Cookie", "Cookie2", "Set-Cookie", "Set-Cookie2", "Upgrade", "Http2-Settings", "Via", "Origin", "Referer",
	"Location", "Content-Location", "Content-Security-Policy", "Content-Disposition", "Vary")

// allowedInTrailer reports whether a field may pass in a trailer, in either direction: no credentials, nothing of framing,
// routing, content or the connection, and nothing that this service asserts, whether it is spelled with hyphens
// or underscores (PX13).
func allowedInTrailer(name string) bool {
	name = identity.Canonical(name)
	_, never := forbiddenTrailers[name]
	return !never && httpguts.ValidTrailerHeader(name) && !reserved(name)
}

// namedByConnection are the fields that a message's sender calls hop-by-hop (RFC 9110 §7.6.1).
func namedByConnection(h http.Header) []string {
	var names []string
	for _, line := range h["Connection"] {
		for name := range strings.SplitSeq(line, ",") {
			names = append(names, textproto.CanonicalMIMEHeaderKey(textproto.TrimString(name)))
		}
	}
	return names
}

// announceTrailers has the outgoing request bear the caller's trailers. Only what the caller has announced in
// Trailer is passed on; the values are there once the body has been read (kept). A trailer needs a body without
// a length over HTTP/1.1 (RFC 9112 §7.1.2).
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

// trailerCleaner cleans a response's trailers once they are known, which is when its body has been
// read to the end and before the ReverseProxy copies them (PR8).
type trailerCleaner struct {
	io.ReadCloser
	proxy *Proxy
	res   *http.Response
	call  *call
}

// cleanTrailers wraps a response's body. A tunnel's body is also a writer, and must stay one. Over HTTP/1.1 an
// answer with trailers can't have a length (RFC 9112 §7.1.2); an API that speaks HTTP/2 may have sent one.
func cleanTrailers(p *Proxy, res *http.Response, c *call) io.ReadCloser {
	if _, tunnel := res.Body.(io.ReadWriteCloser); tunnel {
		return res.Body
	}
	if r := res.Request; len(res.Trailer) > 0 && r.ProtoMajor == 1 && r.ProtoMinor == 1 && r.Method != http.MethodHead {
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

// cleanTrailer is cleanHeader for trailers, where less may pass.
func (p *Proxy) cleanTrailer(h http.Header, c *call) {
	p.cleanHeader(h)
	for name := range h {
		if !allowedInTrailer(name) || slices.Contains(c.named, name) {
			delete(h, name)
		}
	}
	c.dropTokens(h)
}
