// Package provider is one OpenID provider (OP) as this relying party uses it: its metadata and
// keys, client authentication, token requests, userinfo, revocation and the URLs that a browser is
// sent to. Quirks of products are handled here and nowhere above. Tokens are verified in package
// jose, below it.
//
// Requests to the provider follow no redirect, have a timeout, and read answers up to a limit;
// nothing is used before it was checked. The weak point is that of every relying party: whoever
// controls the issuer's name (DNS, certificate) controls the login.
//
// It knows nothing of sessions, cookies or the configuration file.
package provider

import (
	"log/slog"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/semaphore"

	"github.com/cloakroom/cloakroom/provider/jose"
	"github.com/cloakroom/cloakroom/resilience"
	"github.com/cloakroom/cloakroom/secret"
)

const defaultTimeout = 10 * time.Second

// Config says which provider this is and how this service is registered there.
type Config struct {
	ID, Name string // the operator's id (in redirect URIs, metrics) and the name that people see
	// Issuer is compared byte for byte, everywhere. It may be a template with {tenantid} in its
	// path. Tenants then lists the tenants whose users may log in; each is an issuer of its own.
	Issuer       string
	Tenants      []string
	MetadataURL  string // "": below the issuer (OIDC Discovery §4). A template needs it
	ClientID     string
	ClientSecret secret.Value
	// ClientAuth is client_secret_basic, client_secret_post, client_secret_jwt, private_key_jwt,
	// tls_client_auth or none; "" means client_secret_basic.
	ClientAuth string
	// ClientKeyPEM is the private key for private_key_jwt (PEM or one JWK) and tls_client_auth
	// (PEM), and ClientCertPEM the certificate chain for tls_client_auth. If they are empty, New
	// reads the files.
	ClientKeyPEM                         secret.Value
	ClientCertPEM                        string
	ClientKeyFile, ClientCertificateFile string
	// ClientKeyID is the kid of client assertions: "" or thumbprint for the key's thumbprint, none
	// for no kid. ClientAssertionAlg is their algorithm; "" means one that the key can sign with
	// and the metadata lists. A JWK's own kid and alg take precedence.
	ClientKeyID, ClientAssertionAlg string
	// IDTokenAlg is the one algorithm that ID tokens, logout tokens and signed userinfo may have;
	// "" means RS256. It is never taken from metadata.
	IDTokenAlg       string
	TrustedAudiences []string // further audiences that an ID token may name beside ClientID
	// LogoutTokenExp is required (the default) or iat. With iat, a logout token without exp is
	// valid for two minutes from its iat, which Ory Hydra's tokens need.
	LogoutTokenExp string
	// EndSession is auto (the default: where the metadata says), off (browsers are not sent to the
	// provider), or the URL to send browsers to, for providers that announce none. Its query may
	// contain the placeholders {client_id}, {post_logout_redirect_uri}, {state}, {id_token_hint}
	// and {logout_hint}.
	EndSession         string
	RevocationEndpoint string   // in place of the metadata's; "": as the metadata says
	ResponseMode       string   // query or form_post; "" means query
	Scopes             []string // with openid among them; nil: openid, profile, email
	RefreshOff         bool     // never ask for offline_access
	// Userinfo says whether a login asks for the user's claims: UserinfoAuto (also ""), UserinfoOff
	// or UserinfoRequired.
	Userinfo string
	// AuthParams are added to every authorization request. They win over what a caller asked for,
	// except for prompt and the names in AuthorizationRequest.Outranking. An empty value removes
	// the parameter.
	AuthParams                         map[string]string
	RootCAsPEM                         []byte // trusted beside the system's; nil: what CAFile holds
	CAFile                             string
	RedirectURI, PostLogoutRedirectURI string
}

// Options are a Provider's dependencies and limits. The zero value of each field works.
type Options struct {
	Now       func() time.Time      // measures pauses and ages; nil: time.Now
	Shared    func() time.Time      // the replicas' common time, to judge times in tokens by; nil: Now
	Logger    *slog.Logger          // nil: slog.Default
	Metrics   prometheus.Registerer // nil: not registered; several providers may share one
	Transport http.RoundTripper     // nil: its own, with the Config's certificates
	Timeout   time.Duration         // of one request to the provider, body included; 0 means 10 s
	Version   string                // of this product, for User-Agent; "": as the build information says
}

// A Provider talks to one OpenID provider. It is safe for concurrent use. Until Close, a fetch of
// metadata or keys may outlive the request that started it, by Options.Timeout at most.
type Provider struct {
	config   Config
	now      func() time.Time // Options.Shared
	client   *caller          // for all requests but renewals
	auth     clientAuthentication
	issuers  jose.Issuers
	metadata *document[*Metadata]
	keys     *document[[]jose.PublicKey]
	verifier *jose.Verifier
	renewals *bulkhead
	clients  *bulkhead           // client credentials
	logins   *bulkhead           // codes
	userinfo *semaphore.Weighted // slots of logins that ask for claims

	assertion *jose.AssertionKey // nil: this client signs no assertions
}

// New checks c. It sends no request: a provider that is down does not stop the start.
func New(c Config, o Options) (*Provider, error) {
	c, err := c.complete()
	if err != nil {
		return nil, err
	}
	if err := c.readFiles(); err != nil {
		return nil, err
	}
	auth, assertion, err := newClientAuthentication(c)
	if err != nil {
		return nil, err
	}
	o = o.complete()
	forRenewals := o
	if o.Transport == nil {
		if o.Transport, err = newTransport(c); err != nil {
			return nil, err
		}
		if forRenewals.Transport, err = newTransport(c); err != nil {
			return nil, err
		}
	}
	p := &Provider{
		config:    c,
		issuers:   jose.NewIssuers(c.Issuer, c.Tenants),
		now:       o.Shared,
		client:    newCaller(c.ID, o),
		auth:      auth,
		assertion: assertion,
		userinfo:  semaphore.NewWeighted(int64(resilience.Userinfo.Places())),
	}
	p.renewals = newBulkhead(newCaller(c.ID, forRenewals), o.Now)
	p.clients = newBulkhead(p.client, o.Now)
	p.logins = newBulkhead(p.client, o.Now)
	p.metadata = newDocument(o, c.ID, endpointMetadata, p.fetchMetadata)
	p.keys = newDocument(o, c.ID, endpointKeys, p.fetchKeys)
	p.verifier = jose.NewVerifier(p.expectations(), p.keys, o.Now)
	return p, nil
}

// expectations returns what a token of this provider must satisfy.
func (p *Provider) expectations() jose.Expectations {
	return jose.Expectations{
		Issuers:          p.issuers,
		ClientID:         p.config.ClientID,
		TrustedAudiences: p.config.TrustedAudiences,
		Alg:              p.config.IDTokenAlg,
		Secret:           p.config.ClientSecret,
		MaxAge:           p.config.maxAge(),
		LogoutByIssued:   p.config.LogoutTokenExp == "iat",
		Now:              p.now,
	}
}

// Verifier returns the verifier of tokens that the provider has issued.
func (p *Provider) Verifier() *jose.Verifier { return p.verifier }

func (o Options) complete() Options {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Shared == nil {
		o.Shared = o.Now
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.Timeout <= 0 {
		o.Timeout = defaultTimeout
	}
	return o
}

// Close ends fetches of metadata and keys that are under way, and waits for them. Call it after the
// last request. Idle connections are closed by their timeout.
func (p *Provider) Close() {
	p.keys.close() // waits for metadata, too
	p.metadata.close()
}

// ID returns the operator's id of the provider.
func (p *Provider) ID() string { return p.config.ID }

// Name returns the name that people see.
func (p *Provider) Name() string { return p.config.Name }

// Issuer returns the configured issuer, which may be a template: see IssuedBy.
func (p *Provider) Issuer() string { return p.config.Issuer }

// ClientID returns the client_id of this service at the provider.
func (p *Provider) ClientID() string { return p.config.ClientID }

// Config returns the configuration with its defaults filled in. Callers must not change its maps
// and slices.
func (p *Provider) Config() Config { return p.config }
