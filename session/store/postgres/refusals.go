package postgres

import (
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/cloakroom/cloakroom/session/store/layout"
)

// These are SQLSTATE codes of a server's errors (PostgreSQL manual, Appendix A).
const (
	readOnly         = "25006" // read_only_sql_transaction
	undefinedTable   = "42P01" // undefined_table
	adminShutdown    = "57P01" // the transaction under way may have been committed
	crashShutdown    = "57P02"
	cannotConnectNow = "57P03"
)

// resetCodes are the errors after which all connections are closed: the server is no longer the
// primary, or is about to stop.
var resetCodes = []string{readOnly, adminShutdown, crashShutdown, cannotConnectNow}

// remedies tell operators what to do about errors that don't go away by themselves. The first two
// characters of a code are its class; the first entry that is a prefix of the code counts.
var remedies = []struct{ code, remedy string }{
	{"28", "check user and password in the URL, and what the server's pg_hba.conf allows"},
	{"3D", "create the database, or name another in the URL"},
	{"42501", "grant CREATE on the database, or make the schema and everything in it this user's"},
	{"42704", "check the URL's parameters: the server does not know one of them"},
	{"42", "check the schema's name, and that nothing else is kept in it"},
}

// remedyOf returns the remedy for err. It returns false if the error may go away by itself, such as
// that of a server that is down.
func remedyOf(err error) (string, bool) {
	if _, ok := errors.AsType[*layout.MismatchError](err); ok {
		return "", true // the error itself says what to do
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

// isPermanent reports whether the server answered with an error that does not go away by itself.
func isPermanent(err error) bool {
	_, permanent := remedyOf(err)
	return permanent
}

// withRemedy adds the remedy for err to its text.
func withRemedy(err error) error {
	if remedy, ok := remedyOf(err); ok && remedy != "" {
		return fmt.Errorf("%w; %s", err, remedy)
	}
	return err
}
