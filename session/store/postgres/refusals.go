package postgres

import (
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/cloakroom/cloakroom/session/store/layout"
)

// What a server answers is told by a code, SQLSTATE (PostgreSQL manual, Appendix A).
const (
	readOnly       = "25006" // read_only_sql_transaction
	undefinedTable = "42P01"
	shutdown       = "57P01" // admin_shutdown; what was under way may have been committed
	crashShutdown  = "57P02"
	notYet         = "57P03" // cannot_connect_now
)

// leaving are the answers after which all connections are given up: the server is the primary no more, or will be gone in
// a moment.
var leaving = []string{readOnly, shutdown, crashShutdown, notYet}

// remedies say what to do about an answer that will be the same tomorrow. A code's first two characters are
// its class; the first that fits is taken.
var remedies = []struct{ code, remedy string }{
	{"28", "check user and password in the URL, and what the server's pg_hba.conf allows"},
	{"3D", "create the database, or name another in the URL"},
	{"42501", "grant CREATE on the database, or make the schema and everything in it this user's"},
	{"42704", "check the URL's parameters: the server does not know one of them"},
	{"42", "check the schema's name, and that nothing else is kept in it"},
}

// remedyOf is what to do about err; false when it may pass by itself, as a server that is down does.
func remedyOf(err error) (string, bool) {
	if _, ok := errors.AsType[*layout.MismatchError](err); ok {
		return "", true // it says so itself
	}
	refused, ok := errors.AsType[*pgconn.PgError](err)
	if !ok {
		return "", false
	}
	for _, r := range remedies {
		if strings.HasPrefix(refused.Code, r.code) {
			return r.remedy, true
		}
	}
	return "", false
}

// isLasting reports whether the server answered, and will answer the same tomorrow.
func isLasting(err error) bool {
	_, lasting := remedyOf(err)
	return lasting
}

// explained adds what to do.
func explained(err error) error {
	if remedy, ok := remedyOf(err); ok && remedy != "" {
		return fmt.Errorf("%w; %s", err, remedy)
	}
	return err
}
