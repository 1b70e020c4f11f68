package jose

import (
	"regexp"
	"strings"
)

// TenantPlaceholder stands for the tenant in an issuer template, spelled as in Microsoft's
// metadata.
const TenantPlaceholder = "{tenantid}"

// An Issuers says who may have issued the tokens of a provider (ID1): the configured issuer or, if
// that is a template, one issuer for each listed tenant. Tokens of other tenants are refused:
// anybody can open a tenant of their own at such a provider. It does not change after NewIssuers.
type Issuers struct {
	configured string
	tenants    map[string]string // tenant by issuer; nil if configured is not a template
}

// NewIssuers returns the issuers of a provider. tenants are used only if configured is a template.
func NewIssuers(configured string, tenants []string) Issuers {
	i := Issuers{configured: configured}
	if IsTemplate(configured) {
		i.tenants = make(map[string]string, len(tenants))
		for _, t := range tenants {
			i.tenants[strings.Replace(configured, TenantPlaceholder, t, 1)] = t
		}
	}
	return i
}

// IsTemplate reports whether an issuer is a template, from which each tenant has its own issuer.
func IsTemplate(issuer string) bool { return strings.ContainsAny(issuer, "{}") }

// Has reports whether iss is exactly one of the issuers.
func (i Issuers) Has(iss string) bool {
	if i.tenants == nil {
		return iss == i.configured
	}
	_, ok := i.tenants[iss]
	return ok
}

// expected returns the one issuer that a token with these claims must have, since go-oidc accepts
// only one: the configured issuer or, with a template, that of the listed tenant which the token
// names.
func (i Issuers) expected(c Object) (iss string, ok bool) {
	if i.tenants == nil {
		return i.configured, true
	}
	iss, err := c.Text("iss")
	_, listed := i.tenants[iss]
	return iss, listed && err == nil
}

// Announced reports whether metadata may name iss (OIDC Discovery §4.3, MD1): it must be equal to
// the configured issuer. If that is a template, metadata may have any placeholder in the same
// place.
func (i Issuers) Announced(iss string) bool {
	return i.Has(iss) ||
		i.tenants != nil && anyPlaceholder.ReplaceAllLiteralString(iss, TenantPlaceholder) == i.configured
}

// signs reports whether a key may sign for the tenant of iss. keyIssuer is the issuer in the key's
// entry of the key set. In Microsoft's sets some keys belong to one tenant, among them the tenant
// of personal accounts.
func (i Issuers) signs(keyIssuer, iss string) bool {
	return keyIssuer == "" || anyPlaceholder.ReplaceAllLiteralString(keyIssuer, i.tenants[iss]) == iss
}

var anyPlaceholder = regexp.MustCompile(`\{[A-Za-z_-]+\}`)
