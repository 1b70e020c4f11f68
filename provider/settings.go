package provider

import (
	"slices"

	"github.com/cloakroom/cloakroom/provider/jose"
	"github.com/cloakroom/cloakroom/setting"
)

// Defaults is a provider of which the operator has said nothing.
func Defaults() Config {
	return Config{
		ClientAuth: "client_secret_basic", ClientKeyID: "thumbprint", IDTokenAlg: "RS256",
		LogoutTokenExp: "required", ResponseMode: "query", Scopes: []string{"openid", "profile", "email"},
		Userinfo: UserinfoAuto, EndSession: endSessionAuto,
	}
}

// Settings are the keys of one provider.
func (c *Config) Settings() setting.Block {
	return slices.Concat(c.registrationKeys(), c.clientKeys(), c.loginKeys(), c.endpointKeys())
}

func (c *Config) registrationKeys() setting.Block {
	return setting.Block{
		{
			Name: "id", Value: setting.Matching(&c.ID, checkID),
			Doc: "A short name for the provider: a–z, 0–9 and `-`, at most 64, each once. Part of the " +
				"redirect URI, so changing it means registering anew",
			Default: "required",
			Example: []string{"main", "partners", "staff"},
		},
		{
			Name: "name", Value: setting.String(&c.Name),
			Doc:     "What the login page calls it",
			Default: "the id",
			Example: []string{"Example Login", "Partners", "Staff"},
		},
		{
			Name: "issuer", Value: setting.Matching(&c.Issuer, checkIssuer),
			Doc: "The issuer, spelled exactly as in the provider's metadata. It is https, or http on this " +
				"machine. It may be a template for a provider of many tenants, with `{tenantid}` once, " +
				"for a whole segment of its path; each tenant of `tenants` is then an issuer of its own",
			Default: "required",
			Example: []string{"https://id.example.com", "https://login.partner.example/realms/acme", "https://login.staff.example/{tenantid}/v2.0"},
		},
		{
			Name: "tenants", Value: setting.ListOf(&c.Tenants, "[11111111-2222-3333-4444-555555555555]", setting.Each(checkTenant)),
			Doc: "With an issuer that is a template: the tenants whose users may log in, as the provider's " +
				"tokens spell them (at Microsoft the id, in lower case). None listed is a fault: anybody " +
				"can open a tenant of their own",
			Example: []string{"", "", "[3f1c6f0e-8d5a-4a52-9a55-0d9f3c1b7a11, 9b2d7c44-12aa-4f7e-8f0e-6a1e5c2d9b02]"},
		},
		{
			Name: "metadata_url", Value: setting.Matching(&c.MetadataURL, checkAddress),
			Doc: "Where the provider's metadata is, if not below the issuer. Needed with a template. What " +
				"it says as `issuer` must still be `providers.issuer`. It is https, or http on this " +
				"machine, and the endpoints may then be http there, too",
			Default: "the issuer, then `/.well-known/openid-configuration`",
			Example: []string{"", "", "https://login.staff.example/organizations/v2.0/.well-known/openid-configuration"},
		},
		{
			Name: "client_id", Value: setting.String(&c.ClientID),
			Doc:     "The name that this client is registered under",
			Default: "required",
			Example: []string{"spa-bff", "spa-bff", "spa-bff"},
		},
	}
}

func (c *Config) clientKeys() setting.Block {
	return setting.Block{
		{
			Name: "client_secret", Value: setting.Hidden(&c.ClientSecret, setting.AnyText),
			Doc: "The client's secret. The three `client_secret_…` methods need it, and so does an HS " +
				"algorithm; with the others it is a fault",
			Example: []string{"${CLIENT_SECRET}"},
		},
		{
			Name: "client_auth", Value: setting.OneOf(&c.ClientAuth, clientAuths()...),
			Doc: "How this client authenticates: `client_secret_basic`, `client_secret_post`, " +
				"`client_secret_jwt`, `private_key_jwt`, `tls_client_auth`, `none`. Exactly this one is " +
				"tried. `none` is warned about: anybody can use such a client's codes and refresh tokens",
			Example: []string{"client_secret_basic", "tls_client_auth", "private_key_jwt"},
		},
		{
			Name: "client_key_file", Value: setting.String(&c.ClientKeyFile),
			Doc: "A file with the private key, for `private_key_jwt` (PEM or one JWK) and " +
				"`tls_client_auth` (PEM)",
			Example: []string{"", "/run/secrets/partners-key.pem", "/run/secrets/staff-key.pem"},
		},
		{
			Name: "client_certificate_file", Value: setting.String(&c.ClientCertificateFile),
			Doc:     "A file with the certificate (PEM), for `tls_client_auth`",
			Example: []string{"", "/etc/cloakroom/partners-cert.pem"},
		},
		{
			Name: "client_key_id", Value: setting.Matching(&c.ClientKeyID, checkKeyID),
			Doc: "The `kid` of client assertions, with `private_key_jwt`: `thumbprint`, `none` or the " +
				"`kid` itself. `thumbprint` is the key's own (RFC 7638, SHA-256). `none` is for a " +
				"provider that knows the key without a `kid` and refuses any. A JWK's own `kid` wins",
			Example: []string{"", "", "2026-11"},
		},
		{
			Name: "client_assertion_alg", Value: setting.OneOf(&c.ClientAssertionAlg, jose.Algorithms()...),
			Doc: "The algorithm of client assertions, with `private_key_jwt` and `client_secret_jwt`. Left " +
				"out, the first that the key can sign with and the provider lists " +
				"(`token_endpoint_auth_signing_alg_values_supported`): for RSA keys of RS256, PS256, " +
				"RS384, PS384, RS512, PS512; for secrets of HS256, HS384, HS512; an elliptic curve has " +
				"one. A provider that lists none gets the first. A JWK's own `alg` wins",
			Default: "see right",
			Example: []string{"", "", "PS256"},
		},
	}
}

func (c *Config) loginKeys() setting.Block {
	return setting.Block{
		{
			Name: "id_token_alg", Value: algorithm(&c.IDTokenAlg),
			Doc: "The one algorithm that this client is registered with, for ID tokens and logout tokens: " +
				"RS, PS, ES or HS with 256, 384 or 512, or `EdDSA`. Never taken from metadata; `none` is " +
				"refused; HS needs a client secret",
			Example: []string{"RS256", "PS256"},
		},
		{
			Name: "logout_token_exp", Value: setting.OneOf(&c.LogoutTokenExp, "required", "iat"),
			Doc: "Whether a logout token (back-channel logout) needs an `exp`: `required` or `iat`. " +
				"`required`: one without is refused. `iat`: it is good for two minutes from its `iat`; " +
				"for a provider that never sends `exp`, such as Ory Hydra. An `exp` that is there is " +
				"checked either way",
			Example: []string{"required"},
		},
		{
			Name: "trusted_audiences", Value: setting.ListOf(&c.TrustedAudiences, "[other-client]", setting.String),
			Doc:     "Further audiences that an ID token may have. One with any other is refused",
			Example: []string{"[reports]"},
		},
		{
			Name: "response_mode", Value: setting.OneOf(&c.ResponseMode, "query", "form_post"),
			Doc: "How the provider sends the code back: `query` or `form_post`. The latter needs an https " +
				"`public_url`: that attempt's cookie is `SameSite=None`",
			Example: []string{"query"},
		},
		{
			Name: "scopes", Value: setting.ListOf(&c.Scopes, "[openid, profile, email]", setting.Each(setting.CheckScope)),
			Doc: "What is asked for; must hold `openid`. `offline_access` is added by itself where " +
				"`refresh` needs it and the provider lists it, unless its `grant_types_supported` is " +
				"there and lacks `refresh_token`",
			Example: []string{"[openid, profile, email]"},
		},
		{
			Name: "userinfo", Value: setting.OneOf(&c.Userinfo, UserinfoAuto, UserinfoOff, UserinfoRequired),
			Doc: "Whether a login asks the provider's userinfo endpoint for more claims, once the ID token " +
				"has passed: `auto`, `off` or `required`. They reach `/bff/user`, `require` and " +
				"forward-auth; the ID token's win, and claims about the login itself (`acr`, `auth_time`, " +
				"`sid`, …) come from it alone. `auto`: it is asked, for 3 seconds at most, and a login " +
				"goes on without an answer, with a warning in the log that says what to do. `required`: " +
				"without an answer the login fails; a provider whose metadata has no `userinfo_endpoint` " +
				"is then a fault, and `check` says so. `off`: it is never asked. An answer about another " +
				"`sub`, or about none, fails the login whenever it was asked",
			Example: []string{"auto"},
		},
		{
			Name: "refresh", Value: setting.Enum(&c.RefreshOff, []string{"auto", "off"}, []bool{false, true}),
			Doc: "Whether refresh tokens are asked for and kept: `auto` or `off`. With `off`, one that " +
				"comes all the same is revoked. When the access token has run out, the API needs a new " +
				"login",
			Example: []string{"auto"},
		},
	}
}

func (c *Config) endpointKeys() setting.Block {
	return setting.Block{
		{
			Name: "end_session", Value: setting.Matching(&c.EndSession, checkEndSession),
			Doc: "Where a logout sends the browser: `auto`, `off` or an address. `auto`: to the " +
				"`end_session_endpoint` of the provider's metadata. `off`: nowhere. An address is for " +
				"providers that announce none: " +
				"`https://id.example.com/logout?client_id={client_id}&logout_uri={post_logout_redirect_uri}`. " +
				"Its query alone may hold `{client_id}`, `{post_logout_redirect_uri}`, `{state}`, " +
				"`{id_token_hint}`, `{logout_hint}`; values are percent-encoded, and a parameter whose " +
				"value is empty is left out. The ID token goes along only where the address asks for it. " +
				"It is https, or http on this machine",
			Example: []string{"https://id.example.com/logout?client_id={client_id}&logout_uri={post_logout_redirect_uri}"},
		},
		{
			Name: "revocation_endpoint", Value: setting.Matching(&c.RevocationEndpoint, checkAddress),
			Doc: "Where tokens are revoked (RFC 7009), for a provider whose metadata does not say. It is " +
				"https, or http on this machine",
			Default: "as the metadata says",
			Example: []string{"https://id.example.com/oauth2/revoke"},
		},
		{
			Name: "auth_params", Value: setting.StringMap{Into: &c.AuthParams, Check: checkAuthParam, Example: "prompt: select_account"},
			Doc: "Further parameters of the authorization request, the same at each login (`audience: …`). " +
				"They win over what an app asks for, except for `prompt`; a step-up's `acr_values` and " +
				"smaller `max_age` win for the session that it is for. An empty value keeps a parameter " +
				"out. The ones that a login's safety hangs on can't be set: `client_id`, `redirect_uri`, " +
				"`response_type`, `response_mode`, `scope`, `state`, `nonce`, `code_challenge`, " +
				"`code_challenge_method`, `request`, `request_uri`; nor secrets",
			Example: []string{"{audience: https://api.example.com}"},
		},
		{
			Name: "ca_file", Value: setting.String(&c.CAFile),
			Doc: "Certificates (PEM) of an authority of your own, trusted for this provider beside the " +
				"system's",
			Example: []string{"/etc/cloakroom/example-ca.pem"},
		},
	}
}
