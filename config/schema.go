package config

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/cloakroom/cloakroom/secret"
)

// defaults are the values of what a file leaves out.
func defaults() *Config {
	return &Config{
		Server: Server{
			Listen: ":8080", AdminListen: "127.0.0.1:9090", BasePath: "/bff",
			ShutdownTimeout: 20 * time.Second, MaxRequestBody: 10 << 20,
		},
		Log: Log{Level: slog.LevelInfo, Format: "json"},
		Session: Session{
			Store: secret.New("sqlite:cloakroom.db"), Lifetime: 12 * time.Hour, IdleTimeout: 30 * time.Minute,
			RevokeOnBackchannel: true, MaxStaleness: 2 * time.Second,
			Cookie: Cookie{Name: "cloakroom", SameSite: http.SameSiteStrictMode},
		},
	}
}

func defaultProvider() Provider {
	return Provider{
		ClientAuth: "client_secret_basic", IDTokenAlg: "RS256", ResponseMode: "query",
		Scopes: []string{"openid", "profile", "email"}, Refresh: "auto",
	}
}

func defaultRoute() Route {
	return Route{
		Token: "user", CSRF: "header", Timeout: 30 * time.Second,
		Methods: []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"},
	}
}

// file is the schema: what may stand where.
func (d *decoder) file(n *yaml.Node) {
	c := d.config
	d.object("", n, fields{
		"server": func(key string, n *yaml.Node) {
			d.object(key, n, fields{
				"public_url": d.url(&c.Server.PublicURL), "listen": d.str(&c.Server.Listen), "admin_listen": d.str(&c.Server.AdminListen),
				"trusted_proxies": d.prefixes(&c.Server.TrustedProxies), "base_path": d.str(&c.Server.BasePath),
				"shutdown_timeout": d.duration(&c.Server.ShutdownTimeout), "max_request_body": d.size(&c.Server.MaxRequestBody),
			})
		},
		"admin": func(key string, n *yaml.Node) { d.object(key, n, fields{"token": d.secret(&c.Admin.Token)}) },
		"log": func(key string, n *yaml.Node) {
			d.object(key, n, fields{"level": d.level(&c.Log.Level), "format": d.oneOf(&c.Log.Format, "json", "text")})
		},
		"session": func(key string, n *yaml.Node) {
			d.object(key, n, fields{
				"store": d.secret(&c.Session.Store), "keys": d.keys, "lifetime": d.duration(&c.Session.Lifetime),
				"idle_timeout": d.duration(&c.Session.IdleTimeout), "revoke_on_backchannel": d.boolean(&c.Session.RevokeOnBackchannel),
				"max_staleness": d.duration(&c.Session.MaxStaleness), "cookie": d.cookie,
			})
		},
		"providers": func(key string, n *yaml.Node) { d.each(key, n, d.provider) },
		"routes":    func(key string, n *yaml.Node) { d.each(key, n, d.route) },
		"spa": func(key string, n *yaml.Node) {
			d.object(key, n, fields{"dir": d.str(&c.SPA.Dir), "dev_server": d.url(&c.SPA.DevServer), "csp": d.str(&c.SPA.CSP)})
		},
		"pages": func(key string, n *yaml.Node) { d.object(key, n, fields{"templates": d.str(&c.Pages.Templates)}) },
	})
}

func (d *decoder) cookie(key string, n *yaml.Node) {
	sameSite := "strict"
	d.object(key, n, fields{
		"name": d.str(&d.config.Session.Cookie.Name), "same_site": d.oneOf(&sameSite, "strict", "lax"),
	})
	if sameSite == "lax" {
		d.config.Session.Cookie.SameSite = http.SameSiteLaxMode
	}
}

func (d *decoder) provider(key string, n *yaml.Node) {
	p := defaultProvider()
	d.object(key, n, fields{
		"id": d.str(&p.ID), "name": d.str(&p.Name), "issuer": d.str(&p.Issuer), "client_id": d.str(&p.ClientID),
		"client_secret":   d.secret(&p.ClientSecret),
		"client_auth":     d.oneOf(&p.ClientAuth, "client_secret_basic", "client_secret_post", "client_secret_jwt", "private_key_jwt", "tls_client_auth", "none"),
		"client_key_file": d.str(&p.ClientKeyFile), "client_certificate_file": d.str(&p.ClientCertificateFile),
		"id_token_alg":      d.oneOf(&p.IDTokenAlg, "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "HS256", "HS384", "HS512"),
		"trusted_audiences": d.list(&p.TrustedAudiences), "response_mode": d.oneOf(&p.ResponseMode, "query", "form_post"),
		"scopes": d.list(&p.Scopes), "refresh": d.oneOf(&p.Refresh, "auto", "off"), "auth_params": d.mapping(&p.AuthParams),
		"ca_file": d.str(&p.CAFile),
	})
	if p.Name == "" {
		p.Name = p.ID
	}
	d.config.Providers = append(d.config.Providers, p)
}

func (d *decoder) route(key string, n *yaml.Node) {
	r := defaultRoute()
	d.object(key, n, fields{
		"path": d.str(&r.Path), "upstream": d.url(&r.Upstream), "timeout": d.duration(&r.Timeout),
		"token":   d.oneOf(&r.Token, "user", "client", "user_or_client", "optional", "none"),
		"csrf":    d.oneOf(&r.CSRF, "header", "fetch-metadata", "none"),
		"methods": d.list(&r.Methods), "shared_cache": d.boolean(&r.SharedCache),
		"scopes": d.list(&r.Scopes), "provider": d.str(&r.Provider),
	})
	d.config.Routes = append(d.config.Routes, r)
}

func (d *decoder) keys(key string, n *yaml.Node) {
	d.hide(n)
	d.each(key, n, func(key string, item *yaml.Node) {
		s, ok := d.text(key, item)
		if !ok {
			return
		}
		if _, err := decodeKey(s); err != nil {
			d.fault(item, key+" is not a key: it must be base64 of 32 bytes", "make one with: cloakroom keygen")
			return
		}
		d.config.Session.Keys = append(d.config.Session.Keys, secret.New(s))
	})
}

func (d *decoder) oneOf(into *string, values ...string) func(string, *yaml.Node) {
	return func(key string, n *yaml.Node) {
		s, ok := d.text(key, n)
		if !ok {
			return
		}
		if slices.Contains(values, s) {
			*into = s
			return
		}
		d.fault(n, fmt.Sprintf("%s can't be %q", key, s), "one of: "+strings.Join(values, ", "))
	}
}

func (d *decoder) level(into *slog.Level) func(string, *yaml.Node) {
	return func(key string, n *yaml.Node) {
		name := "info"
		d.oneOf(&name, "debug", "info", "warn", "error")(key, n)
		_ = into.UnmarshalText([]byte(name)) // each of the four is a level
	}
}

func (d *decoder) url(into **url.URL) func(string, *yaml.Node) {
	return func(key string, n *yaml.Node) {
		s, ok := d.text(key, n)
		if !ok {
			return
		}
		u, err := url.Parse(s)
		switch {
		case err != nil || u.Host == "" || u.Hostname() == "" || u.Scheme != "http" && u.Scheme != "https":
			d.fault(n, key+" must be an absolute http or https URL", "such as https://app.example.com")
		case u.User != nil || u.RawQuery != "" || u.Fragment != "":
			d.hide(n)
			d.fault(n, key+" must have no user name, query or fragment", "leave scheme, host, port and path")
		default:
			*into = u
		}
	}
}

// prefixes reads networks; a single address is a network of one.
func (d *decoder) prefixes(into *[]netip.Prefix) func(string, *yaml.Node) {
	return func(key string, n *yaml.Node) {
		d.each(key, n, func(key string, item *yaml.Node) {
			s, ok := d.text(key, item)
			if !ok {
				return
			}
			p, err := netip.ParsePrefix(s)
			if a, addrErr := netip.ParseAddr(s); err != nil && addrErr == nil {
				p, err = netip.PrefixFrom(a, a.BitLen()), nil
			}
			if err != nil {
				d.fault(item, key+" must be a network or an address", "such as 10.0.0.0/8, fd00::/8 or 192.0.2.7")
				return
			}
			*into = append(*into, p.Masked())
		})
	}
}
