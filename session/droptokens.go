package session

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/cloakroom/cloakroom/secret"
)

// DropTokens takes out of rec what would bring a token to the browser: of the claims, the scope, the
// sid and the session state, all that holds one of the record's own tokens or one of more, and of the claims
// also every JWT, every member that is named after a token, and distributed and aggregated claims
// (OIDC Core §5.6.2), which bring access tokens and JWTs along. It returns the names of claims that
// are gone, or have lost something, and that are themselves fit to be logged.
//
// Every record goes through it when it is written and when it is read, so that one that an older
// version wrote is clean too. The attack is a claim that nobody looked at: a provider that passes
// on the token of the provider behind it, or its whole user profile.
func (rec *Record) DropTokens(more ...secret.Value) (dropped []string) {
	j := tokenJudge{secret.NewFinder(append(more, rec.AccessToken, rec.RefreshToken, rec.IDToken)...)}
	if j.bad(rec.State) {
		rec.State = ""
	}
	if j.bad(rec.SID) { // it would go into the address that a logout sends the browser to
		rec.SID = ""
	}
	if words := strings.Fields(rec.Scope); slices.ContainsFunc(words, j.bad) {
		rec.Scope = strings.Join(slices.DeleteFunc(words, j.bad), " ")
	}
	var claims map[string]json.RawMessage
	if json.Unmarshal(rec.Claims, &claims) != nil {
		return nil
	}
	for name, value := range claims {
		clean, ok := j.member(name, value)
		switch {
		case !ok:
			delete(claims, name)
		case clean != nil:
			claims[name] = clean
		default:
			continue
		}
		if plainName(name) && !j.bad(name) {
			dropped = append(dropped, name)
		}
		rec.Claims = nil
	}
	if rec.Claims == nil && claims != nil {
		rec.Claims, _ = json.Marshal(claims) // can't fail: each value was parsed
	}
	slices.Sort(dropped)
	return dropped
}

// A tokenJudge says what of a JSON value may not reach a browser.
type tokenJudge struct{ own secret.Finder }

// bad reports whether a text holds a token.
func (j tokenJudge) bad(text string) bool { return j.own.In(text) || secret.HoldsJWT(text) }

// member judges a member of an object: ok is false where it must go, and clean is what remains of it
// where only a part must go; nil stands for the value as it is.
func (j tokenJudge) member(name string, value json.RawMessage) (clean json.RawMessage, ok bool) {
	if j.bad(name) || isClaimReference(name) || namesToken(name) && holdsText(value) {
		return nil, false
	}
	return j.value(value)
}

// value is member for a value that has no name.
func (j tokenJudge) value(value json.RawMessage) (clean json.RawMessage, ok bool) {
	switch kindOf(value) {
	case '"':
		var s string
		return nil, json.Unmarshal(value, &s) == nil && !j.badText(s)
	case '{':
		return j.object(value)
	case '[':
		return j.array(value)
	}
	return nil, !j.own.In(string(value)) // a token may be a number
}

// badText is bad for a value, which may be JSON in turn: some providers send objects as text.
func (j tokenJudge) badText(s string) bool {
	if j.bad(s) {
		return true
	}
	inner := json.RawMessage(strings.TrimSpace(s))
	if kind := kindOf(inner); kind != '{' && kind != '[' || !json.Valid(inner) {
		return false
	}
	clean, ok := j.value(inner)
	return !ok || clean != nil
}

func (j tokenJudge) object(value json.RawMessage) (json.RawMessage, bool) {
	var members map[string]json.RawMessage
	if json.Unmarshal(value, &members) != nil {
		return nil, false
	}
	changed := false
	for name, v := range members {
		clean, ok := j.member(name, v)
		if !ok {
			delete(members, name)
		} else if clean != nil {
			members[name] = clean
		}
		changed = changed || !ok || clean != nil
	}
	return rewritten(changed, members)
}

func (j tokenJudge) array(value json.RawMessage) (json.RawMessage, bool) {
	var values []json.RawMessage
	if json.Unmarshal(value, &values) != nil {
		return nil, false
	}
	kept, changed := values[:0:0], false
	for _, v := range values {
		clean, ok := j.value(v)
		changed = changed || !ok || clean != nil
		if clean != nil {
			v = clean
		}
		if ok {
			kept = append(kept, v)
		}
	}
	return rewritten(changed, kept)
}

// rewritten is a value that has lost something, nil for one that has not.
func rewritten(changed bool, v any) (json.RawMessage, bool) {
	if !changed {
		return nil, true
	}
	b, err := json.Marshal(v)
	return b, err == nil
}

// isClaimReference: OIDC Core §5.6.2. Where the claims are, and the tokens to get them with.
func isClaimReference(name string) bool {
	return len(name) >= 7 && strings.EqualFold(name[:7], "_claim_")
}

// namesToken reports whether a name says that its value is a token or an assertion, as access_token,
// idToken, https://example.com/refresh-token and "tokens" do, and token_type and at_hash don't.
func namesToken(name string) bool {
	name = strings.TrimSuffix(strings.ToLower(name), "s")
	return strings.HasSuffix(name, "token") || strings.HasSuffix(name, "assertion")
}

// holdsText reports whether a value can hold a token: a flag or a time can't.
func holdsText(value json.RawMessage) bool {
	switch kindOf(value) {
	case '"', '{', '[':
		return true
	}
	return false
}

// kindOf is the first character of a JSON value, which tells its type; 0 for none.
func kindOf(value json.RawMessage) byte {
	if len(value) == 0 {
		return 0
	}
	return value[0]
}

// plainName reports whether a claim's name may stand in a log line.
func plainName(name string) bool {
	return len(name) <= 64 && strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.:/") == ""
}
