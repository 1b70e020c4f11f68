package proxy

import (
	"slices"
	"time"

	"github.com/cloakroom/cloakroom/setting"
)

// Defaults returns the default Options.
func Defaults() Options { return Options{MaxBody: 10 << 20, MaxWebSockets: 100} }

// DefaultRoute returns a route with the defaults of its keys.
func DefaultRoute() Route {
	return Route{
		Token: TokenUser, CSRF: CSRFHeader, Methods: defaultMethods(),
		Timeout: 30 * time.Second, IdleConnectionTimeout: 4 * time.Second,
	}
}

func defaultMethods() []string { return []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"} }

// Settings returns the keys of one route.
func (r *Route) Settings() setting.Block {
	return slices.Concat(r.guardKeys(), r.clientTokenKeys(), r.streamKeys())
}

func (r *Route) guardKeys() setting.Block {
	return setting.Block{
		{
			Name: "path", Value: setting.Matching(&r.Path, checkPath),
			Doc: "The prefix of the paths that this route forwards. It begins with `/` and is " +
				"plain ASCII without dot segments, `//`, `;`, `%` and `*`. It must not be below " +
				"`server.base_path`, and no two routes can have the same: `/api` and `/api/` are " +
				"the same. The route with the longest matching prefix gets a request. A request " +
				"gets 400 if some server could read its path as one of another route that " +
				"requires something else or leads elsewhere: `/api/%61dmin`, `/api/admin;x` or " +
				"`/api/Admin` beside a route `/api/admin`. A path with percent-encoding has at " +
				"most 8 KiB",
			Default: "required",
			Example: []string{"/api/", "/api/catalogue/"},
		},
		{
			Name: "upstream", Value: setting.Parsed(&r.Upstream, parseUpstream, setting.URLText),
			Doc: "The address of the API: an http or https URL whose path replaces the prefix. " +
				"It has no user name and no query. WebSockets use the same address. It can't be " +
				"one of cloakroom's own listeners. There is a warning for plain http to another " +
				"machine, and for a route that reaches what another route guards differently",
			Default: "required",
			Example: []string{"http://127.0.0.1:9000", "https://catalogue.internal.example"},
		},
		{
			Name: "token",
			Value: setting.OneOf(&r.Token,
				TokenUser, TokenClient, TokenUserOrClient, TokenOptional, TokenNone),
			Doc: "Whose access token is added to a request: `user` (without a session: 401), " +
				"`client` (the service's own, by the client credentials grant), `user_or_client` " +
				"(the user's or, without a session, the service's own), `optional` (the user's " +
				"or, without a session, none) or `none`",
			Example: []string{"user", "client"},
		},
		{
			Name: "csrf", Value: setting.OneOf(&r.CSRF, CSRFHeader, CSRFFetchMetadata, CSRFNone),
			Doc: "How forged requests are detected: `header`, `fetch-metadata` or `none`. " +
				"`header`: each request needs `X-CSRF: 1`. `fetch-metadata`: Fetch Metadata or " +
				"`Origin` must show that the request comes from the app; for a `GET` or `HEAD` " +
				"without either, `Referer` must. A `GET` or `HEAD` without any of these is " +
				"accepted; other requests without them need `X-CSRF: 1`. Both refuse requests " +
				"from other origins. `none`: there is no check, and a warning if a user's token " +
				"is added",
			Example: []string{"header"},
		},
		{
			Name: "methods", Value: setting.ListOf(&r.Methods, "[GET, POST]", setting.Each(checkMethod)),
			Doc: "The methods that are forwarded, in capitals; all others get 405. `CONNECT`, " +
				"`TRACE` and `TRACK` can't be listed. CORS preflights are never forwarded",
			Example: []string{"[GET, HEAD, POST, PUT, PATCH, DELETE]", "[GET, HEAD]"},
		},
		{
			Name: "require", Value: r.Require.keys(),
			Doc:     "What the user needs besides a session. Only with `token: user`",
			Default: "nothing",
		},
	}
}

func (q *Require) keys() setting.Block {
	return setting.Block{
		{
			Name: "acr", Value: setting.Parsed(&q.ACR, parseACR, acrText),
			Doc: "The `acr` values, separated by spaces, of which the user's login must have " +
				"one; otherwise 401 `step_up_required`",
			Default: "any",
			Example: []string{"urn:example:mfa"},
		},
		{
			Name: "max_age", Value: setting.PositiveDuration(&q.MaxAge),
			Doc: "The greatest time since the user logged in at the provider; otherwise 401 " +
				"`step_up_required`",
			Default: "any",
			Example: []string{"15m"},
		},
		{
			Name: "scopes", Value: setting.ListOf(&q.Scopes, "[orders.write]", setting.Each(setting.CheckScope)),
			Doc: "The scopes that must have been granted at the login and not removed by a " +
				"renewal; otherwise 403 `forbidden`. A renewal never adds a scope",
			Example: []string{"[orders.read]"},
		},
		{
			Name: "claims",
			Value: setting.StringMap{
				Into: &q.Claims, Check: setting.AnyText, Example: "department: sales",
			},
			Doc: "The claims that the user must have, each with a value; a claim that is a list " +
				"must contain the value; otherwise 403 `forbidden`",
			Example: []string{"{department: sales}"},
		},
	}
}

func (r *Route) clientTokenKeys() setting.Block {
	return setting.Block{
		{
			Name: "scopes", Value: setting.ListOf(&r.Scopes, "[orders.read]", setting.Each(setting.CheckScope)),
			Doc: "The scopes of the service's own access token. Only with `token: client` or " +
				"`user_or_client`",
			Example: []string{"", "[catalogue.read]"},
		},
		{
			Name: "provider", Value: setting.String(&r.Provider),
			Doc: "The id of the provider that issues the service's own access token. Required if " +
				"there are several providers. Its `client_auth` can't be `none`",
			Default: "the only provider",
			Example: []string{"", "main"},
		},
	}
}

func (r *Route) streamKeys() setting.Block {
	return setting.Block{
		{
			Name: "timeout", Value: setting.PositiveDuration(&r.Timeout),
			Doc: "How long the API may take from the last byte that the client has sent to the " +
				"first byte of the response; interim responses (1xx) don't count. After that a " +
				"stream may go on. The time also limits how long the API may read nothing of a " +
				"request body. More than 0",
			Example: []string{"30s"},
		},
		{
			Name: "idle_connection_timeout", Value: setting.PositiveDuration(&r.IdleConnectionTimeout),
			Doc: "How long an unused connection to the API is kept. It must be shorter than the " +
				"API's own timeout (5 s for Node, longer for most others): if the API closes a " +
				"connection just as a `POST` is sent, the answer is 502, because it is unknown " +
				"whether the API has processed it. More than 0",
			Example: []string{"4s"},
		},
		{
			Name: "encoded_slashes",
			Value: setting.Enum(&r.EncodedSlashes,
				[]string{"refuse", "allow"}, []bool{false, true}),
			Doc: "Whether `%2F` in a path is forwarded: `refuse` or `allow`. `refuse`: the " +
				"answer is 400. `allow`: it is forwarded unchanged, as GitLab's identifiers " +
				"(`/api/projects/group%2Fproject`) need it. A path still gets 400 if, with its " +
				"slashes decoded, it has a dot or empty segment or could be one of another route " +
				"that requires something else",
			Example: []string{"refuse"},
		},
		{
			Name: "end_with_token", Value: setting.Bool(&r.EndWithToken),
			Doc: "Whether a stream (WebSocket, server-sent events, a long download) ends when " +
				"the access token that it was opened with expires. Otherwise it may last as long " +
				"as the session",
			Example: []string{"false"},
		},
		{
			Name: "shared_cache", Value: setting.Bool(&r.SharedCache),
			Doc: "Whether shared caches may store responses for which the API says `public` or " +
				"`s-maxage`. Only for responses that are the same for everybody",
			Example: []string{"", "true"},
		},
	}
}

// Settings returns the keys that apply to all routes and belong to the block session.
func (o *Options) Settings() setting.Block {
	return setting.Block{
		{
			Name: "max_websockets", Value: setting.Number(&o.MaxWebSockets),
			Doc: "How many WebSockets to routes one session can have open at a replica; more get " +
				"429 `rate_limited`. `0` for no limit. WebSockets without a session are not " +
				"counted; for a route with `token: none`, the API has to limit them",
			Example: []string{"100"},
		},
	}
}

// BodySettings returns the keys that apply to all routes and belong to the block server.
func (o *Options) BodySettings() setting.Block {
	return setting.Block{
		{
			Name: "max_request_body", Value: setting.Bytes(&o.MaxBody),
			Doc: "The largest request body that is forwarded; larger ones get 413 " +
				"`request_too_large`. `0` for no limit",
			Example: []string{"10MiB"},
		},
	}
}
