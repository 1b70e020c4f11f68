package server_test

import (
	"net/http"
	"strings"
	"testing"
)

// LG9: the admin listener answers health to everyone and the rest to the token.
func TestAdminListener(t *testing.T) {
	g := newRig(t, "")
	b := g.browser()
	b.login()
	b.get("/api/x")
	admin := g.browser()
	admin.get(g.admin+"/healthz").want(t, http.StatusOK, "")
	if r := admin.get(g.admin + "/readyz"); r.StatusCode != http.StatusOK || !strings.Contains(r.body, `"ready":true`) {
		t.Errorf("readiness = %d %s", r.StatusCode, r.body)
	}
	eventually(t, "the call to be counted", func() bool {
		return strings.Contains(admin.get(g.admin+"/metrics").body, "cloakroom_proxied_request_seconds_bucket")
	})
	metrics := admin.get(g.admin + "/metrics").body
	for _, name := range []string{
		`cloakroom_logins_total{outcome="success",provider="main"} 1`, "cloakroom_sessions 1", "cloakroom_revocations_pending 0",
		`cloakroom_proxied_requests_total{route="/api/",status="2xx"} 1`, "cloakroom_proxied_request_seconds_bucket", "cloakroom_renewal",
	} {
		if !strings.Contains(metrics, name) {
			t.Errorf("metrics lack %s", name)
		}
	}
	for _, token := range []string{"", "Bearer wrong", "Basic " + adminToken} {
		admin.get(g.admin+"/admin/sessions", "Authorization", token).want(t, http.StatusUnauthorized, "")
	}
	bearer := []string{"Authorization", "Bearer " + adminToken}
	r := admin.get(g.admin+"/admin/sessions?subject=alice", bearer...)
	if r.StatusCode != http.StatusOK || strings.Count(r.body, `"subject":"alice"`) != 1 {
		t.Errorf("sessions of alice = %d %s", r.StatusCode, r.body)
	}
	if r := admin.get(g.admin+"/admin/sessions", bearer...); strings.Count(r.body, `"subject"`) != 1 {
		t.Errorf("sessions = %s", r.body)
	}
	admin.get(g.admin+"/admin/providers", bearer...).want(t, http.StatusOK, "")
	admin.get(g.admin+"/admin/revocations", bearer...).want(t, http.StatusOK, "")
	admin.do(http.MethodDelete, g.admin+"/admin/sessions", nil, bearer...).want(t, http.StatusBadRequest, "bad_request")
	admin.do(http.MethodDelete, g.admin+"/admin/sessions/nobody", nil, bearer...).want(t, http.StatusNotFound, "not_found")
	if r := admin.do(http.MethodDelete, g.admin+"/admin/sessions?subject=alice", nil, bearer...); !strings.Contains(r.body, `"ended":1`) {
		t.Errorf("ending alice's sessions = %d %s", r.StatusCode, r.body)
	}
	b.get("/bff/user").want(t, http.StatusUnauthorized, "")
	b.get("/healthz", "Accept", "application/json").want(t, http.StatusNotFound, "not_found") // never on the public listener
	eventually(t, "the refresh token to be dead", func() bool { return len(g.op.LiveRefreshTokens()) == 0 })
}
