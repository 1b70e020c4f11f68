package session

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/cloakroom/cloakroom/secret"
)

// DropTokens removes from rec whatever would bring a token to the browser. From the claims, the
// scope, the sid and the session state it removes every value that contains one of the record's own
// tokens or one of more. From the claims it also removes every JWT, every member whose name says
// that it is a token, and distributed and aggregated claims (OIDC Core §5.6.2), which contain
// access tokens and JWTs. It returns the names of claims that it removed or changed, if they are
// fit to be logged.
//
// Every record passes through it when it is written and when it is read, so records of older
// versions are clean, too. The attack is a claim that nobody expected: a provider may pass on the
// token of the provider behind it, or that provider's whole user profile.
func (rec *Record) DropTokens(more ...secret.Value) (dropped []string) {
	own := secret.NewFinder(append(more, rec.AccessToken, rec.RefreshToken, rec.IDToken)...)
	f := tokenFilter{own}
	if f.bad(rec.State) {
		rec.State = ""
	}
	if f.bad(rec.SID) { // it would go into the address that a logout sends the browser to
		rec.SID = ""
	}
	if words := strings.Fields(rec.Scope); slices.ContainsFunc(words, f.bad) {
		rec.Scope = strings.Join(slices.DeleteFunc(words, f.bad), " ")
	}
	var claims map[string]json.RawMessage
	if json.Unmarshal(rec.Claims, &claims) != nil {
		return nil
	}
	for name, value := range claims {
		clean, ok := f.member(name, value)
		switch {
		case !ok:
			delete(claims, name)
		case clean != nil:
			claims[name] = clean
		default:
			continue
		}
		if plainName(name) && !f.bad(name) {
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

// A tokenFilter decides which parts of a JSON value must not reach a browser.
type tokenFilter struct{ own secret.Finder }

// bad reports whether a text contains a token.
func (f tokenFilter) bad(text string) bool { return f.own.In(text) || secret.HoldsJWT(text) }

// member filters a member of an object. ok is false if it must be removed. clean is what remains of
// it if only a part must be removed, and nil if it stays unchanged.
func (f tokenFilter) member(name string, value json.RawMessage) (clean json.RawMessage, ok bool) {
	if f.bad(name) || isClaimReference(name) || namesToken(name) && holdsText(value) {
		return nil, false
	}
	return f.value(value)
}

// value is member for a value without a name.
func (f tokenFilter) value(value json.RawMessage) (clean json.RawMessage, ok bool) {
	switch kindOf(value) {
	case '"':
		var s string
		return nil, json.Unmarshal(value, &s) == nil && !f.badText(s)
	case '{':
		return f.object(value)
	case '[':
		return f.array(value)
	}
	return nil, !f.own.In(string(value)) // a token may be a number
}

// badText is bad for a string value, which may itself be JSON: some providers send objects as
// strings.
func (f tokenFilter) badText(s string) bool {
	if f.bad(s) {
		return true
	}
	inner := json.RawMessage(strings.TrimSpace(s))
	if kind := kindOf(inner); kind != '{' && kind != '[' || !json.Valid(inner) {
		return false
	}
	clean, ok := f.value(inner)
	return !ok || clean != nil
}

func (f tokenFilter) object(value json.RawMessage) (json.RawMessage, bool) {
	var members map[string]json.RawMessage
	if json.Unmarshal(value, &members) != nil {
		return nil, false
	}
	changed := false
	for name, v := range members {
		clean, ok := f.member(name, v)
		if !ok {
			delete(members, name)
		} else if clean != nil {
			members[name] = clean
		}
		changed = changed || !ok || clean != nil
	}
	return rewritten(changed, members)
}

func (f tokenFilter) array(value json.RawMessage) (json.RawMessage, bool) {
	var values []json.RawMessage
	if json.Unmarshal(value, &values) != nil {
		return nil, false
	}
	kept, changed := values[:0:0], false
	for _, v := range values {
		clean, ok := f.value(v)
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

// rewritten returns v as JSON if it was changed, otherwise nil.
func rewritten(changed bool, v any) (json.RawMessage, bool) {
	if !changed {
		return nil, true
	}
	b, err := json.Marshal(v)
	return b, err == nil
}

// isClaimReference reports whether a member refers to distributed or aggregated claims (OIDC Core
// §5.6.2): it says where they are, and has the tokens to get them.
func isClaimReference(name string) bool {
	return len(name) >= 7 && strings.EqualFold(name[:7], "_claim_")
}

// namesToken reports whether a name says that its value is a token or an assertion. access_token,
// idToken, https://example.com/refresh-token and "tokens" do; token_type and at_hash don't.
func namesToken(name string) bool {
	name = strings.TrimSuffix(strings.ToLower(name), "s")
	return strings.HasSuffix(name, "token") || strings.HasSuffix(name, "assertion")
}

// holdsText reports whether a value can contain a token; a boolean or a number can't.
func holdsText(value json.RawMessage) bool {
	switch kindOf(value) {
	case '"', '{', '[':
		return true
	}
	return false
}

// kindOf returns the first character of a JSON value, which tells its type, or 0 if it is empty.
func kindOf(value json.RawMessage) byte {
	if len(value) == 0 {
		return 0
	}
	return value[0]
}

// plainName reports whether a claim's name may be logged.
func plainName(name string) bool {
	const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.:/"
	return len(name) <= 64 && strings.Trim(name, plain) == ""
}
