package jose

import "context"

// Userinfo verifies a signed answer of the userinfo endpoint: it must have the registered
// algorithm, iss and aud (OIDC Core §5.3.2, MD10). Errors are those of IDToken.
func (v *Verifier) Userinfo(ctx context.Context, raw string) (Object, error) {
	kind := tokenKind{types: []string{"", "jwt", "userinfo+jwt"}, limit: maxToken, from: &v.keys.own, withoutExp: true}
	sent, err := v.inspect(raw, kind)
	if err != nil {
		return nil, tokenError(err)
	}
	t, err := v.verify(ctx, raw, sent, kind)
	if err != nil {
		return nil, tokenError(err)
	}
	return t.claims, nil
}

// CheckUserinfoSubject requires userinfo to be about the subject of the ID token (OIDC Core §5.3.2,
// MD9): it could be about another user (token substitution). The error is an *InvalidTokenError of
// RuleUserinfoSub.
func CheckUserinfoSubject(userinfo Object, subject string) error {
	if sub, err := userinfo.Text("sub"); err != nil || sub == "" || sub != subject {
		return &InvalidTokenError{Rule: RuleUserinfoSub, Detail: "userinfo is not about the ID token's subject"}
	}
	return nil
}
