package proxy

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/handlers"
	"github.com/cloakroom/cloakroom/session"
	"github.com/cloakroom/cloakroom/site"
	"github.com/cloakroom/cloakroom/site/sitetest"
)

// nobody has no session.
type nobody struct{}

func (nobody) FromRequest(*http.Request) (*session.Session, error) { return nil, session.ErrNoSession }

func (nobody) Get(context.Context, session.Name) (*session.Session, error) {
	return nil, session.ErrNoSession
}
func (nobody) Attach(session.Name, func(session.Reason)) func() { return func() {} }
func (nobody) Touch(context.Context, *session.Session)          {}

// newFront is a listener with one open route, /api/, to an API whose certificate is trusted. Callers may speak
// HTTP/1.1 and HTTP/2 without TLS.
func newFront(t *testing.T, api string, certificate *x509.Certificate) *httptest.Server {
	t.Helper()
	return newFrontFor(t, api, certificate, "/api/", nil)
}

// newFrontFor is newFront with another path, and a user who is logged in.
func newFrontFor(t *testing.T, api string, certificate *x509.Certificate, path string, user *alice) *httptest.Server {
	t.Helper()
	target, err := url.Parse(api)
	if err != nil {
		t.Fatal(err)
	}
	var (
		sessions Sessions = nobody{}
		tokens   Tokens
		token    = TokenNone
	)
	if user != nil {
		sessions, tokens, token = user, user, TokenUser
	}
	app := sitetest.New(t, "http://localhost", site.Options{})
	p, err := New(Options{
		Site: app,
		Routes: []Route{{
			Path: path, Upstream: target, Token: token, CSRF: CSRFNone, Timeout: 20 * time.Second,
			Methods: []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"},
		}},
		Sessions: sessions, Tokens: tokens, Fail: handlers.NewErrorWriter(handlers.ErrorOptions{Site: app}).Write,
	})
	if err != nil {
		t.Fatal(err)
	}
	if certificate != nil {
		roots := x509.NewCertPool()
		roots.AddCert(certificate)
		c := p.routes[0].reverse.Transport.(*retrying).next
		c.standard.TLSClientConfig = &tls.Config{RootCAs: roots}
		c.withoutPings.TLSClientConfig = &tls.Config{RootCAs: roots}
	}
	front := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).EnableFullDuplex() // as the server has it
		p.Handler(r.URL.EscapedPath()).ServeHTTP(w, r)
	}))
	front.Config.Protocols = new(http.Protocols)
	front.Config.Protocols.SetHTTP1(true)
	front.Config.Protocols.SetUnencryptedHTTP2(true)
	front.Start()
	t.Cleanup(front.Close)
	return front
}

// overHTTP2 is a client that speaks HTTP/2 without TLS.
func overHTTP2() *http.Client {
	t := &http.Transport{Protocols: new(http.Protocols)}
	t.Protocols.SetUnencryptedHTTP2(true)
	return &http.Client{Transport: t}
}
