package login

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/cloakroom/cloakroom/problem"
	"github.com/cloakroom/cloakroom/session"
)

// A Candidate is a user whose login has been verified and who has not got a session for it yet.
type Candidate struct {
	Provider string // configured id
	Subject  string // the provider's sub
	// Claims is a JSON object: what the ID token says and userinfo adds, without tokens.
	Claims json.RawMessage
}

// A RefusalError refuses a login when Options.Admit returns it. The user sees the page of
// problem.AccessDenied.
type RefusalError struct {
	Reason string // shown on that page, as text; it may be empty
}

// Error implements error.
func (e *RefusalError) Error() string { return "the program refused the login: " + e.Reason }

// admitted asks Options.Admit, if it is set, whether the user of rec may log in.
func (l *Login) admitted(ctx context.Context, rec *session.Record) *Failure {
	if l.admit == nil {
		return nil
	}
	err := l.admit(ctx, Candidate{Provider: rec.Provider, Subject: rec.Subject, Claims: rec.Claims})
	if err == nil {
		return nil
	}
	if refusal, ok := errors.AsType[*RefusalError](err); ok {
		return &Failure{Kind: problem.AccessDenied, Reason: visible(refusal.Reason), Err: err}
	}
	// Not wrapped: a code, or an answer of another provider, that the program's error holds is not
	// about this login.
	err = fmt.Errorf("ask the program whether the user may log in: %v", err)
	return &Failure{Kind: problem.InternalError, Err: err}
}
