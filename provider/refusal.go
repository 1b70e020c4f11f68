package provider

import (
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/cloakroom/cloakroom/provider/jose"
	"github.com/cloakroom/cloakroom/resilience"
	"github.com/cloakroom/cloakroom/secret"
)

const (
	maxErrorCode   = 64
	maxDescription = 200
)

// refusal turns an error answer (RFC 6749 §5.2) into an *OAuthError, or into an *UnreachableError
// if the answer says that the failure is temporary, or says nothing. c is the body; nil if that was
// no JSON object.
func (p *Provider) refusal(endpoint string, a *answer, c jose.Object, sent []string) error {
	code, err := c.Text("error")
	if err != nil || code == "" {
		if a.status == http.StatusUnauthorized {
			code = "invalid_client" // RFC 6749 §5.2: what 401 means, body or not
		} else {
			return p.temporary(endpoint, "an error without a code", a, a.status)
		}
	}
	switch code {
	case "temporarily_unavailable", "slow_down":
		return p.temporary(endpoint, code, a, 0)
	case "server_error": // stands for a status of 500 (RFC 6749 §4.1.2.1)
		return p.temporary(endpoint, code, a, http.StatusInternalServerError)
	}
	// The answer may hold tokens beside the error, and its description may repeat them.
	for _, name := range []string{"access_token", "refresh_token", "id_token"} {
		if token, err := c.Text(name); err == nil {
			sent = append(sent, token)
		}
	}
	description, _ := c.Text("error_description")
	return &OAuthError{
		Code:        printable(code, maxErrorCode, sent),
		Description: printable(description, maxDescription, sent),
	}
}

func (p *Provider) temporary(endpoint, reason string, a *answer, status int) error {
	e := p.client.unreachable(endpoint, reason, nil)
	e.RetryAfter, e.Status = retryAfter(a.header, p.now()), status
	return e
}

// printable returns the printable characters of a text from the provider, up to a limit. It returns
// "" if the text repeats a secret that was sent, in whatever encoding, or contains a JWT (LG2).
func printable(s string, limit int, sent []string) string {
	secrets := make([]secret.Value, 0, len(sent))
	for _, v := range sent {
		secrets = append(secrets, secret.New(v))
	}
	if secret.NewFinder(secrets...).In(s) || secret.HoldsJWT(s) {
		return ""
	}
	var b strings.Builder
	for _, r := range s {
		if b.Len() >= limit {
			break
		}
		if unicode.IsPrint(r) && r != unicode.ReplacementChar {
			b.WriteRune(r)
		}
	}
	return b.String()
}

// retryAfter returns how long Retry-After asks to wait, in either of its forms (RFC 9110 §10.2.3),
// at most resilience.MaxRetryAfter; 0 if there is none.
func retryAfter(h http.Header, now time.Time) time.Duration {
	v := h.Get("Retry-After")
	wait := time.Duration(0)
	if seconds, err := strconv.ParseUint(v, 10, 31); err == nil {
		wait = time.Duration(seconds) * time.Second
	} else if at, err := http.ParseTime(v); err == nil {
		wait = at.Sub(now)
	}
	return min(max(wait, 0), resilience.MaxRetryAfter)
}
