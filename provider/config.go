package provider

import (
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cloakroom/cloakroom/provider/jose"
)

// ownParams are the authorization-request parameters that this package sets itself. An operator who
// sets one of them would switch off the check that goes with it.
var ownParams = []string{
	"client_id", "redirect_uri", "response_type", "response_mode", "scope", "state", "nonce",
	"code_challenge", "code_challenge_method", "request", "request_uri",
}

// complete fills in the defaults and names the first contradiction.
func (c Config) complete() (Config, error) {
	if c.IDTokenAlg == "" {
		c.IDTokenAlg = "RS256"
	}
	if c.ResponseMode == "" {
		c.ResponseMode = "query"
	}
	if !slices.Contains(c.Scopes, "openid") {
		c.Scopes = append([]string{"openid"}, c.Scopes...)
	}
	if c.LogoutTokenExp == "" {
		c.LogoutTokenExp = "required"
	}
	if c.EndSession == "" {
		c.EndSession = endSessionAuto
	}
	if c.Userinfo == "" {
		c.Userinfo = UserinfoAuto
	}
	fault := func(format string, args ...any) (Config, error) {
		return c, fmt.Errorf("provider %q: %w: %s", c.ID, ErrMisconfigured, fmt.Sprintf(format, args...))
	}
	switch {
	case c.ClientID == "":
		return fault("client_id is missing")
	case c.checkIssuer() != nil:
		return fault("%v", c.checkIssuer())
	case !jose.Supported(c.IDTokenAlg):
		return fault("id_token_alg %.50q is none of RS, PS, ES, HS 256–512 or EdDSA", c.IDTokenAlg)
	case jose.IsHMAC(c.IDTokenAlg) && c.ClientSecret.IsZero():
		return fault("id_token_alg %s needs a client_secret", c.IDTokenAlg)
	case !slices.Contains([]string{UserinfoAuto, UserinfoOff, UserinfoRequired}, c.Userinfo):
		return fault("userinfo %.50q is none of auto, off and required", c.Userinfo)
	case c.ResponseMode != "query" && c.ResponseMode != "form_post":
		return fault("response_mode %.50q is neither query nor form_post", c.ResponseMode)
	case c.LogoutTokenExp != "required" && c.LogoutTokenExp != "iat":
		return fault("logout_token_exp %.50q is neither required nor iat", c.LogoutTokenExp)
	case c.RevocationEndpoint != "" && !secureURL(c.RevocationEndpoint, true):
		return fault("revocation_endpoint %.200q must be an https URL", c.RevocationEndpoint)
	case checkEndSession(c.EndSession) != nil:
		return fault("end_session: %v", checkEndSession(c.EndSession))
	}
	for name := range c.AuthParams {
		if slices.Contains(ownParams, name) {
			return fault("auth_params may not set %q", name)
		}
	}
	return c, nil
}

// maxAge is the max_age of AuthParams; nil where there is none that is a number of seconds.
func (c Config) maxAge() *time.Duration {
	seconds, err := strconv.Atoi(c.AuthParams["max_age"])
	if err != nil || seconds < 0 {
		return nil
	}
	d := time.Duration(seconds) * time.Second
	return &d
}

// secureURL reports whether s is an absolute https URL or, where loopback is allowed, an http URL of
// this machine (FAPI 2.0 §5.3.3.1, MD2). User names and fragments have no place in an endpoint.
func secureURL(s string, loopback bool) bool {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || u.User != nil || u.Fragment != "" || u.Opaque != "" {
		return false
	}
	return u.Scheme == "https" || loopback && u.Scheme == "http" && isLoopback(u.Hostname())
}

func isLoopback(host string) bool {
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.IsLoopback()
}
