package cloakroom_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"go.uber.org/goleak"

	"github.com/cloakroom/cloakroom"
	"github.com/cloakroom/cloakroom/proxy"
	"github.com/cloakroom/cloakroom/test/providers/odd"
)

// A request to a provider that does not answer ends with the Service: neither the fetch of metadata
// by a worker nor a token request of a route, whose caller has left, goes on after Close.
func TestCloseWhileAProviderHangs(t *testing.T) {
	for _, endpoint := range []string{odd.Discovery, odd.Token} {
		t.Run(endpoint, func(t *testing.T) {
			h := newHost(t)
			asked := make(chan struct{}, 1)
			h.op.Intercept(endpoint, func(w http.ResponseWriter, r *http.Request, next http.HandlerFunc) {
				asked <- struct{}{}
				odd.Hang(nil)(w, r, next)
			})
			cfg := h.config()
			cfg.Proxy.Routes = []proxy.Route{{
				Path: "/api/", Upstream: &url.URL{Scheme: "http", Host: "127.0.0.1:1"}, Token: proxy.TokenClient,
			}}
			before := goleak.IgnoreCurrent()
			bff := h.service(cfg, cloakroom.Options{})
			leaving, leave := context.WithCancel(t.Context())
			left := make(chan struct{})
			go func() {
				defer close(left)
				r := httptest.NewRequestWithContext(leaving, http.MethodGet, h.origin+"/api/x", nil)
				r.Header.Set("X-CSRF", "1")
				bff.Handler().ServeHTTP(httptest.NewRecorder(), r)
			}()
			<-asked
			leave()
			<-left
			if err := bff.Close(); err != nil {
				t.Errorf("close: %v", err)
			}
			http.DefaultTransport.(*http.Transport).CloseIdleConnections()
			if err := goleak.Find(before); err != nil {
				t.Errorf("after Close: %v", err)
			}
		})
	}
}
