package config

import (
	"log/slog"
	"net/http"
	"net/netip"
	"slices"
	"time"

	"github.com/cloakroom/cloakroom/secret"
)

// defaults are what holds where the file says nothing.
func defaults() *Config {
	return &Config{
		Server: Server{
			Listen: ":8080", AdminListen: "127.0.0.1:9090", BasePath: "/bff",
			ShutdownTimeout: 20 * time.Second, DrainDelay: time.Second, MaxRequestBody: 10 << 20,
			RequestStallTimeout: time.Minute, ResponseStallTimeout: time.Minute,
		},
		Log: Log{Level: slog.LevelInfo, Format: "json"},
		Session: Session{
			Store: secret.New("sqlite:cloakroom.db"), Lifetime: 12 * time.Hour, IdleTimeout: defaultIdleTimeout,
			RevokeOnBackchannel: true, MaxStaleness: 2 * time.Second, MaxPerUser: 10_000, MaxEventStreams: 5_000, MaxWebSockets: 100, CacheMemory: 64 << 20, RenewalLease: 30 * time.Second, ExpiringNotice: time.Minute, OnOutage: "fail", OutageLimit: time.Minute,
			Cookie: Cookie{Name: "cloakroom", SameSite: http.SameSiteStrictMode},
		},
	}
}

const defaultIdleTimeout = 30 * time.Minute

func defaultProvider() Provider {
	return Provider{
		ClientAuth: "client_secret_basic", IDTokenAlg: "RS256", ResponseMode: "query", LogoutTokenExp: "required", Userinfo: "auto",
		Scopes: []string{"openid", "profile", "email"}, Refresh: "auto", EndSession: "auto", ClientKeyID: "thumbprint",
	}
}

func defaultRoute() Route {
	return Route{
		Token: "user", CSRF: "header", Timeout: 30 * time.Second, IdleConnectionTimeout: 4 * time.Second,
		Methods: defaultMethods(), EncodedSlashes: "refuse",
	}
}

func defaultMethods() []string { return []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"} }

// schema is every key of the file and where its value goes.
func schema(c *Config) mapping {
	return mapping{
		{"server", mapping{
			{"public_url", origin(&c.Server.PublicURL)},
			{"listen", matching(&c.Server.Listen, checkAddress)},
			{"admin_listen", orNone(matching(&c.Server.AdminListen, checkAdminAddress))},
			{"trusted_proxies", listOf(&c.Server.TrustedProxies, "[10.0.0.0/8]", func(p *netip.Prefix) node { return network(p) })},
			{"base_path", matching(&c.Server.BasePath, checkBasePath)},
			{"shutdown_timeout", positive(&c.Server.ShutdownTimeout)},
			{"drain_delay", orZero(&c.Server.DrainDelay)},
			{"max_request_body", size(&c.Server.MaxRequestBody)},
			{"request_stall_timeout", positive(&c.Server.RequestStallTimeout)},
			{"response_stall_timeout", positive(&c.Server.ResponseStallTimeout)},
		}},
		{"admin", mapping{
			{"token", hidden(&c.Admin.Token, anything)},
		}},
		{"log", mapping{
			{"level", logLevel(&c.Log.Level)},
			{"format", oneOf(&c.Log.Format, "json", "text")},
		}},
		{"session", sessionSchema(&c.Session)},
		{"providers", blocksOf(&c.Providers, "a dash before each provider's id", defaultProvider, providerSchema)},
		{"routes", blocksOf(&c.Routes, "a dash before each route's path", defaultRoute, routeSchema)},
		{"spa", mapping{
			{"dir", anyText(&c.SPA.Dir)},
			{"dev_server", devServer(&c.SPA.DevServer)},
			{"csp", matching(&c.SPA.CSP, checkCSP)},
		}},
		{"cors", mapping{
			{"allowed_origins", listOf(&c.CORS.AllowedOrigins, "[https://spa.example.com]", func(o *string) node { return matching(o, checkAllowedOrigin) })},
		}},
		{"forward_auth", mapping{
			{"secret", hidden(&c.ForwardAuth.Secret, checkProxySecret)},
		}},
		{"pages", mapping{
			{"templates", anyText(&c.Pages.Templates)},
		}},
	}
}

func sessionSchema(s *Session) mapping {
	return mapping{
		{"store", storeURL(&s.Store)},
		{"keys", listOf(&s.Keys, `["${CLOAKROOM_KEY}"]`, func(k *secret.Value) node { return hidden(k, checkKey) })},
		{"lifetime", positive(&s.Lifetime)},
		{"idle_timeout", orZero(&s.IdleTimeout)},
		{"revoke_on_backchannel", boolean(&s.RevokeOnBackchannel)},
		{"max_staleness", orZero(&s.MaxStaleness)},
		{"max_per_user", count(&s.MaxPerUser)},
		{"cache_memory", size(&s.CacheMemory)},
		{"renewal_lease", positive(&s.RenewalLease)},
		{"max_event_streams", count(&s.MaxEventStreams)},
		{"max_websockets", count(&s.MaxWebSockets)},
		{"expiring_notice", orZero(&s.ExpiringNotice)},
		{"on_outage", oneOf(&s.OnOutage, "fail", "serve_cached")},
		{"outage_limit", positive(&s.OutageLimit)},
		{"cookie", mapping{
			{"name", matching(&s.Cookie.Name, checkCookieName)},
			{"same_site", sameSite(&s.Cookie.SameSite)},
		}},
	}
}

func providerSchema(p *Provider) mapping {
	return mapping{
		{"id", matching(&p.ID, checkProviderID)},
		{"name", anyText(&p.Name)},
		{"issuer", issuer(&p.Issuer)},
		{"tenants", listOf(&p.Tenants, "[11111111-2222-3333-4444-555555555555]", func(t *string) node { return matching(t, checkTenant) })},
		{"metadata_url", matching(&p.MetadataURL, checkProviderAddress)},
		{"client_id", anyText(&p.ClientID)},
		{"client_secret", hidden(&p.ClientSecret, anything)},
		{"client_auth", oneOf(&p.ClientAuth, clientAuths()...)},
		{"client_key_file", anyText(&p.ClientKeyFile)},
		{"client_certificate_file", anyText(&p.ClientCertificateFile)},
		{"client_key_id", matching(&p.ClientKeyID, checkKeyID)},
		{"client_assertion_alg", oneOf(&p.ClientAssertionAlg, algs()...)},
		{"id_token_alg", matching(&p.IDTokenAlg, checkAlg)},
		{"userinfo", oneOf(&p.Userinfo, "auto", "off", "required")},
		{"logout_token_exp", oneOf(&p.LogoutTokenExp, "required", "iat")},
		{"trusted_audiences", listOf(&p.TrustedAudiences, "[other-client]", func(a *string) node { return anyText(a) })},
		{"response_mode", oneOf(&p.ResponseMode, "query", "form_post")},
		{"scopes", listOf(&p.Scopes, "[openid, profile, email]", func(s *string) node { return matching(s, checkScope) })},
		{"refresh", oneOf(&p.Refresh, "auto", "off")},
		{"end_session", matching(&p.EndSession, checkEndSession)},
		{"revocation_endpoint", matching(&p.RevocationEndpoint, checkProviderAddress)},
		{"auth_params", texts{&p.AuthParams, checkAuthParam, "prompt: select_account"}},
		{"ca_file", anyText(&p.CAFile)},
	}
}

func routeSchema(r *Route) mapping {
	return mapping{
		{"path", matching(&r.Path, checkRoutePath)},
		{"upstream", upstream(&r.Upstream)},
		{"token", oneOf(&r.Token, "user", "client", "user_or_client", "optional", "none")},
		{"csrf", oneOf(&r.CSRF, "header", "fetch-metadata", "none")},
		{"timeout", positive(&r.Timeout)},
		{"idle_connection_timeout", positive(&r.IdleConnectionTimeout)},
		{"methods", listOf(&r.Methods, "[GET, POST]", func(m *string) node { return matching(m, checkMethod) })},
		{"shared_cache", boolean(&r.SharedCache)},
		{"encoded_slashes", oneOf(&r.EncodedSlashes, "refuse", "allow")},
		{"end_with_token", boolean(&r.EndWithToken)},
		{"require", mapping{
			{"acr", matching(&r.Require.ACR, checkACR)},
			{"max_age", positive(&r.Require.MaxAge)},
			{"scopes", listOf(&r.Require.Scopes, "[orders.write]", func(s *string) node { return matching(s, checkScope) })},
			{"claims", texts{&r.Require.Claims, func(string) *wrong { return nil }, "department: sales"}},
		}},
		{"scopes", listOf(&r.Scopes, "[orders.read]", func(s *string) node { return matching(s, checkScope) })},
		{"provider", matching(&r.Provider, checkProviderID)},
	}
}

// listOf is a list of single values.
func listOf[T any](into *[]T, example string, item func(*T) node) list {
	return list{
		example: example,
		grow:    func(n int) { *into = make([]T, n) },
		item:    func(i int) node { return item(&(*into)[i]) },
	}
}

// blocksOf is a list of blocks, each with its own defaults.
func blocksOf[T any](into *[]T, example string, fresh func() T, block func(*T) mapping) list {
	return list{
		example: example,
		grow:    func(n int) { *into = slices.Repeat([]T{fresh()}, n) },
		item:    func(i int) node { return block(&(*into)[i]) },
	}
}
