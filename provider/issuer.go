package provider

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// metadataURL returns where the metadata is read: as OIDC Discovery §4 says, unless the operator
// says otherwise.
func (c Config) metadataURL() string {
	if c.MetadataURL != "" {
		return c.MetadataURL
	}
	return strings.TrimSuffix(c.Issuer, "/") + "/.well-known/openid-configuration"
}

// onLoopback reports whether the provider is on this machine, so that its endpoints may be http.
func (c Config) onLoopback() bool {
	return strings.HasPrefix(c.Issuer, "http:") || strings.HasPrefix(c.MetadataURL, "http:")
}

// An IssuerError is an ErrMisconfigured: the metadata names an issuer that is not the configured
// one (OIDC Discovery §4.3). Nothing of that metadata is used.
type IssuerError struct {
	Announced, Configured string
	From                  string // where the metadata was read
}

// Error implements error.
func (e *IssuerError) Error() string {
	return fmt.Sprintf("issuer is %.200q in %.200s, the configuration says %.200q",
		e.Announced, e.From, e.Configured)
}

// IssuedBy reports whether iss is exactly this provider's issuer or, with an issuer template, that
// of a listed tenant.
func (p *Provider) IssuedBy(iss string) bool { return p.issuers.Has(iss) }

// MetadataURL returns the address of the provider's metadata.
func (p *Provider) MetadataURL() string { return p.config.metadataURL() }

// Origins returns the origins that a page of the provider's may have, as far as they are known
// without a request: that of the issuer, and those of the endpoints that browsers visit, which can
// be on another host.
func (p *Provider) Origins() []string {
	from := []string{p.config.Issuer, p.config.EndSession}
	if m, known := p.metadata.peek(); known {
		from = append(from, m.AuthorizationEndpoint, m.EndSessionEndpoint)
	}
	var origins []string
	for _, s := range from {
		u, err := url.Parse(s)
		if err != nil || u.Host == "" {
			continue
		}
		if o := u.Scheme + "://" + u.Host; !slices.Contains(origins, o) {
			origins = append(origins, o)
		}
	}
	return origins
}
