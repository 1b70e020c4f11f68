package config

import (
	"log/slog"
	"net/http"
	"net/netip"
	"time"

	"github.com/cloakroom/cloakroom/secret"
	"github.com/cloakroom/cloakroom/setting"
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
func schema(c *Config) setting.Block {
	return setting.Block{
		{Name: "server", Value: setting.Block{
			{Name: "public_url", Value: setting.Parsed(&c.Server.PublicURL, origin, setting.URLText)},
			{Name: "listen", Value: setting.Matching(&c.Server.Listen, checkAddress)},
			{Name: "admin_listen", Value: setting.Matching(&c.Server.AdminListen, checkAdminAddress).OrEmpty()},
			{Name: "trusted_proxies", Value: setting.ListOf(&c.Server.TrustedProxies, "[10.0.0.0/8]", func(p *netip.Prefix) setting.Scalar { return setting.Parsed(p, network, netip.Prefix.String) })},
			{Name: "base_path", Value: setting.Matching(&c.Server.BasePath, checkBasePath)},
			{Name: "shutdown_timeout", Value: setting.Positive(&c.Server.ShutdownTimeout)},
			{Name: "drain_delay", Value: setting.OrZero(&c.Server.DrainDelay)},
			{Name: "max_request_body", Value: setting.Bytes(&c.Server.MaxRequestBody)},
			{Name: "request_stall_timeout", Value: setting.Positive(&c.Server.RequestStallTimeout)},
			{Name: "response_stall_timeout", Value: setting.Positive(&c.Server.ResponseStallTimeout)},
		}},
		{Name: "admin", Value: setting.Block{
			{Name: "token", Value: setting.Hidden(&c.Admin.Token, setting.AnyText)},
		}},
		{Name: "log", Value: setting.Block{
			{Name: "level", Value: logLevel(&c.Log.Level)},
			{Name: "format", Value: setting.OneOf(&c.Log.Format, "json", "text")},
		}},
		{Name: "session", Value: sessionSchema(&c.Session)},
		{Name: "providers", Value: setting.Blocks(&c.Providers, "a dash before each provider's id", defaultProvider, providerSchema)},
		{Name: "routes", Value: setting.Blocks(&c.Routes, "a dash before each route's path", defaultRoute, routeSchema)},
		{Name: "spa", Value: setting.Block{
			{Name: "dir", Value: setting.Any(&c.SPA.Dir)},
			{Name: "dev_server", Value: setting.Parsed(&c.SPA.DevServer, devServer, setting.URLText)},
			{Name: "csp", Value: setting.Matching(&c.SPA.CSP, checkCSP)},
		}},
		{Name: "cors", Value: setting.Block{
			{Name: "allowed_origins", Value: setting.ListOf(&c.CORS.AllowedOrigins, "[https://spa.example.com]", func(o *string) setting.Scalar { return setting.Matching(o, checkAllowedOrigin) })},
		}},
		{Name: "forward_auth", Value: setting.Block{
			{Name: "secret", Value: setting.Hidden(&c.ForwardAuth.Secret, checkProxySecret)},
		}},
		{Name: "pages", Value: setting.Block{
			{Name: "templates", Value: setting.Any(&c.Pages.Templates)},
		}},
	}
}

func sessionSchema(s *Session) setting.Block {
	return setting.Block{
		{Name: "store", Value: storeURL(&s.Store)},
		{Name: "keys", Value: setting.ListOf(&s.Keys, `["${CLOAKROOM_KEY}"]`, func(k *secret.Value) setting.Scalar { return setting.Hidden(k, checkKey) })},
		{Name: "lifetime", Value: setting.Positive(&s.Lifetime)},
		{Name: "idle_timeout", Value: setting.OrZero(&s.IdleTimeout)},
		{Name: "revoke_on_backchannel", Value: setting.Bool(&s.RevokeOnBackchannel)},
		{Name: "max_staleness", Value: setting.OrZero(&s.MaxStaleness)},
		{Name: "max_per_user", Value: setting.Number(&s.MaxPerUser)},
		{Name: "cache_memory", Value: setting.Bytes(&s.CacheMemory)},
		{Name: "renewal_lease", Value: setting.Positive(&s.RenewalLease)},
		{Name: "max_event_streams", Value: setting.Number(&s.MaxEventStreams)},
		{Name: "max_websockets", Value: setting.Number(&s.MaxWebSockets)},
		{Name: "expiring_notice", Value: setting.OrZero(&s.ExpiringNotice)},
		{Name: "on_outage", Value: setting.OneOf(&s.OnOutage, "fail", "serve_cached")},
		{Name: "outage_limit", Value: setting.Positive(&s.OutageLimit)},
		{Name: "cookie", Value: setting.Block{
			{Name: "name", Value: setting.Matching(&s.Cookie.Name, checkCookieName)},
			{Name: "same_site", Value: sameSite(&s.Cookie.SameSite)},
		}},
	}
}

func providerSchema(p *Provider) setting.Block {
	return setting.Block{
		{Name: "id", Value: setting.Matching(&p.ID, checkProviderID)},
		{Name: "name", Value: setting.Any(&p.Name)},
		{Name: "issuer", Value: setting.Matching(&p.Issuer, checkIssuer)},
		{Name: "tenants", Value: setting.ListOf(&p.Tenants, "[11111111-2222-3333-4444-555555555555]", func(t *string) setting.Scalar { return setting.Matching(t, checkTenant) })},
		{Name: "metadata_url", Value: setting.Matching(&p.MetadataURL, checkProviderAddress)},
		{Name: "client_id", Value: setting.Any(&p.ClientID)},
		{Name: "client_secret", Value: setting.Hidden(&p.ClientSecret, setting.AnyText)},
		{Name: "client_auth", Value: setting.OneOf(&p.ClientAuth, clientAuths()...)},
		{Name: "client_key_file", Value: setting.Any(&p.ClientKeyFile)},
		{Name: "client_certificate_file", Value: setting.Any(&p.ClientCertificateFile)},
		{Name: "client_key_id", Value: setting.Matching(&p.ClientKeyID, checkKeyID)},
		{Name: "client_assertion_alg", Value: setting.OneOf(&p.ClientAssertionAlg, algs()...)},
		{Name: "id_token_alg", Value: setting.Matching(&p.IDTokenAlg, checkAlg)},
		{Name: "userinfo", Value: setting.OneOf(&p.Userinfo, "auto", "off", "required")},
		{Name: "logout_token_exp", Value: setting.OneOf(&p.LogoutTokenExp, "required", "iat")},
		{Name: "trusted_audiences", Value: setting.ListOf(&p.TrustedAudiences, "[other-client]", func(a *string) setting.Scalar { return setting.Any(a) })},
		{Name: "response_mode", Value: setting.OneOf(&p.ResponseMode, "query", "form_post")},
		{Name: "scopes", Value: setting.ListOf(&p.Scopes, "[openid, profile, email]", func(s *string) setting.Scalar { return setting.Matching(s, setting.CheckScope) })},
		{Name: "refresh", Value: setting.OneOf(&p.Refresh, "auto", "off")},
		{Name: "end_session", Value: setting.Matching(&p.EndSession, checkEndSession)},
		{Name: "revocation_endpoint", Value: setting.Matching(&p.RevocationEndpoint, checkProviderAddress)},
		{Name: "auth_params", Value: setting.Texts{Into: &p.AuthParams, Check: checkAuthParam, Example: "prompt: select_account"}},
		{Name: "ca_file", Value: setting.Any(&p.CAFile)},
	}
}

func routeSchema(r *Route) setting.Block {
	return setting.Block{
		{Name: "path", Value: setting.Matching(&r.Path, checkRoutePath)},
		{Name: "upstream", Value: setting.Parsed(&r.Upstream, upstream, setting.URLText)},
		{Name: "token", Value: setting.OneOf(&r.Token, "user", "client", "user_or_client", "optional", "none")},
		{Name: "csrf", Value: setting.OneOf(&r.CSRF, "header", "fetch-metadata", "none")},
		{Name: "timeout", Value: setting.Positive(&r.Timeout)},
		{Name: "idle_connection_timeout", Value: setting.Positive(&r.IdleConnectionTimeout)},
		{Name: "methods", Value: setting.ListOf(&r.Methods, "[GET, POST]", func(m *string) setting.Scalar { return setting.Matching(m, checkMethod) })},
		{Name: "shared_cache", Value: setting.Bool(&r.SharedCache)},
		{Name: "encoded_slashes", Value: setting.OneOf(&r.EncodedSlashes, "refuse", "allow")},
		{Name: "end_with_token", Value: setting.Bool(&r.EndWithToken)},
		{Name: "require", Value: setting.Block{
			{Name: "acr", Value: setting.Matching(&r.Require.ACR, checkACR)},
			{Name: "max_age", Value: setting.Positive(&r.Require.MaxAge)},
			{Name: "scopes", Value: setting.ListOf(&r.Require.Scopes, "[orders.write]", func(s *string) setting.Scalar { return setting.Matching(s, setting.CheckScope) })},
			{Name: "claims", Value: setting.Texts{Into: &r.Require.Claims, Check: setting.AnyText, Example: "department: sales"}},
		}},
		{Name: "scopes", Value: setting.ListOf(&r.Scopes, "[orders.read]", func(s *string) setting.Scalar { return setting.Matching(s, setting.CheckScope) })},
		{Name: "provider", Value: setting.Matching(&r.Provider, checkProviderID)},
	}
}
