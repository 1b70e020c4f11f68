module github.com/cloakroom/cloakroom

go 1.26.8

require (
	github.com/alexedwards/scs/v2 v2.9.0 // sessions at the browser: new tickets, deadlines, logout, cookie
	github.com/cenkalti/backoff/v5 v5.0.3 // pauses between tries
	github.com/coder/websocket v1.8.15 // demo: the sample API's WebSocket
	github.com/coreos/go-oidc/v3 v3.21.0 // judges ID tokens, logout tokens and signed userinfo
	github.com/coreos/go-systemd/v22 v22.7.0 // systemd: socket activation, readiness
	github.com/dustin/go-humanize v1.1.0 // sizes such as 10MiB in the configuration
	github.com/go-jose/go-jose/v4 v4.1.8 // signs client assertions, checks signatures, reads key sets
	github.com/google/go-cmp v0.7.0 // tests: readable differences between values
	github.com/gorilla/securecookie v1.1.2 // signs and encrypts cookies and stored values
	github.com/hashicorp/golang-lru/v2 v2.0.7 // caches of limited size
	github.com/jackc/pgx/v5 v5.12.0 // the PostgreSQL store, its pool and its notifications
	github.com/labstack/echo/v4 v4.16.0 // routes and middleware of both listeners
	github.com/mileusna/useragent v1.3.5 // browser and system of each session, for the sessions page
	github.com/prometheus/client_golang v1.25.0 // metrics in Prometheus's format
	github.com/redis/rueidis v1.0.79 // the Redis store, cluster and sentinel included
	github.com/rogpeppe/go-internal v1.16.0 // tests: command lines as scripts
	github.com/sony/gobreaker/v2 v2.4.0 // circuit breaker before the store
	github.com/spf13/cobra v1.10.2 // subcommands, their flags and help
	github.com/zitadel/oidc/v3 v3.47.5 // demo: the development provider's protocol
	go.uber.org/goleak v1.3.0 // tests: no goroutine outlives its owner
	go.yaml.in/yaml/v3 v3.0.6 // reads the configuration with the line and column of each value
	golang.org/x/net v0.62.0 // public suffix list, syntax of HTTP fields
	golang.org/x/oauth2 v0.37.0 // token requests, PKCE and their errors
	golang.org/x/sync v0.24.0 // groups of goroutines; semaphores and one fetch for all who wait
	golang.org/x/sys v0.49.0 // Linux: state of TCP connections, clock that counts suspend
	golang.org/x/text v0.43.0 // languages of pages; lookalike characters in paths
	golang.org/x/time v0.16.0 // rate limits
	google.golang.org/grpc v1.85.0 // tests: gRPC through the proxy
	google.golang.org/protobuf v1.36.12 // tests: messages for gRPC
	modernc.org/sqlite v1.61.1 // the SQLite store, without cgo
)

require (
	github.com/beorn7/perks v1.0.1 // indirect
	github.com/bmatcuk/doublestar/v4 v4.10.0 // indirect
	github.com/cespare/xxhash/v2 v2.3.0 // indirect
	github.com/go-chi/chi/v5 v5.2.5 // indirect
	github.com/go-logr/logr v1.4.4 // indirect
	github.com/go-logr/stdr v1.2.2 // indirect
	github.com/google/uuid v1.6.0 // indirect
	github.com/inconshreveable/mousetrap v1.1.0 // indirect
	github.com/jackc/pgpassfile v1.0.0 // indirect
	github.com/jackc/pgservicefile v0.0.0-20240606120523-5a60cdf6a761 // indirect
	github.com/jackc/puddle/v2 v2.2.3 // indirect
	github.com/kylelemons/godebug v1.1.0 // indirect
	github.com/labstack/gommon v0.5.0 // indirect
	github.com/mattn/go-colorable v0.1.15 // indirect
	github.com/mattn/go-isatty v0.0.24 // indirect
	github.com/muhlemmer/gu v0.3.1 // indirect
	github.com/muhlemmer/httpforwarded v0.1.0 // indirect
	github.com/munnerz/goautoneg v0.0.0-20191010083416-a7dc8b61c822 // indirect
	github.com/ncruces/go-strftime v1.1.0 // indirect
	github.com/prometheus/client_model v0.6.3 // indirect
	github.com/prometheus/common v0.72.0 // indirect
	github.com/prometheus/procfs v0.22.0 // indirect
	github.com/remyoudompheng/bigfft v0.0.0-20230129092748-24d4a6f8daec // indirect
	github.com/rs/cors v1.11.1 // indirect
	github.com/santhosh-tekuri/jsonschema/v6 v6.0.3 // tests: the JSON Schema of the configuration
	github.com/sirupsen/logrus v1.9.4 // indirect
	github.com/spf13/pflag v1.0.9 // indirect
	github.com/valyala/bytebufferpool v1.0.0 // indirect
	github.com/valyala/fasttemplate v1.2.2 // indirect
	github.com/zitadel/logging v0.7.0 // indirect
	github.com/zitadel/schema v1.3.2 // indirect
	go.opentelemetry.io/auto/sdk v1.2.1 // indirect
	go.opentelemetry.io/otel v1.45.0 // indirect
	go.opentelemetry.io/otel/metric v1.45.0 // indirect
	go.opentelemetry.io/otel/trace v1.45.0 // indirect
	golang.org/x/crypto v0.58.0 // indirect
	golang.org/x/tools v0.52.0 // indirect
	google.golang.org/genproto/googleapis/rpc v0.0.0-20260817212433-ac3dfec99bb1 // indirect
	modernc.org/libc v1.79.0 // indirect
	modernc.org/mathutil v1.7.1 // indirect
	modernc.org/memory v1.12.1 // indirect
)
