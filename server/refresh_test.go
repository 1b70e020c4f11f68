package server_test

import (
	"net/http"
	"strconv"
	"testing"
	"time"
)

// A session without a refresh token is as good as any: an app that decides by the code sends nobody away.
func TestRefreshOfASessionWithoutRefreshTokenIsNoLogout(t *testing.T) {
	g := newStage(t)
	cfg := g.config(g.port, "sqlite:"+g.db, "")
	cfg.Providers[0].RefreshOff, cfg.Providers[0].Scopes = true, []string{"openid", "profile", "email"}
	g.run(cfg)
	b := g.browser()
	b.login()
	b.do(http.MethodPost, "/bff/session/refresh", nil).want(t, http.StatusConflict, "not_renewable")
	b.get("/bff/user").want(t, http.StatusOK, "")
	b.get("/api/x").want(t, http.StatusOK, "")
	g.browser().do(http.MethodPost, "/bff/session/refresh", nil).want(t, http.StatusUnauthorized, "not_authenticated")
}

// Retry-After is the wait that is really asked for: half of the token's life, and 30 s at most.
func TestRefreshSaysWhenTheNextIsDue(t *testing.T) {
	g := newRig(t, "")
	for life, want := range map[time.Duration]int{time.Hour: 30, 20 * time.Second: 10} {
		g.op.SetTokenLife(life)
		b := g.browser()
		b.login()
		b.do(http.MethodPost, "/bff/session/refresh", nil).want(t, http.StatusOK, "")
		again := b.do(http.MethodPost, "/bff/session/refresh", nil)
		again.want(t, http.StatusTooManyRequests, "rate_limited")
		if wait, err := strconv.Atoi(again.Header.Get("Retry-After")); err != nil || wait > want || wait < want-2 {
			t.Errorf("Retry-After with tokens of %v = %q, want %d", life, again.Header.Get("Retry-After"), want)
		}
	}
}
