package provider

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/cloakroom/cloakroom/provider/jose"
)

// Metadata is what the provider publishes about itself (OIDC Discovery §3). Its issuer and
// endpoints have been checked. It is shared and must not be changed.
type Metadata struct {
	Issuer                string `json:"issuer"`
	AuthorizationEndpoint string `json:"authorization_endpoint"`
	TokenEndpoint         string `json:"token_endpoint"`
	UserinfoEndpoint      string `json:"userinfo_endpoint"`
	JWKSURI               string `json:"jwks_uri"`
	RevocationEndpoint    string `json:"revocation_endpoint"`
	EndSessionEndpoint    string `json:"end_session_endpoint"`

	ScopesSupported               []string `json:"scopes_supported"`
	GrantTypesSupported           []string `json:"grant_types_supported"`
	ResponseTypesSupported        []string `json:"response_types_supported"`
	ResponseModesSupported        []string `json:"response_modes_supported"`
	CodeChallengeMethodsSupported []string `json:"code_challenge_methods_supported"`
	IDTokenAlgsSupported          []string `json:"id_token_signing_alg_values_supported"`
	TokenAuthMethodsSupported     []string `json:"token_endpoint_auth_methods_supported"`
	TokenAuthAlgsSupported        []string `json:"token_endpoint_auth_signing_alg_values_supported"`

	IssParameterSupported             bool `json:"authorization_response_iss_parameter_supported"`
	PARRequired                       bool `json:"require_pushed_authorization_requests"` // RFC 9126 §5
	SignedRequestRequired             bool `json:"require_signed_request_object"`         // RFC 9101 §10.5
	BackchannelLogoutSupported        bool `json:"backchannel_logout_supported"`
	BackchannelLogoutSessionSupported bool `json:"backchannel_logout_session_supported"`
	FrontchannelLogoutSupported       bool `json:"frontchannel_logout_supported"`

	MTLSEndpointAliases struct {
		TokenEndpoint      string `json:"token_endpoint"`
		UserinfoEndpoint   string `json:"userinfo_endpoint"`
		RevocationEndpoint string `json:"revocation_endpoint"`
	} `json:"mtls_endpoint_aliases"` // RFC 8705 §5
}

// Metadata returns what the provider publishes about itself. It is fetched when first needed and
// every hour after that. While the provider is down or sends something unusable, the last good
// document is returned. The error is an ErrUnreachable, or an ErrMisconfigured that names the
// fault.
func (p *Provider) Metadata(ctx context.Context) (*Metadata, error) {
	return p.metadata.get(ctx)
}

// Ready reports whether the metadata is known; it does no I/O.
func (p *Provider) Ready() bool {
	_, known := p.metadata.peek()
	return known
}

// fetchMetadata reads and checks the metadata.
func (p *Provider) fetchMetadata(ctx context.Context) (*Metadata, error) {
	body, err := p.client.get(ctx, endpointMetadata, p.config.metadataURL())
	if err != nil {
		return nil, err
	}
	var m Metadata
	if err := json.Unmarshal(body, &m); err != nil {
		return nil, p.client.unreachable(endpointMetadata, "the answer is not a metadata document", nil)
	}
	if err := m.check(p.config, p.issuers); err != nil {
		return nil, fmt.Errorf("metadata of provider %q: %w: %w", p.config.ID, ErrMisconfigured, err)
	}
	if p.config.ClientAuth == authTLS {
		m.useAliases()
	}
	if p.config.RevocationEndpoint != "" {
		m.RevocationEndpoint = p.config.RevocationEndpoint
	}
	return &m, nil
}

// check refuses the whole document for one fault: an endpoint that breaks the rules means that
// someone else may have written the document.
func (m *Metadata) check(c Config, i jose.Issuers) error {
	// OIDC Discovery §4.3 (MD1): a simple string comparison.
	if !i.Announced(m.Issuer) {
		return &IssuerError{Announced: m.Issuer, Configured: c.Issuer, From: c.metadataURL()}
	}
	loopback := c.onLoopback()
	for _, e := range []struct {
		name, value string
		required    bool
	}{
		{"authorization_endpoint", m.AuthorizationEndpoint, true},
		{"token_endpoint", m.TokenEndpoint, true},
		{"jwks_uri", m.JWKSURI, !jose.IsHMAC(c.IDTokenAlg)},
		{"userinfo_endpoint", m.UserinfoEndpoint, false},
		{"revocation_endpoint", m.RevocationEndpoint, false},
		{"end_session_endpoint", m.EndSessionEndpoint, false},
		{"mtls_endpoint_aliases.token_endpoint", m.MTLSEndpointAliases.TokenEndpoint, false},
		{"mtls_endpoint_aliases.userinfo_endpoint", m.MTLSEndpointAliases.UserinfoEndpoint, false},
		{"mtls_endpoint_aliases.revocation_endpoint", m.MTLSEndpointAliases.RevocationEndpoint, false},
	} {
		switch {
		case e.value == "" && e.required:
			return fmt.Errorf("%s is missing", e.name)
		case e.value != "" && !secureURL(e.value, loopback):
			// MD2: end_session_endpoint becomes a Location header, where javascript: would run.
			return fmt.Errorf("%s %.200q is not an https URL", e.name, e.value)
		}
	}
	return nil
}

// RefreshTokens reports whether the provider may issue refresh tokens: its grant_types_supported
// lists refresh_token or is absent. OIDC Discovery §3 says that an absent list means
// authorization_code and implicit, but providers that do issue refresh tokens leave it out as well.
func (m *Metadata) RefreshTokens() bool {
	return m.GrantTypesSupported == nil || slices.Contains(m.GrantTypesSupported, refreshGrant)
}

// useAliases replaces endpoints with those for mutual TLS (RFC 8705 §5).
func (m *Metadata) useAliases() {
	for _, e := range []struct {
		endpoint *string
		alias    string
	}{
		{&m.TokenEndpoint, m.MTLSEndpointAliases.TokenEndpoint},
		{&m.UserinfoEndpoint, m.MTLSEndpointAliases.UserinfoEndpoint},
		{&m.RevocationEndpoint, m.MTLSEndpointAliases.RevocationEndpoint},
	} {
		if e.alias != "" {
			*e.endpoint = e.alias
		}
	}
}
