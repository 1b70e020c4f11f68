package server_test

import (
	"context"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/handlers"
	"github.com/cloakroom/cloakroom/handlers/admin"
	"github.com/cloakroom/cloakroom/keys"
	"github.com/cloakroom/cloakroom/provider"
	"github.com/cloakroom/cloakroom/proxy"
	"github.com/cloakroom/cloakroom/secret"
	"github.com/cloakroom/cloakroom/session"
	"github.com/cloakroom/cloakroom/session/login"
	"github.com/cloakroom/cloakroom/session/renewal"
	"github.com/cloakroom/cloakroom/session/revocation"
	"github.com/cloakroom/cloakroom/session/store/memory"
	"github.com/cloakroom/cloakroom/site"
	"github.com/cloakroom/cloakroom/site/sitetest"
	"github.com/cloakroom/cloakroom/templates"
)

// Every part works without a clock, a log and a registry for metrics; several times in one process.
func TestPartsNeedNoClockLogAndMetrics(t *testing.T) {
	app, ring := sitetest.New(t, "https://app.example.com", site.Options{}), keys.NewRing(keys.Generate())
	pages, err := templates.Load(templates.Options{})
	must(t, err)
	for range 2 {
		op, err := provider.New(provider.Config{
			ID: "main", Issuer: "https://id.example.com", ClientID: "app", ClientSecret: secret.New("hush"),
			RedirectURI: app.RedirectURI("main"),
		}, provider.Options{})
		must(t, err)
		all := map[string]*provider.Provider{"main": op}
		store := memory.New().Parts()
		sessions, err := session.NewManager(session.Options{Store: store, Keys: ring, Site: app, Lifetime: time.Hour})
		must(t, err)
		defer sessions.Close()
		renewer := renewal.New(renewal.Options{Providers: all, Sessions: sessions})
		renewal.NewClientTokens(renewal.ClientOptions{Providers: all})
		worker := revocation.NewWorker(revocation.Options{Providers: all, Sessions: sessions})
		logins, err := login.New(login.Options{Site: app, Providers: all, Sessions: sessions, Keys: ring})
		must(t, err)
		problems := handlers.NewErrorWriter(handlers.ErrorOptions{Pages: pages, Site: app})
		handlers.New(handlers.Options{
			Site: app, Providers: []*provider.Provider{op}, Sessions: sessions, Login: logins, Tokens: renewer,
			Outbox: worker, Marks: store.Marks, Pages: pages, Keys: ring,
		})
		admin.New(admin.Options{Providers: []*provider.Provider{op}, Sessions: sessions, Outbox: worker, Backlog: store.Outbox})
		_, err = proxy.New(proxy.Options{Site: app, Sessions: sessions, Tokens: renewer, Fail: problems.Write})
		must(t, err)
		must(t, renewer.Close(context.Background()))
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
