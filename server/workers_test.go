package server_test

import (
	"io"
	"net/http"
	"testing"
)

// PR5: a service worker acts as the app, whatever policy comes with its script, and stays when whoever registered it is
// gone. An API's script is never one; the app's own files may be.
func TestAnAPIsScriptIsNoServiceWorker(t *testing.T) {
	g := newRig(t, "")
	g.api.respond(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/javascript")
		_, _ = io.WriteString(w, "onfetch = e => e.respondWith(new Response('evil'))")
	})
	b := g.browser()
	b.login()
	for _, path := range []string{"/open/sw.js", "/api/sw.js", "/meta/sw.js", "/optional/sw.js"} {
		for _, mark := range [][]string{{"Service-Worker", "script"}, {"Sec-Fetch-Dest", "serviceworker", "Sec-Fetch-Mode", "same-origin", "Sec-Fetch-Site", "same-origin"}} {
			b.get(path, mark...).want(t, http.StatusForbidden, "forbidden")
		}
	}
	if n := len(g.api.requests()); n != 0 {
		t.Errorf("requests at the API = %d, want 0", n)
	}
	b.get("/open/app.js", "Sec-Fetch-Dest", "script").want(t, http.StatusOK, "")
	b.get("/index.html", "Service-Worker", "script").want(t, http.StatusOK, "")
}
