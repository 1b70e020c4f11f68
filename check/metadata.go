package check

import (
	"fmt"
	"slices"
	"strings"

	"github.com/cloakroom/cloakroom/provider"
)

// metadataGaps are the features that this provider does not announce: each a pair of what is
// missing and what follows from it.
func metadataGaps(pc provider.Config, m *provider.Metadata) [][2]string {
	var gaps [][2]string
	if m.RevocationEndpoint == "" {
		gaps = append(gaps, [2]string{"no revocation_endpoint", "tokens of ended sessions live on there until they run out; name the endpoint in `revocation_endpoint` if there is one, or keep their lifetimes short at the provider"})
	}
	if m.EndSessionEndpoint == "" && pc.EndSession == "auto" {
		gaps = append(gaps, [2]string{"no end_session_endpoint", "logout ends the session here; the provider's own session goes on. Name the provider's logout address in `end_session`, or write off"})
	}
	if !m.RefreshTokens() && !pc.RefreshOff {
		gaps = append(gaps, [2]string{"grant_types_supported lacks refresh_token", "sessions are not renewed: an API needs a new login when the access token has run out; write `refresh: off`, or have refresh tokens switched on at the provider"})
	}
	if len(m.ScopesSupported) > 0 {
		for _, s := range pc.Scopes {
			if !slices.Contains(m.ScopesSupported, s) {
				gaps = append(gaps, [2]string{fmt.Sprintf("scope %q is not in scopes_supported", s), "drop it from `scopes`, or have it added at the provider"})
			}
		}
	}
	return gaps
}

// contradictions are what the provider's metadata says can't work with the configuration, as {what, what to do}. A list
// that the metadata leaves out says nothing.
func contradictions(pc provider.Config, m *provider.Metadata) [][2]string {
	var found [][2]string
	add := func(what, remedy string) { found = append(found, [2]string{what, remedy}) }
	lacks := func(listed []string, value string) bool { return len(listed) > 0 && !slices.Contains(listed, value) }
	if m.PARRequired {
		add("the provider takes pushed authorization requests alone (RFC 9126), and this version sends none", "have the requirement switched off for this client")
	}
	if m.SignedRequestRequired {
		add("the provider takes signed request objects alone (RFC 9101), and this version sends none", "have the requirement switched off for this client")
	}
	if lacks(m.ResponseTypesSupported, "code") {
		add("response_types_supported lacks code", "have the authorization code flow switched on at the provider; there is no other way to log in here")
	}
	if lacks(m.GrantTypesSupported, "authorization_code") {
		add("grant_types_supported lacks authorization_code", "have the authorization code flow switched on at the provider; there is no other way to log in here")
	}
	if lacks(m.IDTokenAlgsSupported, pc.IDTokenAlg) {
		add(fmt.Sprintf("the provider signs no ID token with %s", pc.IDTokenAlg),
			"set `id_token_alg` to the one that this client is registered with: "+strings.Join(m.IDTokenAlgsSupported, ", "))
	}
	if pc.ResponseMode != "query" && lacks(m.ResponseModesSupported, pc.ResponseMode) {
		add(fmt.Sprintf("response_modes_supported lacks %s", pc.ResponseMode), "leave `response_mode` out")
	}
	return found
}

// doubts are what the metadata does not list and may work all the same, as {what, what to do}.
func doubts(pc provider.Config, m *provider.Metadata) [][2]string {
	var found [][2]string
	if methods := m.TokenAuthMethodsSupported; pc.ClientAuth != "none" && len(methods) > 0 && !slices.Contains(methods, pc.ClientAuth) {
		found = append(found, [2]string{
			fmt.Sprintf("token_endpoint_auth_methods_supported lacks %s", pc.ClientAuth),
			"set `client_auth` to the one that this client is registered with: " + strings.Join(methods, ", "),
		})
	}
	if methods := m.CodeChallengeMethodsSupported; len(methods) > 0 && !slices.Contains(methods, "S256") {
		found = append(found, [2]string{"code_challenge_methods_supported lacks S256", "have PKCE with S256 switched on; it is sent in any case"})
	}
	return found
}
