package provider

import (
	"errors"
	"fmt"
	"time"

	"github.com/cloakroom/cloakroom/problem"
)

var (
	// ErrInvalidGrant means the provider refused the code or refresh token itself (RFC 6749 §5.2,
	// invalid_grant): the grant is dead and must not be sent again.
	ErrInvalidGrant = errors.New("provider refused the grant")

	// ErrUnreachable means there was no usable answer: no connection, a timeout, 429, 5xx, or a
	// page instead of JSON. It says nothing about the user or the token. Every such error is an
	// *UnreachableError.
	ErrUnreachable = problem.Sentinel(problem.ProviderUnreachable, "provider can't be reached")

	// ErrMisconfigured means the provider refuses this client, or is not the one that the
	// configuration names. The operator must correct it; no user may be logged out for it.
	ErrMisconfigured = problem.Sentinel(problem.ProviderMisconfigured, "provider is misconfigured")

	// ErrNotRevocable means the provider will never revoke this token for this client.
	ErrNotRevocable = errors.New("token can't be revoked")

	// ErrNoRevocationEndpoint is the ErrNotRevocable of a provider that does not offer revocation.
	ErrNoRevocationEndpoint = fmt.Errorf("provider has no revocation endpoint: %w", ErrNotRevocable)
)

// An UnreachableError is an ErrUnreachable with details.
type UnreachableError struct {
	Provider   string        // configured id
	Endpoint   string        // "metadata", "keys", "token", "userinfo" or "revocation"
	Reason     string        // in our words; nothing of the answer's body
	RetryAfter time.Duration // how long to wait, at most 2 min; 0: unknown
	NotAsked   bool          // nothing was sent: requests are held back after failures
	// Status is that of an error answer that did not say what was wrong; 0 if there was no such
	// answer, or if it said that the failure is temporary.
	Status int
	Err    error // the network's error, if there was one
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

// Wait returns RetryAfter, for an answer that reports this error.
func (e *UnreachableError) Wait() time.Duration { return e.RetryAfter }

// Unwrap returns the network's error, context errors among them.
func (e *UnreachableError) Unwrap() error { return e.Err }

// A RetryableError means that a token was not revoked, but may be later: the provider was
// unreachable, or refuses this client until an operator corrects that.
type RetryableError struct {
	RetryAfter time.Duration // 0: as the caller likes
	Err        error         // Is ErrUnreachable or ErrMisconfigured
}

// Error implements error.
func (e *RetryableError) Error() string { return "revocation must be tried again: " + e.Err.Error() }

// Unwrap returns the cause.
func (e *RetryableError) Unwrap() error { return e.Err }

// An OAuthError is an error answer of RFC 6749 §5.2. Some codes make it an ErrInvalidGrant or an
// ErrMisconfigured; any other says nothing about the user's grant.
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

// Is distinguishes the codes that end a grant from those that an operator must deal with.
func (e *OAuthError) Is(target error) bool {
	switch e.Code {
	case "invalid_grant":
		return target == ErrInvalidGrant
	case "invalid_client", "unauthorized_client", "unsupported_grant_type":
		return errors.Is(ErrMisconfigured, target)
	}
	return false
}

// An InvalidResponseError is a success answer of the token endpoint that breaks RFC 6749 §5.1. None
// of its tokens may be used. Issued holds them, so that the caller can revoke them.
type InvalidResponseError struct {
	Rule   string // "access_token" or "token_type"
	Issued *TokenResponse
}

// Error implements error.
func (e *InvalidResponseError) Error() string {
	return fmt.Sprintf("token response breaks rule %q", e.Rule)
}
