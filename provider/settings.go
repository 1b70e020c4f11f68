package provider

import (
	"slices"

	"github.com/cloakroom/cloakroom/provider/jose"
	"github.com/cloakroom/cloakroom/setting"
)

// Defaults returns a provider with the default of each setting.
func Defaults() Config {
	return Config{
		ClientAuth: "client_secret_basic", ClientKeyID: "thumbprint", IDTokenAlg: "RS256",
		LogoutTokenExp: "required", ResponseMode: "query", Scopes: []string{"openid", "profile", "email"},
		Userinfo: UserinfoAuto, EndSession: endSessionAuto,
	}
}

// Settings returns the keys of one provider.
func (c *Config) Settings() setting.Block {
	return slices.Concat(c.registrationKeys(), c.clientKeys(), c.loginKeys(), c.endpointKeys())
}

func (c *Config) registrationKeys() setting.Block {
	return setting.Block{
		{
			Name: "id", Value: setting.Matching(&c.ID, checkID),
			Doc: "A short name for the provider, of a–z, 0–9 and `-`, at most 64 characters. Each provider " +
				"needs its own. It is part of the redirect URI, so a change means a new registration",
			Default: "required",
			Example: []string{"main", "partners", "staff"},
		},
		{
			Name: "name", Value: setting.String(&c.Name),
			Doc:     "The name of the provider on the login page",
			Default: "the id",
			Example: []string{"Example Login", "Partners", "Staff"},
		},
		{
			Name: "issuer", Value: setting.Matching(&c.Issuer, checkIssuer),
			Doc: "The issuer, spelled exactly as in the provider's metadata. It is https, or http on this " +
				"machine. It may be a template for a provider of many tenants, with `{tenantid}` once, " +
				"for a whole segment of its path; each tenant of `tenants` is then an issuer of its own",
			Default: "required",
			Example: []string{
				"https://id.example.com",
				"https://login.partner.example/realms/acme",
				"https://login.staff.example/{tenantid}/v2.0",
			},
		},
		{
			Name: "tenants",
			Value: setting.ListOf(
				&c.Tenants, "[11111111-2222-3333-4444-555555555555]", setting.Each(checkTenant),
			),
			Doc: "With an issuer that is a template: the tenants whose users may log in, as the provider's " +
				"tokens spell them (at Microsoft the id, in lower case). At least one must be listed: " +
				"anybody can open a tenant of their own",
			Example: []string{"", "", "[3f1c6f0e-8d5a-4a52-9a55-0d9f3c1b7a11, 9b2d7c44-12aa-4f7e-8f0e-6a1e5c2d9b02]"},
		},
		{
			Name: "metadata_url", Value: setting.Matching(&c.MetadataURL, checkAddress),
			Doc: "The address of the provider's metadata, if it is not below the issuer. A template needs it. " +
				"The `issuer` in the metadata must still be `providers.issuer`. The address is https, or " +
				"http on this machine; the provider's endpoints may then be http on this machine, too",
			Default: "the issuer, then `/.well-known/openid-configuration`",
			Example: []string{
				"", "", "https://login.staff.example/organizations/v2.0/.well-known/openid-configuration",
			},
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
				"`client_secret_jwt`, `private_key_jwt`, `tls_client_auth`, `none`. No other method is " +
				"tried. `none` gives a warning: anybody can use such a client's codes and refresh tokens",
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
				"provider that knows the key without a `kid` and refuses any. A JWK's own `kid` takes " +
				"precedence",
			Example: []string{"", "", "2026-11"},
		},
		{
			Name: "client_assertion_alg", Value: setting.OneOf(&c.ClientAssertionAlg, jose.Algorithms()...),
			Doc: "The algorithm of client assertions, with `private_key_jwt` and `client_secret_jwt`. If it " +
				"is left out, it is the first that the key can sign with and the provider lists " +
				"(`token_endpoint_auth_signing_alg_values_supported`). The order is RS256, PS256, RS384, " +
				"PS384, RS512, PS512 for an RSA key and HS256, HS384, HS512 for a secret; an elliptic " +
				"curve has one algorithm. If the provider lists none, the first is used. A JWK's own " +
				"`alg` takes precedence",
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
				"RS, PS, ES or HS with 256, 384 or 512, or `EdDSA`. It is never taken from metadata. " +
				"`none` is refused. HS needs a client secret",
			Example: []string{"RS256", "PS256"},
		},
		{
			Name: "logout_token_exp", Value: setting.OneOf(&c.LogoutTokenExp, "required", "iat"),
			Doc: "Whether a logout token (back-channel logout) needs an `exp`: `required` or `iat`. " +
				"With `required`, a token without `exp` is refused. With `iat`, it is valid for two " +
				"minutes from its `iat`; this is for a provider that never sends `exp`, such as Ory " +
				"Hydra. If there is an `exp`, it is checked either way",
			Example: []string{"required"},
		},
		{
			Name: "trusted_audiences", Value: setting.ListOf(&c.TrustedAudiences, "[other-client]", setting.String),
			Doc:     "Further audiences that an ID token may have. A token with any other is refused",
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
			Doc: "The scopes that a login requests; `openid` must be among them. `offline_access` is added " +
				"if `refresh` needs it and the provider lists it, unless the provider has " +
				"`grant_types_supported` without `refresh_token`",
			Example: []string{"[openid, profile, email]"},
		},
		{
			Name: "userinfo", Value: setting.OneOf(&c.Userinfo, UserinfoAuto, UserinfoOff, UserinfoRequired),
			Doc: "Whether a login asks the provider's userinfo endpoint for more claims, after the ID token " +
				"was verified: `auto`, `off` or `required`. `/bff/user`, `require` and forward-auth use " +
				"these claims. The ID token's claims take precedence, and claims about the login itself " +
				"(`acr`, `auth_time`, `sid`, …) come from the ID token alone. With `auto`, the login waits " +
				"3 seconds at most; without an answer it goes on, and the log has a warning that says " +
				"what to do. With `required`, the login fails without an answer; metadata without " +
				"`userinfo_endpoint` is then a fault, which `check` reports. With `off`, the endpoint is " +
				"never asked. An answer about another `sub`, or without `sub`, always fails the login",
			Example: []string{"auto"},
		},
		{
			Name: "refresh", Value: setting.Enum(&c.RefreshOff, []string{"auto", "off"}, []bool{false, true}),
			Doc: "Whether refresh tokens are requested and kept: `auto` or `off`. With `off`, a refresh " +
				"token that comes nevertheless is revoked, and calls to the API need a new login once the " +
				"access token has expired",
			Example: []string{"auto"},
		},
	}
}

func (c *Config) endpointKeys() setting.Block {
	return setting.Block{
		{
			Name: "end_session", Value: setting.Matching(&c.EndSession, checkEndSession),
			Doc: "Where a logout sends the browser: `auto`, `off` or an address. With `auto`, it is the " +
				"`end_session_endpoint` of the provider's metadata. With `off`, the browser is not sent " +
				"to the provider. An address is for providers that announce none: " +
				"`https://id.example.com/logout?client_id={client_id}&logout_uri={post_logout_redirect_uri}`. " +
				"Its query, and nothing before it, may contain `{client_id}`, " +
				"`{post_logout_redirect_uri}`, `{state}`, `{id_token_hint}`, `{logout_hint}`. Values are " +
				"percent-encoded, and a parameter whose value is empty is left out. The ID token is sent " +
				"only if the address contains `{id_token_hint}`. The address is https, or http on this " +
				"machine",
			Example: []string{
				"https://id.example.com/logout?client_id={client_id}&logout_uri={post_logout_redirect_uri}",
			},
		},
		{
			Name: "revocation_endpoint", Value: setting.Matching(&c.RevocationEndpoint, checkAddress),
			Doc: "The endpoint that revokes tokens (RFC 7009), for a provider whose metadata does not name " +
				"it. It is https, or http on this machine",
			Default: "as the metadata says",
			Example: []string{"https://id.example.com/oauth2/revoke"},
		},
		{
			Name: "auth_params",
			Value: setting.StringMap{
				Into: &c.AuthParams, Check: checkAuthParam, Example: "prompt: select_account",
			},
			Doc: "Further parameters of the authorization request, the same at each login (`audience: …`). " +
				"They take precedence over what an app asks for, except for `prompt`. The `acr_values` " +
				"and a smaller `max_age` of a step-up take precedence over them. An empty value removes " +
				"a parameter. Secrets can't be set, nor can the parameters that the security of a login " +
				"depends on: `client_id`, `redirect_uri`, `response_type`, `response_mode`, `scope`, " +
				"`state`, `nonce`, `code_challenge`, `code_challenge_method`, `request`, `request_uri`",
			Example: []string{"{audience: https://api.example.com}"},
		},
		{
			Name: "ca_file", Value: setting.String(&c.CAFile),
			Doc: "Certificates (PEM) of your own authority. They are trusted for this provider, in addition " +
				"to the system's",
			Example: []string{"/etc/cloakroom/example-ca.pem"},
		},
	}
}
