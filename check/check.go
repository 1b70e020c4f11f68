// Package check tests the store, providers and upstreams that a configuration names, and reports
// problems with a remedy for each.
//
// It finds what the file alone can't show: what serve would refuse, a provider whose metadata
// contradicts the configuration or that refuses this client, a store that does not open, an API
// that does not answer. It makes no lasting change.
//
// It reads each provider's public documents. To find out whether client and redirect URI are
// registered, it also sends a token request with an invented code, and an authorization request
// with prompt=none. Its weak point: some providers answer both with the same page, whatever is
// wrong.
package check

import (
	"context"
	"time"

	"github.com/cloakroom/cloakroom/config"
	"github.com/cloakroom/cloakroom/provider"
	"github.com/cloakroom/cloakroom/site"
)

// Status is the result of one finding.
type Status string

// The statuses. Only Wrong makes a check fail.
const (
	OK      Status = "ok"
	Warning Status = "warning"
	Wrong   Status = "wrong"
	Skipped Status = "skipped"
)

// A Finding is one row of a report: what was checked, the result, and the remedy for a problem.
type Finding struct {
	Area   string `json:"area"` // configuration, listener, store, clock, provider, upstream, app
	Name   string `json:"name"`
	Status Status `json:"status"`
	Detail string `json:"detail"`
	Remedy string `json:"remedy,omitempty"`
}

// URIs are the URIs to register for this client at one provider, exactly as they are.
type URIs struct {
	Provider           string `json:"provider"`
	Redirect           string `json:"redirect_uri"`
	PostLogoutRedirect string `json:"post_logout_redirect_uri"`
	BackchannelLogout  string `json:"backchannel_logout_uri"`
	FrontchannelLogout string `json:"frontchannel_logout_uri"`
	JWKS               string `json:"jwks_uri,omitempty"` // only with client_auth private_key_jwt
}

// A Report has the findings of a check.
type Report struct {
	Findings []Finding `json:"findings"`
	Register []URIs    `json:"register"`
}

// OK reports whether no finding is Wrong. Warnings are permitted.
func (r *Report) OK() bool {
	for _, f := range r.Findings {
		if f.Status == Wrong {
			return false
		}
	}
	return true
}

// Options control a check.
type Options struct {
	Version string // version of this program in User-Agent; "" means that of the build information
	Offline bool   // check the configuration file alone, without network access
}

// timeout is the time limit of each request.
const timeout = 5 * time.Second

// Run checks everything that cfg names.
func Run(ctx context.Context, cfg *config.Config, o Options) *Report {
	r := &Report{}
	file := Finding{Area: "configuration", Name: "file", Status: OK, Detail: "has no errors"}
	r.add(file)
	for _, w := range cfg.Warnings {
		file.Status, file.Detail = Warning, w
		r.add(file)
	}
	app, err := site.New(cfg.Site)
	if err != nil { // impossible: config has checked it
		file.Status, file.Detail, file.Remedy = Wrong, err.Error(), "correct what the error names"
		r.add(file)
		return r
	}
	for _, p := range cfg.Providers {
		r.Register = append(r.Register, urisOf(app, p))
	}
	r.add(checkStart(ctx, cfg)...)
	if o.Offline {
		r.add(Finding{
			Area: "configuration", Name: "network", Status: Skipped,
			Detail: "--offline: no store, provider or upstream was checked",
		})
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
		Provider:           p.ID,
		Redirect:           app.RedirectURI(p.ID),
		PostLogoutRedirect: app.PostLogoutRedirectURI(p.ID),
		BackchannelLogout:  app.BackchannelLogoutURI(p.ID),
		FrontchannelLogout: app.FrontchannelLogoutURI(p.ID),
	}
	if p.ClientAuth == "private_key_jwt" {
		u.JWKS = app.JWKSURI(p.ID)
	}
	return u
}

func (r *Report) add(f ...Finding) { r.Findings = append(r.Findings, f...) }
