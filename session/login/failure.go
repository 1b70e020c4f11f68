package login

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/cloakroom/cloakroom/provider"
	"github.com/cloakroom/cloakroom/session"
)

// A Kind says in one word why a login failed; pages and metrics know these words.
type Kind string

// The kinds.
const (
	CookieMissing         Kind = "cookie_missing"         // the browser did not send the attempt's cookie back
	AttemptExpired        Kind = "attempt_expired"        // it took more than ten minutes
	AttemptSpent          Kind = "attempt_spent"          // this answer was used before
	AccessDenied          Kind = "access_denied"          // the person, or the provider for them, said no
	ProviderRefused       Kind = "provider_refused"       // any other error of the provider's
	InvalidResponse       Kind = "invalid_response"       // the answer breaks the rules
	IDTokenInvalid        Kind = "id_token_invalid"       // the ID token or userinfo breaks the rules
	ProviderUnreachable   Kind = "provider_unreachable"   // no usable answer from the provider
	ProviderMisconfigured Kind = "provider_misconfigured" // the provider refuses this client
	StoreUnavailable      Kind = "store_unavailable"      // the session could not be written
	InvalidRequest        Kind = "invalid_request"        // what the app asked for can't be asked
)

// Stale reports whether the attempt is simply not there any more, as after the back button.
func (k Kind) Stale() bool { return k == CookieMissing || k == AttemptExpired || k == AttemptSpent }

// A Failure is a login that did not work, with what a page must say of it.
type Failure struct {
	Kind        Kind
	Provider    string // configured id
	Code        string // the provider's error code, bounded and printable
	Description string // its words, bounded and printable; still to be escaped
	ReturnURL   string // where the person wanted to go; "" when that is not known
	Silent      bool
	Err         error // for the log
}

// Error implements error.
func (f *Failure) Error() string {
	s := fmt.Sprintf("login at provider %q: %s", f.Provider, f.Kind)
	if f.Code != "" {
		s += fmt.Sprintf(" (%q: %q)", f.Code, f.Description)
	}
	if f.Err != nil {
		s += ": " + f.Err.Error()
	}
	return s
}

// Unwrap gives the cause.
func (f *Failure) Unwrap() error { return f.Err }

func (l *Login) failure(k Kind, provider string, err error) *Failure {
	l.total.WithLabelValues(provider, string(k)).Inc()
	return &Failure{Kind: k, Provider: provider, Err: err}
}

func (f *Failure) returning(to string) *Failure {
	f.ReturnURL = to
	return f
}

// StaleFailure is the failure that a page of ours took along in its URL; a kind that is none of the
// stale ones counts as a missing cookie.
func StaleFailure(provider, kind string) *Failure {
	k := Kind(kind)
	if !k.Stale() {
		k = CookieMissing
	}
	return &Failure{Kind: k, Provider: provider}
}

// kindOf sorts what a provider, a session manager and a verification say.
func kindOf(err error) Kind {
	var badToken *provider.InvalidTokenError
	switch {
	case errors.Is(err, session.ErrUnavailable):
		return StoreUnavailable
	case errors.As(err, &badToken):
		return IDTokenInvalid
	case errors.Is(err, provider.ErrMisconfigured):
		return ProviderMisconfigured
	case errors.Is(err, provider.ErrUnreachable):
		return ProviderUnreachable
	}
	return InvalidResponse
}

// printable makes a text that a provider sent fit to be shown and logged: at most limit characters,
// one line, nothing invisible, nothing that turns the writing direction (CB10, LG3).
func printable(s string, limit int) string {
	var b strings.Builder
	n := 0
	for _, r := range s {
		if n == limit {
			b.WriteRune('…')
			break
		}
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			r = ' '
		}
		b.WriteRune(r)
		n++
	}
	return strings.TrimSpace(b.String())
}
