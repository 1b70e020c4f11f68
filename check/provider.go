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

// checkProvider reads the provider's metadata and compares it with what the configuration relies on.
func checkProvider(ctx context.Context, app *site.Site, pc provider.Config, version string) []Finding {
	row := func(s Status, detail, remedy string) Finding {
		return Finding{Area: "provider", Name: pc.ID, Status: s, Detail: detail, Remedy: remedy}
	}
	p, err := provider.New(server.ProviderConfig(app, pc), provider.Options{Logger: slog.New(slog.DiscardHandler), Version: version})
	if err != nil {
		return nil // said by what serve would refuse
	}
	ctx, cancel := context.WithTimeout(ctx, 4*timeout) // metadata, keys and two trials
	defer cancel()
	m, err := p.Metadata(ctx)
	if other := new(provider.IssuerError); errors.As(err, &other) {
		return []Finding{row(Wrong, err.Error(), issuerRemedy(other))}
	}
	if errors.Is(err, provider.ErrMisconfigured) {
		return []Finding{row(Wrong, err.Error(), "have the provider's metadata mended; they are at "+p.MetadataURL())}
	}
	if err != nil {
		return []Finding{row(Wrong, err.Error(), "open "+p.MetadataURL()+" from this host; check name, network and certificate (`ca_file` for a CA of your own), and name another address of the metadata in `metadata_url`")}
	}
	found := []Finding{row(OK, "metadata read from "+p.MetadataURL(), "")}
	if err := p.CheckUserinfo(m); err != nil {
		found = append(found, row(Wrong, err.Error(), "write `userinfo: auto`: no login can succeed otherwise"))
	}
	for _, f := range contradictions(pc, m) {
		found = append(found, row(Wrong, f[0], f[1]))
	}
	found = append(found, tryKeys(ctx, p, row)...)
	client := tryClient(ctx, p, row)
	doubtful := Warning // that the client was refused is then why
	if client.Status == Wrong {
		doubtful = Wrong
	}
	for _, f := range doubts(pc, m) {
		found = append(found, row(doubtful, f[0], f[1]))
	}
	found = append(found, client)
	if !m.PARRequired {
		found = append(found, tryRedirectURI(ctx, p, row))
	}
	for _, f := range metadataGaps(pc, m) {
		found = append(found, row(Warning, f[0], f[1]))
	}
	return found
}

// issuerRemedy is what to write where the metadata are another issuer's. Following it ends the matter: it
// names the address that the metadata came from, since they need not be below the issuer that they name.
func issuerRemedy(e *provider.IssuerError) string {
	switch {
	case strings.ContainsAny(e.Announced, "{}"):
		return fmt.Sprintf("the provider has many tenants: write issuer: %.200q, list the ids of those whose users may log in under `tenants`, and write metadata_url: %.200q", e.Announced, e.From)
	case strings.TrimSuffix(e.Announced, "/")+"/.well-known/openid-configuration" == e.From:
		return fmt.Sprintf("write issuer: %.200q, if that is your provider", e.Announced)
	}
	return fmt.Sprintf("if that is your provider, write issuer: %.200q and metadata_url: %.200q; otherwise correct `issuer` or `metadata_url`", e.Announced, e.From)
}

// A rowMaker makes a finding about one provider.
type rowMaker func(s Status, detail, remedy string) Finding

// tryKeys finds out whether the provider publishes a key that its ID tokens can be verified with.
func tryKeys(ctx context.Context, p *provider.Provider, row rowMaker) []Finding {
	ctx, cancel := context.WithTimeout(ctx, timeout) // what hangs here must leave time for the trials
	defer cancel()
	alg := p.Config().IDTokenAlg
	fitting, needed, err := p.TryKeys(ctx)
	switch {
	case err != nil:
		return []Finding{row(Wrong, fmt.Sprintf("no ID token can be verified: %v", err), "open the jwks_uri of "+p.MetadataURL()+" from this host; it must answer with the provider's key set")}
	case needed && fitting == 0:
		return []Finding{row(Wrong, "its key set has no key for "+alg+", so no ID token can be verified", "compare `id_token_alg` with this client's registration, or have the provider publish its key")}
	}
	return nil
}

// isGone reports whether an error says that nothing of use is at an endpoint: no connection, no answer, or one
// that no login gets by. What a provider says will pass (429, 5xx) is none.
func isGone(err error) bool {
	e, ok := errors.AsType[*provider.UnreachableError](err)
	return ok && (e.Err != nil || e.Status >= 400 && e.Status < 500 && e.Status != http.StatusTooManyRequests)
}

// tryClient finds out whether the provider knows this client and its secret.
func tryClient(ctx context.Context, p *provider.Provider, row rowMaker) Finding {
	const remedy = "compare `client_id`, `client_secret` (or the key) and `client_auth` with this client's registration there"
	trial, err := p.TryClient(ctx)
	switch {
	case isGone(err):
		return row(Wrong, fmt.Sprintf("no code can be redeemed: %v", err), "open the token_endpoint of "+p.MetadataURL()+" from this host; check name, network and certificate")
	case err != nil:
		return row(Warning, fmt.Sprintf("whether the provider takes this client is not known: %v", err), "run `cloakroom check` again")
	case trial.Verdict == provider.Accepted:
		return row(OK, "takes this client: a code that was made up was refused as a code, not the client", "")
	case trial.Verdict == provider.Refused:
		return row(Wrong, fmt.Sprintf("refuses this client: %s", trial.Code), remedy)
	}
	return row(Warning, fmt.Sprintf("whether the provider takes this client can't be told: it answered %q to a code that was made up", trial.Code), remedy)
}

// tryRedirectURI finds out whether the redirect URI is registered, and whether the provider takes what a login asks for.
func tryRedirectURI(ctx context.Context, p *provider.Provider, row rowMaker) Finding {
	uri := p.Config().RedirectURI
	trial, err := p.TryRedirectURI(ctx)
	switch {
	case err != nil:
		return row(Warning, fmt.Sprintf("whether the redirect URI is registered is not known: %v", err), "run `cloakroom check` again")
	case trial.Verdict == provider.Accepted:
		return row(OK, "takes the redirect URI: an authorization request came back to it", "")
	case trial.Code == "invalid_scope":
		return row(Wrong, "refuses the scopes of a login: invalid_scope", "have the `scopes` allowed for this client, or ask for fewer")
	case trial.Verdict == provider.Refused:
		return row(Wrong, fmt.Sprintf("refuses an authorization request: %s", trial.Code), "register the redirect URI "+uri+" for this client, byte for byte, and compare `client_id`")
	}
	if trial.Code != "" {
		return row(Warning, fmt.Sprintf("whether the redirect URI is registered is not known: the authorization endpoint answered %q", trial.Code),
			"run `cloakroom check` again; if logins fail, look into the provider's log for why")
	}
	return row(OK, "whether the redirect URI is registered can't be told here: the provider shows a page of its own first", "if a login ends on an error page of the provider, register "+uri+", byte for byte")
}
