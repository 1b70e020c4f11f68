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
	// attemptLife is how long a person may take at the provider (RFC 9700 §4.7.1).
	attemptLife = 10 * time.Minute
	// silentLife is how long a provider may take that asks nobody anything. Where tracking prevention keeps the cookie
	// from the callback, no answer takes the cookie back, and it must not crowd out the attempts of people.
	silentLife = time.Minute
	// clockSkew is how far another replica's clock may be ahead of ours.
	clockSkew = time.Minute
	// maxCookie bounds name and value of one cookie; browsers drop larger ones (RFC 6265bis §5.6).
	maxCookie = 4096
)

// An attempt is what the callback must know of the authorization request that it answers.
type attempt struct {
	State    string `json:"s"`
	Nonce    string `json:"n"` // ≤ 64 characters (FAPI 2.0 §5.3.3.2)
	Verifier string `json:"v"` // PKCE (RFC 7636 §4.1)
	Provider string `json:"p"` // the one it was sent to: answers of others are refused (RFC 9700 §4.4.2)
	Return   string `json:"u"` // already judged; sealed, so that it still is at the end
	Started  int64  `json:"t"` // Unix milliseconds, by our clock

	MaxAge      *int64   `json:"m,omitempty"` // seconds, as sent; nil: not asked
	PromptLogin bool     `json:"l,omitempty"`
	ACR         []string `json:"a,omitempty"` // essential; one of them must come back
	Silent      bool     `json:"q,omitempty"`
	StepUp      bool     `json:"z,omitempty"` // what acr_values and max_age ask for must be met, and the session goes on

	OtherACR bool `json:"x,omitempty"` // a step-up that asks for other acr_values than the operator does for logins

	// Previous is the session that the browser had at the start. A SameSite=Strict cookie does not
	// come with the callback, and that session must end all the same.
	Previous session.Name `json:"o,omitempty"`
}

// newAttempt draws what has to be unguessable: at least 128 bits each from the CSPRNG (RFC 9700
// §4.7.1; crypto/rand.Text and oauth2.GenerateVerifier say so of themselves).
func newAttempt(provider, returnURL string, now time.Time) *attempt {
	return &attempt{
		State: rand.Text(), Nonce: rand.Text(), Verifier: oauth2.GenerateVerifier(),
		Provider: provider, Return: returnURL, Started: now.UnixMilli(),
	}
}

func (a *attempt) started() time.Time { return time.UnixMilli(a.Started) }

// life is how long an answer to the attempt is waited for.
func (a *attempt) life() time.Duration {
	if a.Silent {
		return silentLife
	}
	return attemptLife
}

// expired judges by the time sealed inside: Max-Age only asks the browser.
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

// errUnreadable is every reason why a cookie value is not an attempt of ours; which one is nobody's
// business.
var errUnreadable = errors.New("not an attempt of this service")

// A codec seals attempts, each under the name of its cookie.
type codec struct{ sealed *keys.Codec }

// newCodec sets no limit of size: seal judges that, name included.
func newCodec(ring *keys.Ring) codec { return codec{ring.Codec("attempt", 0)} }

func (c codec) seal(name string, a *attempt) (string, error) {
	var plain bytes.Buffer
	enc := json.NewEncoder(&plain)
	enc.SetEscapeHTML(false) // six bytes for each "&" of a return URL are too many
	if err := enc.Encode(a); err != nil {
		return "", fmt.Errorf("encode attempt: %w", err)
	}
	value, err := c.sealed.Seal(name, plain.Bytes())
	if err != nil {
		return "", fmt.Errorf("seal attempt: %w", err)
	}
	if len(name)+len(value) > maxCookie {
		return "", fmt.Errorf("attempt cookie has %d bytes, more than browsers keep", len(name)+len(value))
	}
	return value, nil
}

// open returns what seal sealed under name. What else value may be is errUnreadable.
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
