package provider

import (
	"context"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/cloakroom/cloakroom/secret"
	"github.com/cloakroom/cloakroom/setting"
)

const (
	// maxHint is the size in bytes of the largest ID token that goes into a URL: many servers
	// answer 414 to a URL of 8 KiB (LO3).
	maxHint = 4 << 10

	endSessionAuto = "auto" // as the metadata says
	endSessionOff  = "off"  // browsers are not sent to the provider
)

// An EndSessionRequest holds the parameters of one logout at the provider.
type EndSessionRequest struct {
	IDTokenHint secret.Value // the session's last ID token, expired or not; may be empty
	LogoutHint  string       // names the user if no ID token can be sent; may be empty
	State       string       // comes back to the post-logout redirect URI; may be empty
}

// hint returns the ID token, or "" if it does not fit into a URL.
func (r EndSessionRequest) hint() string {
	if hint := r.IDTokenHint.Reveal(); len(hint) <= maxHint {
		return hint
	}
	return ""
}

// EndSessionURL returns the URL that the browser is sent to, to log out at the provider
// (RP-Initiated Logout §2, or Config.EndSession), or "" if there is none. It may contain an ID
// token: never log it.
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

// announcedEndSession returns the end_session_endpoint of the metadata with the parameters of
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

// placeholder matches a {name} in a template of the end-session URL.
var placeholder = regexp.MustCompile(`\{[^{}]*\}`)

// expandEndSession fills in a template that checkEndSession has accepted. Values are
// percent-encoded, so that none can add a parameter. A parameter whose placeholders are all empty
// is left out: some providers refuse an empty id_token_hint.
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

// endSessionPlaceholders are the placeholders that a template of the end-session URL may contain.
func endSessionPlaceholders() []string {
	return []string{
		"{client_id}", "{post_logout_redirect_uri}", "{state}", "{id_token_hint}", "{logout_hint}",
	}
}

// checkEndSession accepts auto, off, or a template of the URL that a logout sends browsers to. The
// template becomes a Location header, so that no placeholder may choose its host or path (MD2).
func checkEndSession(s string) *setting.Fault {
	if s == "auto" || s == "off" {
		return nil
	}
	known := strings.Join(endSessionPlaceholders(), ", ")
	address, query, _ := strings.Cut(s, "?")
	if !strings.Contains(address, "://") {
		return setting.NewFault("is neither auto, off nor a URL",
			"write auto, off, or the provider's logout address, such as https://id.example.com/logout"+
				"?client_id={client_id}&logout_uri={post_logout_redirect_uri}")
	}
	if strings.ContainsAny(address, "{}") {
		return setting.NewFault("has a placeholder before its query",
			"write out the host and the path; only the query, after the ?, may have placeholders")
	}
	if strings.Contains(address, " ") {
		return setting.NewFault("has a blank", "write it as %20")
	}
	for _, name := range placeholder.FindAllString(query, -1) {
		if !slices.Contains(endSessionPlaceholders(), name) {
			return setting.NewFault("has an unknown placeholder", "the placeholders are "+known)
		}
	}
	filled := placeholder.ReplaceAllString(query, "x")
	if strings.ContainsAny(filled, "{}") {
		return setting.NewFault("has a brace that belongs to no placeholder",
			"write it as %7B or %7D; the placeholders are "+known)
	}
	if filled != "" {
		address += "?" + filled
	}
	return checkAddress(address)
}
