package provider

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"

	"github.com/cloakroom/cloakroom/secret"
)

const (
	// maxHint is the largest ID token that goes into a URL: front ends answer 414 at 8 KiB (LO3).
	maxHint = 4 << 10

	endSessionAuto = "auto" // as the metadata says
	endSessionOff  = "off"  // nobody is sent to the provider
)

// An EndSessionRequest is what a logout tells the provider.
type EndSessionRequest struct {
	IDTokenHint secret.Value // the session's last ID token, expired or not; may be empty
	LogoutHint  string       // names the user where there is no ID token, or too large a one; may be empty
	State       string       // comes back to the post-logout redirect URI; may be empty
}

// hint is the ID token, or "" where it does not fit into a URL.
func (r EndSessionRequest) hint() string {
	if hint := r.IDTokenHint.Reveal(); len(hint) <= maxHint {
		return hint
	}
	return ""
}

// EndSessionURL is where the browser goes to log out at the provider (RP-Initiated Logout §2, or
// Config.EndSession), or "" when there is no such place. It may hold an ID token: never log it.
func (p *Provider) EndSessionURL(ctx context.Context, r EndSessionRequest) (string, error) {
	switch p.config.EndSession {
	case endSessionOff:
		return "", nil
	case endSessionAuto:
		return p.announcedEndSession(ctx, r)
	}
	return expandEndSession(p.config.EndSession, map[string]string{
		"client_id": p.config.ClientID, "post_logout_redirect_uri": p.config.PostLogoutRedirectURI,
		"state": r.State, "id_token_hint": r.hint(), "logout_hint": r.LogoutHint,
	}), nil
}

// announcedEndSession is the end_session_endpoint of the metadata with the parameters of
// RP-Initiated Logout §2.
func (p *Provider) announcedEndSession(ctx context.Context, r EndSessionRequest) (string, error) {
	m, err := p.Metadata(ctx)
	if err != nil || m.EndSessionEndpoint == "" {
		return "", err
	}
	u, err := url.Parse(m.EndSessionEndpoint)
	if err != nil {
		return "", fmt.Errorf("provider %q: end_session_endpoint: %w", p.config.ID, ErrMisconfigured)
	}
	q := u.Query() // the endpoint's own query stays
	q.Set("client_id", p.config.ClientID)
	if hint := r.hint(); hint != "" {
		q.Set("id_token_hint", hint)
	} else if r.LogoutHint != "" {
		q.Set("logout_hint", r.LogoutHint)
	}
	if p.config.PostLogoutRedirectURI != "" {
		q.Set("post_logout_redirect_uri", p.config.PostLogoutRedirectURI)
		if r.State != "" {
			q.Set("state", r.State)
		}
	}
	u.RawQuery = q.Encode()
	return u.String(), nil
}

// placeholder is a {name} in a template of the end-session URL.
var placeholder = regexp.MustCompile(`\{[^{}]*\}`)

// expandEndSession puts values into a template that checkEndSession has passed. Values are
// percent-encoded, so that none leaves its parameter. A parameter whose placeholders are all empty is
// left out: an empty id_token_hint is an error to some providers.
func expandEndSession(template string, values map[string]string) string {
	address, query, _ := strings.Cut(template, "?")
	var kept []string
	for pair := range strings.SplitSeq(query, "&") {
		filled := placeholder.ReplaceAllStringFunc(pair, func(name string) string {
			return strings.ReplaceAll(url.QueryEscape(values[name[1:len(name)-1]]), "+", "%20")
		})
		if filled != pair && filled == placeholder.ReplaceAllString(pair, "") {
			continue
		}
		kept = append(kept, filled)
	}
	return strings.TrimSuffix(address+"?"+strings.Join(kept, "&"), "?")
}

// checkEndSession says what is wrong with Config.EndSession. A template's placeholders stand in its
// query alone: no value may choose the host or path that a browser is sent to (MD2).
func checkEndSession(s string) error {
	if s == endSessionAuto || s == endSessionOff {
		return nil
	}
	address, query, _ := strings.Cut(s, "?")
	if strings.ContainsAny(address, "{}") || !secureURL(address, true) || strings.ContainsAny(s, "# ") {
		return errors.New("it is neither auto, off nor an https URL with placeholders in its query alone")
	}
	for _, name := range placeholder.FindAllString(query, -1) {
		switch name {
		case "{client_id}", "{post_logout_redirect_uri}", "{state}", "{id_token_hint}", "{logout_hint}":
		default:
			return fmt.Errorf("the placeholder %.50q is not known", name)
		}
	}
	if strings.ContainsAny(placeholder.ReplaceAllString(query, ""), "{}") {
		return errors.New("it has a brace that belongs to no placeholder")
	}
	return nil
}
