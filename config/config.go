// Package config reads the configuration file into typed values.
//
// Every fault of the file is found in one reading, and each is told with its place, the line and a
// remedy. What comes out are values only: nothing is opened, dialled or looked up, so a file that
// reads without a fault may still name a provider that is down. A line that is quoted in a fault can
// hold a secret; source.go and mask.go keep it out of the message.
package config

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"time"

	"github.com/cloakroom/cloakroom/provider"
	"github.com/cloakroom/cloakroom/proxy"
	"github.com/cloakroom/cloakroom/secret"
)

// maxFile bounds the configuration file and each file that a ${file:…} names.
const maxFile = 1 << 20

// Config is the whole file, defaults filled in. It is not changed after Parse has returned it.
type Config struct {
	Server      Server
	Admin       Admin
	Log         Log
	Session     Session
	Providers   []provider.Config // at least one, in the operator's order
	Routes      []proxy.Route
	SPA         SPA
	CORS        CORS
	ForwardAuth ForwardAuth
	Pages       Pages
}

// Server is where and how the service listens.
type Server struct {
	PublicURL       *url.URL // scheme and host alone, lower case, without a default port
	Listen          string
	AdminListen     string // "" means that there is no admin listener
	TrustedProxies  []netip.Prefix
	BasePath        string // begins with a slash and does not end with one
	ShutdownTimeout time.Duration
	DrainDelay      time.Duration // between failing readiness and taking no more connections
	MaxRequestBody  int64         // bytes; 0 means unlimited
	// How long a caller may go on without a byte while its request's body is waited for, and while an answer waits
	// for it.
	RequestStallTimeout, ResponseStallTimeout time.Duration
}

// Admin is how the admin API is guarded.
type Admin struct {
	Token secret.Value // the zero value means that there is no admin API
}

// Log is what is logged and how.
type Log struct {
	Level  slog.Level
	Format string // json or text
}

// Session is how long sessions last and where they are kept.
type Session struct {
	Store               secret.Value   // a URL, which may hold a password
	Keys                []secret.Value // each as keys.Parse reads it
	Lifetime            time.Duration
	IdleTimeout         time.Duration // 0 means none; never longer than Lifetime
	RevokeOnBackchannel bool
	MaxStaleness        time.Duration // 0 means that the store is read every time
	MaxPerUser          int           // sessions of one user at one provider; 0: any number
	CacheMemory         int64         // bytes; of opened records
	RenewalLease        time.Duration // how long a replica that died while renewing keeps the others from it
	MaxEventStreams     int           // of one session, at one replica; 0: any number
	MaxWebSockets       int           // the same for WebSockets to routes
	ExpiringNotice      time.Duration // how long before a session's end its apps are told; 0: not
	OnOutage            string        // fail or serve_cached
	OutageLimit         time.Duration // how long serve_cached goes on
	Cookie              Cookie
}

// Cookie is the session cookie.
type Cookie struct {
	Name     string // without its prefix; see site.Site.SessionCookie
	SameSite http.SameSite
}

// SPA is the app that is served: from a folder, by a development server, or not at all.
type SPA struct {
	Dir       string
	DevServer *url.URL // nil unless configured
	CSP       string   // "" means the default of package web
}

// CORS is whose pages may call the service beside those of the public origin.
type CORS struct {
	AllowedOrigins []string // scheme://host[:port], as browsers send them; of the public origin's site
}

// ForwardAuth is for reverse proxies that ask GET /bff/auth.
type ForwardAuth struct {
	Secret secret.Value // what a proxy proves itself by, so that it gets access tokens; the zero value: none does
}

// Pages are the service's own pages.
type Pages struct {
	Templates string // a folder whose files override the embedded templates; "" means none
}

// Load reads the file at path, with the process's environment. The error is *Faults when the file
// could be read but is wrong.
func Load(path string) (*Config, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read the configuration: %w", err)
	}
	defer func() { _ = f.Close() }() // only read from
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("read the configuration: %w", err)
	}
	return Parse(path, data, os.LookupEnv)
}

// Parse reads the text of a configuration file; name is what faults call it. ${NAME} is asked of env,
// ${file:PATH} of the file system, relative paths from the working directory. The error is always
// *Faults.
func Parse(name string, data []byte, env func(string) (string, bool)) (*Config, error) {
	src, root := readYAML(data)
	r := &reader{src: src, env: env, places: make(map[string]place), meant: make(map[string]bool)}
	c := defaults()
	if len(src.faults) == 0 {
		r.read(c, root)
	}
	if faults := append(src.faults, r.faults...); len(faults) > 0 {
		return nil, newFaults(name, src, faults)
	}
	return c, nil
}
