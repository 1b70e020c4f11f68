package check

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"

	"github.com/cloakroom/cloakroom/provider"
	"github.com/cloakroom/cloakroom/server"
	"github.com/cloakroom/cloakroom/site"
)

// checkProvider compares the provider's metadata with the configuration, and tests whether the
// provider accepts this client.
func checkProvider(ctx context.Context, app *site.Site, pc provider.Config, version string) []Finding {
	row := func(s Status, detail, remedy string) Finding {
		return Finding{Area: "provider", Name: pc.ID, Status: s, Detail: detail, Remedy: remedy}
	}
	options := provider.Options{Logger: slog.New(slog.DiscardHandler), Version: version}
	p, err := provider.New(server.ProviderConfig(app, pc), options)
	if err != nil {
		return nil // checkStart reports it
	}
	ctx, cancel := context.WithTimeout(ctx, 4*timeout) // metadata, keys and two trials
	defer cancel()
	m, err := p.Metadata(ctx)
	if other := new(provider.IssuerError); errors.As(err, &other) {
		return []Finding{row(Wrong, err.Error(), issuerRemedy(other))}
	}
	if errors.Is(err, provider.ErrMisconfigured) {
		return []Finding{row(Wrong, err.Error(), "have the provider's metadata corrected, at "+p.MetadataURL())}
	}
	if err != nil {
		return []Finding{row(Wrong, err.Error(), "open "+p.MetadataURL()+" from this host; check name, network and "+
			"certificate (`ca_file` for a CA of your own); if the metadata is at another URL, set `metadata_url`")}
	}
	found := []Finding{row(OK, "metadata read from "+p.MetadataURL(), "")}
	if err := p.CheckUserinfo(m); err != nil {
		found = append(found, row(Wrong, err.Error(), "write `userinfo: auto`: no login can succeed otherwise"))
	}
	for _, c := range contradictions(pc, m) {
		found = append(found, row(Wrong, c.detail, c.remedy))
	}
	found = append(found, tryKeys(ctx, p, row)...)
	client := tryClient(ctx, p, row)
	doubtful := Warning
	if client.Status == Wrong {
		doubtful = Wrong // probably the reason why the client is refused
	}
	for _, c := range doubts(pc, m) {
		found = append(found, row(doubtful, c.detail, c.remedy))
	}
	found = append(found, client)
	if !m.PARRequired {
		found = append(found, tryRedirectURI(ctx, p, row))
	}
	for _, c := range missingFeatures(pc, m) {
		found = append(found, row(Warning, c.detail, c.remedy))
	}
	return found
}

// issuerRemedy says how to configure a provider whose metadata names another issuer. It includes
// the URL of the metadata, which need not be below that issuer, so that the corrected configuration
// works.
func issuerRemedy(e *provider.IssuerError) string {
	switch {
	case strings.ContainsAny(e.Announced, "{}"):
		return fmt.Sprintf("the provider has many tenants: write issuer: %.200q, list the ids of those whose users "+
			"may log in under `tenants`, and write metadata_url: %.200q", e.Announced, e.From)
	case strings.TrimSuffix(e.Announced, "/")+"/.well-known/openid-configuration" == e.From:
		return fmt.Sprintf("write issuer: %.200q, if that is your provider", e.Announced)
	}
	return fmt.Sprintf("if that is your provider, write issuer: %.200q and metadata_url: %.200q; "+
		"otherwise correct `issuer` or `metadata_url`", e.Announced, e.From)
}

// A rowMaker makes a finding about one provider.
type rowMaker func(s Status, detail, remedy string) Finding

// tryKeys finds out whether the provider publishes a key that verifies its ID tokens.
func tryKeys(ctx context.Context, p *provider.Provider, row rowMaker) []Finding {
	ctx, cancel := context.WithTimeout(ctx, timeout) // leaves time for the trials
	defer cancel()
	alg := p.Config().IDTokenAlg
	fitting, needed, err := p.TryKeys(ctx)
	switch {
	case err != nil:
		return []Finding{row(Wrong, fmt.Sprintf("no ID token can be verified: %v", err),
			"open the jwks_uri of "+p.MetadataURL()+" from this host; it must answer with the provider's key set")}
	case needed && fitting == 0:
		return []Finding{row(Wrong, "its key set has no key for "+alg+", so no ID token can be verified",
			"compare `id_token_alg` with this client's registration, or have the provider publish its key")}
	}
	return nil
}

// isGone reports whether err means that no login can use the endpoint: no connection, no answer, or
// a 4xx. It is false for 429 and 5xx, which are temporary.
func isGone(err error) bool {
	e, ok := errors.AsType[*provider.UnreachableError](err)
	return ok && (e.Err != nil || e.Status >= 400 && e.Status < 500 && e.Status != http.StatusTooManyRequests)
}

const checkAgain = "run `cloakroom check` again"

// tryClient finds out whether the provider accepts this client and its secret.
func tryClient(ctx context.Context, p *provider.Provider, row rowMaker) Finding {
	const remedy = "compare `client_id`, `client_secret` (or the key) and `client_auth` " +
		"with this client's registration there"
	trial, err := p.TryClient(ctx)
	switch {
	case isGone(err):
		return row(Wrong, fmt.Sprintf("no code can be redeemed: %v", err),
			"open the token_endpoint of "+p.MetadataURL()+" from this host; check name, network and certificate")
	case err != nil:
		return row(Warning, fmt.Sprintf("whether the provider accepts this client is unknown: %v", err), checkAgain)
	case trial.Verdict == provider.Accepted:
		return row(OK, "accepts this client: it refused only the invented code of a token request", "")
	case trial.Verdict == provider.Refused:
		return row(Wrong, fmt.Sprintf("refuses this client: %s", trial.Code), remedy)
	}
	return row(Warning, fmt.Sprintf("whether the provider accepts this client is unknown: "+
		"it answered %q to a token request with an invented code", trial.Code), remedy)
}

// tryRedirectURI finds out whether the redirect URI is registered, and whether the provider accepts
// a login's authorization request.
func tryRedirectURI(ctx context.Context, p *provider.Provider, row rowMaker) Finding {
	uri := p.Config().RedirectURI
	trial, err := p.TryRedirectURI(ctx)
	switch {
	case err != nil:
		return row(Warning, fmt.Sprintf("whether the redirect URI is registered is unknown: %v", err), checkAgain)
	case trial.Verdict == provider.Accepted:
		return row(OK, "accepts the redirect URI: it redirected an authorization request to it", "")
	case trial.Code == "invalid_scope":
		return row(Wrong, "refuses the scopes of a login: invalid_scope",
			"have the `scopes` allowed for this client, or request fewer")
	case trial.Verdict == provider.Refused:
		return row(Wrong, fmt.Sprintf("refuses an authorization request: %s", trial.Code),
			"register exactly the redirect URI "+uri+" for this client, and compare `client_id`")
	}
	if trial.Code != "" {
		return row(Warning, fmt.Sprintf("whether the redirect URI is registered is unknown: "+
			"the authorization endpoint answered %q", trial.Code),
			checkAgain+"; if logins fail, look for the reason in the provider's log")
	}
	return row(OK, "whether the redirect URI is registered is unknown: the provider first shows a page of its own",
		"if a login ends on an error page of the provider, register exactly "+uri)
}
