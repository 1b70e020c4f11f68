package login

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"golang.org/x/oauth2"

	"github.com/cloakroom/cloakroom/keys"
	"github.com/cloakroom/cloakroom/secret"
	"github.com/cloakroom/cloakroom/session"
)

const (
	// attemptLife is how long a user may take at the provider (RFC 9700 §4.7.1).
	attemptLife = 10 * time.Minute
	// silentLife is how long a provider may take to answer without asking the user. Tracking
	// prevention may keep the cookie from the callback; then no answer deletes the cookie, and it
	// must not crowd out attempts that users make.
	silentLife = time.Minute
	// clockSkew is how far another replica's clock may be ahead of ours.
	clockSkew = time.Minute
	// maxCookie bounds name and value of one cookie; browsers drop larger ones (RFC 6265bis §5.6).
	maxCookie = 4096
)

// An attempt holds what the callback needs to know of the authorization request.
type attempt struct {
	State    string `json:"s"`
	Nonce    string `json:"n"` // ≤ 64 characters (FAPI 2.0 §5.3.3.2)
	Verifier string `json:"v"` // PKCE (RFC 7636 §4.1)
	Provider string `json:"p"` // only its response is accepted (RFC 9700 §4.4.2)
	Return   string `json:"u"` // the return URL, validated at the start; the seal protects it
	Started  int64  `json:"t"` // Unix milliseconds, by our clock

	MaxAge      *int64   `json:"m,omitempty"` // seconds, as sent; nil: not sent
	PromptLogin bool     `json:"l,omitempty"` // prompt=login was sent
	ACR         []string `json:"a,omitempty"` // essential: the ID token must have one of them
	Silent      bool     `json:"q,omitempty"`
	// StepUp: the ID token must meet acr_values and max_age, and the browser's session continues.
	StepUp bool `json:"z,omitempty"`

	// OtherACR: the step-up asks for acr_values that the operator does not ask for at logins.
	OtherACR bool `json:"x,omitempty"`

	// Previous is the session that the browser had at the start. The callback may come without its
	// cookie, which is SameSite=Strict, and that session must end all the same.
	Previous session.Name `json:"o,omitempty"`
}

// newAttempt draws the values that must be unguessable: at least 128 bits each from the CSPRNG (RFC
// 9700 §4.7.1; see the documentation of crypto/rand.Text and oauth2.GenerateVerifier).
func newAttempt(provider, returnURL string, now time.Time) *attempt {
	return &attempt{
		State: rand.Text(), Nonce: rand.Text(), Verifier: oauth2.GenerateVerifier(),
		Provider: provider, Return: returnURL, Started: now.UnixMilli(),
	}
}

func (a *attempt) started() time.Time { return time.UnixMilli(a.Started) }

// life is how long the response to the attempt is accepted.
func (a *attempt) life() time.Duration {
	if a.Silent {
		return silentLife
	}
	return attemptLife
}

// expired goes by the sealed time, because browsers need not respect Max-Age.
func (a *attempt) expired(now time.Time) bool {
	age := now.Sub(a.started())
	return age > a.life() || age < -clockSkew
}

func (a *attempt) verifier() secret.Value { return secret.New(a.Verifier) }

func (a *attempt) maxAge() *time.Duration {
	if a.MaxAge == nil {
		return nil
	}
	d := time.Duration(*a.MaxAge) * time.Second
	return &d
}

// errUnreadable means that a cookie value is not an attempt of this service. It does not say why,
// so that nobody can learn from it.
var errUnreadable = errors.New("not an attempt of this service")

// A codec seals attempts, each under the name of its cookie.
type codec struct{ sealed *keys.Codec }

// newCodec sets no size limit: seal checks the size of name and value together.
func newCodec(ring *keys.Ring) codec { return codec{ring.Codec("attempt", 0)} }

func (c codec) seal(name string, a *attempt) (string, error) {
	var plain bytes.Buffer
	enc := json.NewEncoder(&plain)
	enc.SetEscapeHTML(false) // an escaped "&" of a return URL would need six bytes
	if err := enc.Encode(a); err != nil {
		return "", fmt.Errorf("encode attempt: %w", err)
	}
	value, err := c.sealed.Seal(name, plain.Bytes())
	if err != nil {
		return "", fmt.Errorf("seal attempt: %w", err)
	}
	if len(name)+len(value) > maxCookie {
		return "", fmt.Errorf("attempt cookie has %d bytes, more than browsers keep",
			len(name)+len(value))
	}
	return value, nil
}

// open opens a value that seal sealed under name. It returns errUnreadable for anything else.
func (c codec) open(name, value string) (*attempt, error) {
	plain, ok := c.sealed.Open(name, value)
	if !ok {
		return nil, errUnreadable
	}
	a := new(attempt)
	if err := json.Unmarshal(plain, a); err != nil {
		return nil, errUnreadable
	}
	return a, nil
}
