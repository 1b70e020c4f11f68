// Package check tries what a configuration names, and says what is wrong with a remedy.
//
// It finds what the file alone can't show: what serve would refuse, a provider whose metadata
// contradicts the configuration or that refuses this client, a store that does not open, an API that
// nobody listens on. It changes nothing that lasts. A provider is asked for its public documents, and
// sent a code that was made up and an authorization request that may ask nobody anything: what it
// answers tells whether client and redirect URI are registered. Its weak point: some providers show the
// same page whatever is wrong.
package check

import (
	"context"
	"time"

	"github.com/cloakroom/cloakroom/config"
	"github.com/cloakroom/cloakroom/provider"
	"github.com/cloakroom/cloakroom/site"
)

// Status is how a finding stands.
type Status string

// The statuses; only Wrong makes a check fail.
const (
	OK      Status = "ok"
	Warning Status = "warning"
	Wrong   Status = "wrong"
	Skipped Status = "skipped"
)

// A Finding is one row: what was looked at, how it stands, and what to do if it is not well.
type Finding struct {
	Area   string `json:"area"` // configuration, store, clock, provider, upstream, app
	Name   string `json:"name"`
	Status Status `json:"status"`
	Detail string `json:"detail"`
	Remedy string `json:"remedy,omitempty"`
}

// URIs are what has to be registered for this client at one provider, byte for byte.
type URIs struct {
	Provider           string `json:"provider"`
	Redirect           string `json:"redirect_uri"`
	PostLogoutRedirect string `json:"post_logout_redirect_uri"`
	BackchannelLogout  string `json:"backchannel_logout_uri"`
	FrontchannelLogout string `json:"frontchannel_logout_uri"`
	JWKS               string `json:"jwks_uri,omitempty"` // with client_auth private_key_jwt alone
}

// A Report is what a check found.
type Report struct {
	Findings []Finding `json:"findings"`
	Register []URIs    `json:"register"`
}

// OK reports whether nothing is wrong; warnings are not.
func (r *Report) OK() bool {
	for _, f := range r.Findings {
		if f.Status == Wrong {
			return false
		}
	}
	return true
}

// Options say how far a check goes.
type Options struct {
	Version string // of this product, as providers are told it; "": as the build information says
	Offline bool   // ask nobody: what the file says is all that is looked at
}

// timeout bounds each single try.
const timeout = 5 * time.Second

// Run looks at everything cfg names.
func Run(ctx context.Context, cfg *config.Config, o Options) *Report {
	r := &Report{}
	r.add(Finding{Area: "configuration", Name: "file", Status: OK, Detail: "reads without a fault"})
	for _, w := range cfg.Warnings {
		r.add(Finding{Area: "configuration", Name: "file", Status: Warning, Detail: w})
	}
	app, err := site.New(cfg.Site)
	if err != nil { // config refuses what this does
		r.add(Finding{Area: "configuration", Name: "file", Status: Wrong, Detail: err.Error(), Remedy: "correct what it names"})
		return r
	}
	for _, p := range cfg.Providers {
		r.Register = append(r.Register, urisOf(app, p))
	}
	r.add(checkStart(ctx, cfg)...)
	if o.Offline {
		r.add(Finding{Area: "configuration", Name: "network", Status: Skipped, Detail: "--offline: no store, provider or upstream was tried"})
		return r
	}
	r.add(checkListeners(ctx, cfg, app)...)
	r.add(checkStore(ctx, cfg)...)
	for _, p := range cfg.Providers {
		r.add(checkProvider(ctx, app, p, o.Version)...)
	}
	for _, route := range cfg.Proxy.Routes {
		r.add(checkUpstream(ctx, route.Path, route.Upstream, guarded[route.Token]))
	}
	if cfg.SPA.DevServer != nil {
		r.add(checkUpstream(ctx, "spa.dev_server", cfg.SPA.DevServer, false))
	} else {
		r.add(checkApp(cfg.SPA.Dir))
	}
	return r
}

func urisOf(app *site.Site, p provider.Config) URIs {
	u := URIs{
		Provider: p.ID, Redirect: app.RedirectURI(p.ID), PostLogoutRedirect: app.PostLogoutRedirectURI(p.ID),
		BackchannelLogout: app.BackchannelLogoutURI(p.ID), FrontchannelLogout: app.FrontchannelLogoutURI(p.ID),
	}
	if p.ClientAuth == "private_key_jwt" {
		u.JWKS = app.JWKSURI(p.ID)
	}
	return u
}

func (r *Report) add(f ...Finding) { r.Findings = append(r.Findings, f...) }
