package proxy

import (
	"io"
	"net/http"
)

// trailerCleaner cleans a response's trailers once they are known, which is when its body has been
// read to the end and before the ReverseProxy copies them (PR8).
type trailerCleaner struct {
	io.ReadCloser
	proxy *Proxy
	res   *http.Response
}

// cleanTrailers wraps a response's body. A tunnel's body is also a writer, and must stay one.
func cleanTrailers(p *Proxy, res *http.Response) io.ReadCloser {
	if _, tunnel := res.Body.(io.ReadWriteCloser); tunnel {
		return res.Body
	}
	return &trailerCleaner{res.Body, p, res}
}

// Read implements io.Reader.
func (t *trailerCleaner) Read(b []byte) (int, error) {
	n, err := t.ReadCloser.Read(b)
	if err == io.EOF {
		t.proxy.cleanTrailer(t.res.Trailer)
		if c, ok := t.res.Request.Context().Value(callKey{}).(*call); ok {
			c.dropEchoes(t.res.Trailer)
		}
	}
	return n, err
}

// cleanTrailer is cleanHeader for trailers, where a cookie has no business at all: net/http would send
// the header's own again under an announced name.
func (p *Proxy) cleanTrailer(h http.Header) {
	p.cleanHeader(h)
	delete(h, "Set-Cookie")
}
