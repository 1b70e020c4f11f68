// Package jose verifies tokens without HTTP: bytes and expectations in, a verdict out. It owns the
// checks on ID tokens (OIDC Core §3.1.3.7 and §12.2), logout tokens (OIDC Back-Channel Logout §2.6)
// and userinfo (OIDC Core §5.3), which key of a provider may have made a signature, and the
// assertions that this client signs (RFC 7523).
//
// go-oidc verifies each token, once: its single signature has the expected algorithm and is by a key
// of the provider, iss is the expected issuer, aud contains the client, exp is not past, and at_hash
// fits the access token. Further checks refuse what go-oidc accepts:
//
//   - inspect, before any key is used: the form of the token and repeated members (decodeJWT), alg,
//     typ and crit (checkHeader).
//   - verify, for claims that go-oidc has verified: an issuer without scheme (checkIssuerIsURL) or of
//     another tenant (Issuers.expected, checkTenant), further audiences (checkFurtherAudiences), an exp
//     that is not a number of seconds (expiry), claim names in another case (checkExactNames).
//   - for each kind of token, what go-oidc leaves to its caller: nbf and iat (checkIssued), sub, azp,
//     nonce, acr, auth_time, at_hash with an HMAC algorithm, and whether it is another kind of token.
//
// Anybody can send a logout token. Everything that needs no key is therefore checked first
// (checkParties, logoutToken). go-oidc's VerifyLogout is not used, since it begins with the signature
// and requires exp; its Verify is used, as for every other token. Its Provider.UserInfo is not used,
// since it sends the request itself and does not check iss and aud of a signed answer.
//
// Its weak point: go-oidc does not say which rule a token broke, so refusal reads the claims again to
// find the rule's name. Whether the token is refused never depends on that name.
//
// It knows nothing of endpoints: the caller fetches the Keys.
package jose
