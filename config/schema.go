package config

import (
	"log/slog"
	"net/http"
	"net/netip"
	"time"

	"github.com/cloakroom/cloakroom/provider"
	"github.com/cloakroom/cloakroom/proxy"
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
		{Name: "providers", Value: setting.Blocks(&c.Providers, "a dash before each provider's id", provider.Defaults, (*provider.Config).Keys)},
		{Name: "routes", Value: setting.Blocks(&c.Routes, "a dash before each route's path", proxy.Defaults, (*proxy.Route).Keys)},
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
