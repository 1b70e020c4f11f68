package provider

import (
	"errors"
	"fmt"
	"time"

	"github.com/cloakroom/cloakroom/problem"
)

var (
	// ErrInvalidGrant means the provider refused the code or refresh token itself (RFC 6749 §5.2
	// invalid_grant): it is dead and must not be sent again.
	ErrInvalidGrant = errors.New("provider refused the grant")

	// ErrUnreachable means there was no usable answer: no connection, a time-out, 429, 5xx, a page
	// instead of JSON. Nothing is known about the user or the token; every such error is an
	// *UnreachableError.
	ErrUnreachable = problem.Sentinel(problem.ProviderUnreachable, "provider can't be reached")

	// ErrMisconfigured means the provider refuses this client, or is not who the configuration says
	// it is: an operator's fault, for which no user may be logged out.
	ErrMisconfigured = problem.Sentinel(problem.ProviderMisconfigured, "provider is misconfigured")

	// ErrNotRevocable means the provider will never revoke this token at our word.
	ErrNotRevocable = errors.New("token can't be revoked")

	// ErrNoRevocationEndpoint is the ErrNotRevocable of a provider that offers no revocation at all.
	ErrNoRevocationEndpoint = fmt.Errorf("provider has no revocation endpoint: %w", ErrNotRevocable)
)

// An UnreachableError is an ErrUnreachable with its circumstances.
type UnreachableError struct {
	Provider   string        // configured id
	Endpoint   string        // "metadata", "keys", "token", "userinfo" or "revocation"
	Reason     string        // in our words; nothing of the answer's body
	RetryAfter time.Duration // what the provider (or our own breaker) asks for, at most 2 min; 0: unknown
	NotAsked   bool          // nothing was sent, since the provider is left alone after failures
	Status     int           // of an answer that was an error without saying what it is about; 0: none, or it says that it will pass
	Err        error         // the network's error, if there was one
}

// Error implements error.
func (e *UnreachableError) Error() string {
	s := fmt.Sprintf("%s endpoint of provider %q: %s", e.Endpoint, e.Provider, e.Reason)
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Is makes every UnreachableError an ErrUnreachable.
func (e *UnreachableError) Is(target error) bool { return errors.Is(ErrUnreachable, target) }

// Wait is RetryAfter, for whoever answers with this error.
func (e *UnreachableError) Wait() time.Duration { return e.RetryAfter }

// Unwrap gives the network's error, context errors among them.
func (e *UnreachableError) Unwrap() error { return e.Err }

// A RetryableError is a revocation that did not happen but may yet: the provider was unreachable, or
// refuses this client until an operator mends that.
type RetryableError struct {
	RetryAfter time.Duration // 0: as the caller likes
	Err        error         // Is ErrUnreachable or ErrMisconfigured
}

// Error implements error.
func (e *RetryableError) Error() string { return "revocation must be tried again: " + e.Err.Error() }

// Unwrap gives the cause.
func (e *RetryableError) Unwrap() error { return e.Err }

// An OAuthError is an error answer of RFC 6749 §5.2. It Is ErrInvalidGrant or ErrMisconfigured where
// the code says so; any other code says nothing about the user's grant.
type OAuthError struct {
	Code        string // at most 64 printable ASCII characters
	Description string // at most 200 printable characters; empty when it repeated something secret
}

// Error implements error.
func (e *OAuthError) Error() string {
	if e.Description == "" {
		return fmt.Sprintf("provider answered %q", e.Code)
	}
	return fmt.Sprintf("provider answered %q: %q", e.Code, e.Description)
}

// Is sorts the codes into those that end a grant and those that an operator must mend.
func (e *OAuthError) Is(target error) bool {
	switch e.Code {
	case "invalid_grant":
		return target == ErrInvalidGrant
	case "invalid_client", "unauthorized_client", "unsupported_grant_type":
		return errors.Is(ErrMisconfigured, target)
	}
	return false
}

// An InvalidResponseError is a success answer of the token endpoint that breaks RFC 6749 §5.1. No
// token in it may be used; what was issued nevertheless is in Issued, for the caller to revoke.
type InvalidResponseError struct {
	Rule   string // "access_token" or "token_type"
	Issued *TokenResponse
}

// Error implements error.
func (e *InvalidResponseError) Error() string {
	return fmt.Sprintf("token response breaks rule %q", e.Rule)
}
