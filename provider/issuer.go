package provider

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/cloakroom/cloakroom/provider/jose"
)

var tenantName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,252}$`)

// checkIssuer says what is wrong with Issuer, Tenants and MetadataURL; nil when nothing is.
func (c Config) checkIssuer() error {
	switch {
	case !secureURL(c.Issuer, true):
		return fmt.Errorf("issuer %.200q must be an https URL", c.Issuer)
	case c.MetadataURL != "" && !secureURL(c.MetadataURL, true):
		return fmt.Errorf("metadata_url %.200q must be an https URL", c.MetadataURL)
	case !jose.IsTemplate(c.Issuer) && len(c.Tenants) > 0:
		return fmt.Errorf("tenants are listed, and issuer %.200q has no %s", c.Issuer, jose.TenantPlaceholder)
	case !jose.IsTemplate(c.Issuer):
		return nil
	case !isTemplateOfPath(c.Issuer):
		return fmt.Errorf("issuer %.200q may hold %s once, as a segment of its path, and no other brace", c.Issuer, jose.TenantPlaceholder)
	case len(c.Tenants) == 0:
		return fmt.Errorf("issuer %.200q is a template, and no tenants are listed", c.Issuer)
	case c.MetadataURL == "":
		return fmt.Errorf("issuer %.200q is a template, and metadata_url is missing", c.Issuer)
	}
	if i := slices.IndexFunc(c.Tenants, func(t string) bool { return !tenantName.MatchString(t) }); i >= 0 {
		return fmt.Errorf("tenant %.200q is no name of letters, digits, '.', '_' and '-'", c.Tenants[i])
	}
	return nil
}

// isTemplateOfPath reports whether the placeholder is one whole segment of a URL's path, and its only brace.
func isTemplateOfPath(issuer string) bool {
	u, err := url.Parse(issuer)
	return err == nil && strings.Count(issuer, "{") == 1 && strings.Count(issuer, "}") == 1 &&
		slices.Contains(strings.Split(u.Path, "/"), jose.TenantPlaceholder)
}

// metadataURL is where the metadata is read: OIDC Discovery §4 unless the operator says otherwise.
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

// An IssuerError is the ErrMisconfigured of metadata that are another issuer's than the configured one's
// (OIDC Discovery §4.3). Nothing of them is used.
type IssuerError struct {
	Announced, Configured string
	From                  string // where the metadata was read
}

// Error implements error.
func (e *IssuerError) Error() string {
	return fmt.Sprintf("issuer is %.200q in %.200s, the configuration says %.200q", e.Announced, e.From, e.Configured)
}

// IssuedBy reports whether iss is exactly this provider's issuer or, of an issuer template, one that a
// listed tenant makes.
func (p *Provider) IssuedBy(iss string) bool { return p.issuers.Has(iss) }

// MetadataURL is where the provider's metadata is read.
func (p *Provider) MetadataURL() string { return p.config.metadataURL() }

// Origins are those that a page of the provider's may have, as far as is known without asking: of the
// issuer, and of the endpoints that browsers visit, which can be on another host.
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
