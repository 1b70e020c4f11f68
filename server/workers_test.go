package server_test

import (
	"io"
	"net/http"
	"testing"

	"github.com/cloakroom/cloakroom/test/world"
)

// PR5: a service worker acts as the app, whatever policy its script was sent with, and outlives the
// page that registered it. A script of an API may never be one; the app's own files may.
func TestAnAPIsScriptIsNoServiceWorker(t *testing.T) {
	g := world.New(t, "")
	g.API.Respond(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/javascript")
		_, _ = io.WriteString(w, "onfetch = e => e.respondWith(new Response('evil'))")
	})
	b := g.Browser()
	b.Login()
	for _, path := range []string{"/open/sw.js", "/api/sw.js", "/meta/sw.js", "/optional/sw.js"} {
		for _, mark := range [][]string{
			{"Service-Worker", "script"},
			{
				"Sec-Fetch-Dest", "serviceworker",
				"Sec-Fetch-Mode", "same-origin", "Sec-Fetch-Site", "same-origin",
			},
		} {
			b.Get(path, mark...).Want(t, http.StatusForbidden, "forbidden")
		}
	}
	if n := len(g.API.Requests()); n != 0 {
		t.Errorf("requests at the API = %d, want 0", n)
	}
	b.Get("/open/app.js", "Sec-Fetch-Dest", "script").Want(t, http.StatusOK, "")
	b.Get("/index.html", "Service-Worker", "script").Want(t, http.StatusOK, "")
}
