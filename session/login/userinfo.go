package login

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/cloakroom/cloakroom/provider"
	"github.com/cloakroom/cloakroom/provider/jose"
)

// askUserinfo completes claims from userinfo, unless the provider's settings turn that off. An
// answer about another subject always fails the login, because the tokens may be another user's
// (OIDC Core §5.3.2). After any other failure the login continues without userinfo's claims, with a
// warning, unless they are required.
func (l *Login) askUserinfo(
	ctx context.Context, p *provider.Provider, tokens *provider.TokenResponse,
	token *jose.IDToken, claims claimSet,
) error {
	mode := p.Config().Userinfo
	if mode == provider.UserinfoOff {
		return nil
	}
	answer, err := p.Userinfo(ctx, tokens.AccessToken, token.Subject)
	if err == nil && answer != nil {
		var userinfo claimSet
		if userinfo, err = readClaims(answer); err == nil {
			err = userinfo.complementOf(p, token)
		}
		if err == nil {
			claims.complete(userinfo)
		}
	}
	if err == nil || mode == provider.UserinfoRequired || isOfAnother(err) {
		return err
	}
	l.logger.WarnContext(ctx,
		"userinfo was not to be had; the login goes on with the ID token's claims alone",
		"provider", p.ID(), "error", err, "remedy", remedy(err))
	return nil
}

// complementOf refuses userinfo of another tenant's user with the same subject, at a provider with
// an issuer template. Signed userinfo has iss (OIDC Core §5.3.2).
func (c claimSet) complementOf(p *provider.Provider, token *jose.IDToken) error {
	var iss string
	if json.Unmarshal(c["iss"], &iss) == nil && iss != token.Issuer && p.IssuedBy(iss) {
		return &jose.InvalidTokenError{
			Rule: jose.RuleUserinfoSub, Detail: "userinfo is of another issuer than the ID token",
		}
	}
	return nil
}

// isOfAnother reports whether userinfo was about another subject, or had none.
func isOfAnother(err error) bool {
	invalid := new(jose.InvalidTokenError)
	return errors.As(err, &invalid) && invalid.Rule == jose.RuleUserinfoSub
}

// remedy tells operators what to do about userinfo that gives no claims.
func remedy(err error) string {
	refused := new(provider.OAuthError)
	switch {
	case errors.As(err, &refused) &&
		(refused.Code == "invalid_token" || refused.Code == "insufficient_scope"):
		return "the access token is not for userinfo, " +
			"as with Entra ID where scopes name an API of yours: " +
			"write providers.userinfo: off, or drop that API's scope from providers.scopes"
	case errors.Is(err, provider.ErrUnreachable):
		return "look at the provider's userinfo_endpoint, which must answer with JSON within 3 s; " +
			"write providers.userinfo: off where it is not needed"
	}
	return "have the provider's registration of this client corrected " +
		"(userinfo_signed_response_alg), or write providers.userinfo: off"
}
