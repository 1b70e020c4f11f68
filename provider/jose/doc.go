// Package jose judges tokens without HTTP: bytes and expectations in, a verdict out. It owns the
// checks on ID tokens (OIDC Core §3.1.3.7 and §12.2), logout tokens (OIDC Back-Channel Logout §2.6)
// and userinfo (OIDC Core §5.3), which key of a provider may have made a signature, and the
// assertions that this client signs (RFC 7523).
//
// Each token is judged by go-oidc, once: that its one signature is of the expected algorithm and by
// a key of the provider, that iss is the expected issuer, that aud has the client, that exp is not
// past, and that at_hash is the access token's. What go-oidc lets pass is refused by rules around it:
//
//   - inspect, before a key is touched: the form of the token and repeated members (decodeJWT), alg,
//     typ and crit (checkHeader).
//   - verify, for claims that go-oidc has judged: an issuer without scheme (checkIssuerIsURL) or of
//     another tenant (Issuers.expected, checkTenant), further audiences (checkFurtherAudiences), an exp
//     that is no number of seconds (expiry), claims under a name in other case (checkExactNames).
//   - for each kind of token what go-oidc leaves to its caller: nbf and iat (checkIssued), sub, azp,
//     nonce, acr, auth_time, at_hash under an HMAC, and whether it is another kind of token.
//
// Anybody may send a logout token. So all that can be told of one without a key is checked first
// (checkParties, logoutToken), and go-oidc's VerifyLogout, which begins with the signature and insists
// on exp, is not used: Verify is, as for every other token. Its Provider.UserInfo is not used since it
// sends the request itself and does not look at iss and aud of a signed answer.
//
// Its weak point: go-oidc does not say which rule a token broke, so that refusal reads the claims
// again to find a name for it. That the token is refused never depends on the name.
//
// It knows nothing of endpoints: its Keys are fetched by somebody else.
package jose
