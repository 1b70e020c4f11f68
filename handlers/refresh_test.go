package handlers_test

import (
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/test/world"
)

// A session without a refresh token is a valid session: an app that goes by the code sends nobody
// to log in.
func TestRefreshOfASessionWithoutRefreshTokenIsNoLogout(t *testing.T) {
	g := world.NewStage(t)
	cfg := g.Config(g.Port, "sqlite:"+g.DB, "")
	cfg.Providers[0].RefreshOff, cfg.Providers[0].Scopes = true, []string{"openid", "profile", "email"}
	g.Run(cfg)
	b := g.Browser()
	b.Login()
	b.Do(http.MethodPost, "/bff/session/refresh", nil).Want(t, http.StatusConflict, "not_renewable")
	b.Get("/bff/user").Want(t, http.StatusOK, "")
	b.Get("/api/x").Want(t, http.StatusOK, "")
	g.Browser().Do(http.MethodPost, "/bff/session/refresh", nil).Want(t, http.StatusUnauthorized, "not_authenticated")
}

// Retry-After is the real wait: half of the life of the token, at most 30 s.
func TestRefreshSaysWhenTheNextIsDue(t *testing.T) {
	g := world.New(t, "")
	for life, want := range map[time.Duration]int{time.Hour: 30, 20 * time.Second: 10} {
		g.OP.SetTokenLife(life)
		b := g.Browser()
		b.Login()
		b.Do(http.MethodPost, "/bff/session/refresh", nil).Want(t, http.StatusOK, "")
		again := b.Do(http.MethodPost, "/bff/session/refresh", nil)
		again.Want(t, http.StatusTooManyRequests, "rate_limited")
		if wait, err := strconv.Atoi(again.Header.Get("Retry-After")); err != nil || wait > want || wait < want-2 {
			t.Errorf("Retry-After with tokens of %v = %q, want %d", life, again.Header.Get("Retry-After"), want)
		}
	}
}
