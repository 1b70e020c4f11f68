package admin_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/cloakroom/cloakroom/test/world"
)

// LG9: the admin listener reports health to everyone, and everything else only to holders of the
// token.
func TestAdminListener(t *testing.T) {
	g := world.New(t, "")
	b := g.Browser()
	b.Login()
	b.Get("/api/x")
	admin := g.Browser()
	admin.Get(g.Admin+"/healthz").Want(t, http.StatusOK, "")
	if r := admin.Get(g.Admin + "/readyz"); r.StatusCode != http.StatusOK || !strings.Contains(r.Text, `"ready":true`) {
		t.Errorf("readiness = %d %s", r.StatusCode, r.Text)
	}
	world.Eventually(t, "the call to be counted", func() bool {
		return strings.Contains(admin.Get(g.Admin+"/metrics").Text, "cloakroom_proxied_request_seconds_bucket")
	})
	metrics := admin.Get(g.Admin + "/metrics").Text
	for _, name := range []string{
		`cloakroom_logins_total{outcome="success",provider="main"} 1`, "cloakroom_sessions 1", "cloakroom_revocations_pending 0",
		`cloakroom_proxied_requests_total{route="/api/",status="2xx"} 1`, "cloakroom_proxied_request_seconds_bucket", "cloakroom_renewal",
	} {
		if !strings.Contains(metrics, name) {
			t.Errorf("metrics lack %s", name)
		}
	}
	for _, token := range []string{"", "Bearer wrong", "Basic " + world.AdminToken} {
		admin.Get(g.Admin+"/admin/sessions", "Authorization", token).Want(t, http.StatusUnauthorized, "")
	}
	bearer := []string{"Authorization", "Bearer " + world.AdminToken}
	r := admin.Get(g.Admin+"/admin/sessions?subject=alice", bearer...)
	if r.StatusCode != http.StatusOK || strings.Count(r.Text, `"subject":"alice"`) != 1 {
		t.Errorf("sessions of alice = %d %s", r.StatusCode, r.Text)
	}
	if r := admin.Get(g.Admin+"/admin/sessions", bearer...); strings.Count(r.Text, `"subject"`) != 1 {
		t.Errorf("sessions = %s", r.Text)
	}
	admin.Get(g.Admin+"/admin/providers", bearer...).Want(t, http.StatusOK, "")
	admin.Get(g.Admin+"/admin/revocations", bearer...).Want(t, http.StatusOK, "")
	admin.Do(http.MethodDelete, g.Admin+"/admin/sessions", nil, bearer...).Want(t, http.StatusBadRequest, "bad_request")
	admin.Do(http.MethodDelete, g.Admin+"/admin/sessions/nobody", nil, bearer...).Want(t, http.StatusNotFound, "not_found")
	if r := admin.Do(http.MethodDelete, g.Admin+"/admin/sessions?subject=alice", nil, bearer...); !strings.Contains(r.Text, `"ended":1`) {
		t.Errorf("ending alice's sessions = %d %s", r.StatusCode, r.Text)
	}
	b.Get("/bff/user").Want(t, http.StatusUnauthorized, "")
	b.Get("/healthz", "Accept", "application/json").Want(t, http.StatusNotFound, "not_found") // never on the public listener
	world.Eventually(t, "the refresh token to be dead", func() bool { return len(g.OP.LiveRefreshTokens()) == 0 })
}
