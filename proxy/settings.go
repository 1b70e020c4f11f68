package proxy

import (
	"slices"
	"strings"
	"time"

	"github.com/cloakroom/cloakroom/setting"
)

// Defaults are Options of which the operator has said nothing.
func Defaults() Options { return Options{MaxBody: 10 << 20, MaxWebSockets: 100} }

// DefaultRoute is a route of which the operator has said nothing.
func DefaultRoute() Route {
	return Route{
		Token: TokenUser, CSRF: CSRFHeader, Methods: defaultMethods(),
		Timeout: 30 * time.Second, IdleConnectionTimeout: 4 * time.Second,
	}
}

func defaultMethods() []string { return []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"} }

// Settings are the keys of one route.
func (r *Route) Settings() setting.Block {
	return slices.Concat(r.guardKeys(), r.clientTokenKeys(), r.streamKeys())
}

func (r *Route) guardKeys() setting.Block {
	return setting.Block{
		{
			Name: "path", Value: setting.Matching(&r.Path, checkPath),
			Doc: "The prefix: begins with `/`, plain ASCII without dot segments, `//`, `;`, `%`, `*`. Not " +
				"below `server.base_path`, and each once: `/api` and `/api/` are the same. The longest " +
				"that fits wins. A request whose path some program could take for a path of another route " +
				"that demands something else, or leads elsewhere, (`/api/%61dmin`, `/api/admin;x`, " +
				"`/api/Admin` beside a route `/api/admin`) gets 400. A path with anything encoded in it " +
				"has 8 KiB at most",
			Default: "required",
			Example: []string{"/api/", "/api/catalogue/"},
		},
		{
			Name: "upstream", Value: setting.Parsed(&r.Upstream, parseUpstream, setting.URLText),
			Doc: "The API: http or https, a host, and a path that takes the prefix's place. No user name, " +
				"no query. WebSocket goes through the same address. Never one of cloakroom's own " +
				"listeners. Plain http beyond this machine is warned about, and so is a route that leads " +
				"to what another one guards differently",
			Default: "required",
			Example: []string{"http://127.0.0.1:9000", "https://catalogue.internal.example"},
		},
		{
			Name: "token", Value: setting.OneOf(&r.Token, TokenUser, TokenClient, TokenUserOrClient, TokenOptional, TokenNone),
			Doc: "Whose access token is added: `user` (nobody logged in: 401), `client` (the service's " +
				"own, by the client-credentials grant), `user_or_client` (the service's own when nobody " +
				"is logged in), `optional` (the user's, or none), `none`",
			Example: []string{"user", "client"},
		},
		{
			Name: "csrf", Value: setting.OneOf(&r.CSRF, CSRFHeader, CSRFFetchMetadata, CSRFNone),
			Doc: "How a forged request is told: `header`, `fetch-metadata` or `none`. `header`: each " +
				"request needs `X-CSRF: 1`. `fetch-metadata`: what the browser says of the request's " +
				"origin decides: Fetch Metadata, `Origin`, and for a `GET` or `HEAD` that bears neither " +
				"the `Referer`. One that bears no mark at all is let in if it is a `GET` or `HEAD`; " +
				"everything else then needs `X-CSRF: 1`. Both refuse what comes from another origin. " +
				"`none`: nothing is checked; warned about where a user's token is added",
			Example: []string{"header"},
		},
		{
			Name: "methods", Value: setting.ListOf(&r.Methods, "[GET, POST]", setting.Each(checkMethod)),
			Doc: "The methods that are passed on, in capitals; all others are answered 405. Never " +
				"`CONNECT`, `TRACE`, `TRACK`. Preflights are answered here",
			Example: []string{"[GET, HEAD, POST, PUT, PATCH, DELETE]", "[GET, HEAD]"},
		},
		{
			Name: "require", Value: r.Require.keys(),
			Doc:     "What the user must have beyond a session; with `token: user` alone",
			Default: "nothing",
		},
	}
}

func (q *Require) keys() setting.Block {
	return setting.Block{
		{
			Name: "acr", Value: setting.Parsed(&q.ACR, parseACR, func(acr []string) string { return strings.Join(acr, " ") }),
			Doc: "The user's login must have one of these `acr` values (several with spaces between them); " +
				"otherwise 401 `step_up_required`",
			Default: "any",
			Example: []string{"urn:example:mfa"},
		},
		{
			Name: "max_age", Value: setting.PositiveDuration(&q.MaxAge),
			Doc: "The user must have logged in at the provider at most so long ago; otherwise 401 " +
				"`step_up_required`",
			Default: "any",
			Example: []string{"15m"},
		},
		{
			Name: "scopes", Value: setting.ListOf(&q.Scopes, "[orders.write]", setting.Each(setting.CheckScope)),
			Doc: "Scopes that the login must have been granted, and the last renewal not have taken away; " +
				"otherwise 403 `forbidden`. A renewal never adds one",
			Example: []string{"[orders.read]"},
		},
		{
			Name: "claims", Value: setting.StringMap{Into: &q.Claims, Check: setting.AnyText, Example: "department: sales"},
			Doc: "Claims and the value that each must have, or have among its values; otherwise 403 " +
				"`forbidden`",
			Example: []string{"{department: sales}"},
		},
	}
}

func (r *Route) clientTokenKeys() setting.Block {
	return setting.Block{
		{
			Name: "scopes", Value: setting.ListOf(&r.Scopes, "[orders.read]", setting.Each(setting.CheckScope)),
			Doc:     "What the service's own token is asked for; only with `token: client` or `user_or_client`",
			Example: []string{"", "[catalogue.read]"},
		},
		{
			Name: "provider", Value: setting.String(&r.Provider),
			Doc: "Whose token the service's own is; needed when several providers are configured. Its " +
				"`client_auth` can't be `none`",
			Default: "the only provider",
			Example: []string{"", "main"},
		},
	}
}

func (r *Route) streamKeys() setting.Block {
	return setting.Block{
		{
			Name: "timeout", Value: setting.PositiveDuration(&r.Timeout),
			Doc: "The API's time: from the last byte that the caller has sent to the first byte of the " +
				"answer (interim ones, 1xx, don't count); streams then run on. An API that takes no more " +
				"of a body meets it, too. More than 0",
			Example: []string{"30s"},
		},
		{
			Name: "idle_connection_timeout", Value: setting.PositiveDuration(&r.IdleConnectionTimeout),
			Doc: "How long a connection to the API that nobody uses is kept. It must be shorter than the " +
				"API's own (Node closes after 5 s, most others later): a `POST` that meets a connection " +
				"just closed is answered 502, because nobody can tell whether the API has seen it. More " +
				"than 0",
			Example: []string{"4s"},
		},
		{
			Name: "encoded_slashes", Value: setting.Enum(&r.EncodedSlashes, []string{"refuse", "allow"}, []bool{false, true}),
			Doc: "Whether `%2F` in a path is passed on: `refuse` or `allow`. `allow`: it goes to the API " +
				"byte for byte, as GitLab's identifiers (`/api/projects/group%2Fproject`) need it. " +
				"Refused all the same: what, with its slashes decoded, has a dot or empty segment, or " +
				"could be another route's that demands something else. Otherwise `%2F` is answered 400",
			Example: []string{"refuse"},
		},
		{
			Name: "end_with_token", Value: setting.Bool(&r.EndWithToken),
			Doc: "Whether a stream (WebSocket, server-sent events, a long download) is cut when the access " +
				"token that it was opened with runs out. Otherwise it goes on for as long as the session",
			Example: []string{"false"},
		},
		{
			Name: "shared_cache", Value: setting.Bool(&r.SharedCache),
			Doc: "Whether a `public` or `s-maxage` of the API stands. Only for answers that are the same " +
				"for everybody",
			Example: []string{"", "true"},
		},
	}
}

// Settings are the keys of what holds for all routes, in the block of the session.
func (o *Options) Settings() setting.Block {
	return setting.Block{
		{
			Name: "max_websockets", Value: setting.Number(&o.MaxWebSockets),
			Doc: "How many WebSockets to routes one session can have open at a replica; more get 429 " +
				"`rate_limited`. `0`: any number. Those of visitors without a session are not counted: a " +
				"route with `token: none` leaves that to its API",
			Example: []string{"100"},
		},
	}
}

// BodySettings are the keys of what holds for all routes, in the block of the server.
func (o *Options) BodySettings() setting.Block {
	return setting.Block{
		{
			Name: "max_request_body", Value: setting.Bytes(&o.MaxBody),
			Doc: "The largest request body that is passed on; larger ones are answered 413 " +
				"`request_too_large`. `0`: unlimited",
			Example: []string{"10MiB"},
		},
	}
}
