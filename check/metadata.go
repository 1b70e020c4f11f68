package check

import (
	"fmt"
	"slices"
	"strings"

	"github.com/cloakroom/cloakroom/provider"
)

// A conflict is something in a provider's metadata that does not fit the configuration.
type conflict struct{ detail, remedy string }

// missingFeatures are features that the provider does not announce.
func missingFeatures(pc provider.Config, m *provider.Metadata) []conflict {
	var found []conflict
	add := func(detail, remedy string) { found = append(found, conflict{detail, remedy}) }
	if m.RevocationEndpoint == "" {
		add("no revocation_endpoint",
			"tokens of ended sessions stay valid there until they expire; set `revocation_endpoint` if there "+
				"is one, or keep the lifetimes of tokens short at the provider")
	}
	if m.EndSessionEndpoint == "" && pc.EndSession == "auto" {
		add("no end_session_endpoint",
			"logout ends the session here, but not the provider's own. Set `end_session` to the provider's "+
				"logout URL, or to off")
	}
	if !m.RefreshTokens() && !pc.RefreshOff {
		add("grant_types_supported lacks refresh_token",
			"sessions are not renewed: an API needs a new login once the access token has expired; write "+
				"`refresh: off`, or have refresh tokens enabled at the provider")
	}
	for _, s := range pc.Scopes {
		if lacks(m.ScopesSupported, s) {
			add(fmt.Sprintf("scope %q is not in scopes_supported", s),
				"drop it from `scopes`, or have it added at the provider")
		}
	}
	return found
}

// contradictions are values in the provider's metadata with which this configuration can't work. A
// list that the metadata omits contradicts nothing.
func contradictions(pc provider.Config, m *provider.Metadata) []conflict {
	var found []conflict
	add := func(detail, remedy string) { found = append(found, conflict{detail, remedy}) }
	const (
		dropRequirement = "have the requirement switched off for this client"
		enableCodeFlow  = "have the authorization code flow enabled at the provider; no other flow is supported here"
	)
	if m.PARRequired {
		add("the provider takes pushed authorization requests alone (RFC 9126), and this version sends none",
			dropRequirement)
	}
	if m.SignedRequestRequired {
		add("the provider takes signed request objects alone (RFC 9101), and this version sends none",
			dropRequirement)
	}
	if lacks(m.ResponseTypesSupported, "code") {
		add("response_types_supported lacks code", enableCodeFlow)
	}
	if lacks(m.GrantTypesSupported, "authorization_code") {
		add("grant_types_supported lacks authorization_code", enableCodeFlow)
	}
	if lacks(m.IDTokenAlgsSupported, pc.IDTokenAlg) {
		add(fmt.Sprintf("the provider signs no ID token with %s", pc.IDTokenAlg),
			"set `id_token_alg` to the one that this client is registered with: "+
				strings.Join(m.IDTokenAlgsSupported, ", "))
	}
	if pc.ResponseMode != "query" && lacks(m.ResponseModesSupported, pc.ResponseMode) {
		add(fmt.Sprintf("response_modes_supported lacks %s", pc.ResponseMode), "leave `response_mode` out")
	}
	return found
}

// doubts are values that the metadata does not list, but that may work nevertheless.
func doubts(pc provider.Config, m *provider.Metadata) []conflict {
	var found []conflict
	if pc.ClientAuth != "none" && lacks(m.TokenAuthMethodsSupported, pc.ClientAuth) {
		found = append(found, conflict{
			fmt.Sprintf("token_endpoint_auth_methods_supported lacks %s", pc.ClientAuth),
			"set `client_auth` to the one that this client is registered with: " +
				strings.Join(m.TokenAuthMethodsSupported, ", "),
		})
	}
	if lacks(m.CodeChallengeMethodsSupported, "S256") {
		found = append(found, conflict{
			"code_challenge_methods_supported lacks S256",
			"have PKCE with S256 enabled at the provider; it is sent in any case",
		})
	}
	return found
}

// lacks reports whether a list is there and does not contain value.
func lacks(list []string, value string) bool {
	return len(list) > 0 && !slices.Contains(list, value)
}
