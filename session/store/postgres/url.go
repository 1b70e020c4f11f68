package postgres

import (
	"errors"
	"net/url"
	"regexp"

	"github.com/jackc/pgx/v5/pgxpool"
)

const defaultConnections = 10

// validSchema matches names that need no quotes anywhere.
var validSchema = regexp.MustCompile(`^[a-z_][a-z0-9_]{0,62}$`)

// parse reads postgres://user:password@host:port/database?parameters, with the parameters of
// PostgreSQL's own programs (several hosts with target_session_attrs=read-write, sslmode,
// sslrootcert, connect_timeout) and of pgxpool (pool_max_conns, default 10, and others). One
// parameter is this store's own: schema, default cloakroom, is the schema that it creates and keeps
// everything in.
func parse(raw string) (*pgxpool.Config, string, error) {
	schema := "cloakroom"
	u, err := url.Parse(raw)
	if err != nil || u.Scheme != "postgres" && u.Scheme != "postgresql" {
		return nil, "", errors.New("it is not a URL such as " +
			"postgres://user:password@host:5432/database; " +
			"special characters in a password must be percent-encoded")
	}
	q := u.Query()
	if q.Has("schema") {
		schema = q.Get("schema")
		q.Del("schema")
		u.RawQuery = q.Encode()
	}
	if !validSchema.MatchString(schema) {
		return nil, "", errors.New(
			"schema may have up to 63 small letters, digits and _, and begins with no digit",
		)
	}
	cfg, err := pgxpool.ParseConfig(u.String())
	if err != nil { // its text may contain secrets of the URL
		return nil, "", errors.New(
			"a parameter has a value that is not known, or a file that it names can't be read",
		)
	}
	if !q.Has("pool_max_conns") {
		cfg.MaxConns = defaultConnections
	}
	slow := cfg.ConnConfig.ConnectTimeout > dialTime && !q.Has("connect_timeout")
	if cfg.ConnConfig.ConnectTimeout == 0 || slow {
		cfg.ConnConfig.ConnectTimeout = dialTime
	}
	cfg.ConnConfig.DialFunc = dial
	params := cfg.ConnConfig.RuntimeParams
	params["search_path"] = schema
	if params["application_name"] == "" {
		params["application_name"] = "cloakroom"
	}
	return cfg, schema, nil
}
