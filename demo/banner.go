package demo

import (
	"fmt"

	"github.com/cloakroom/cloakroom/demo/devprovider"
)

// printBanner prints the addresses, the users and what to try. It ignores errors: the demo goes on
// if the terminal is closed.
func (s *stage) printBanner() {
	a := s.addresses()
	p := func(format string, args ...any) { _, _ = fmt.Fprintf(s.options.Out, format, args...) }
	p("\n  cloakroom demo — for trying things out, never for production\n\n")
	p("  Open         %s\n", a.App)
	for i, u := range devprovider.Users() {
		label := ""
		if i == 0 {
			label = "Log in as"
		}
		p("  %-11s  %-6s password %s\n", label, u.Username, u.Password)
	}
	p("\n  Try          Watch the access token expire after %s and be renewed.\n", s.options.AccessTokenLifetime)
	p("               Calls to the API continue meanwhile.\n")
	p("               Look into the developer tools: one HttpOnly cookie, and no token.\n")
	p("               Log out in one tab, and see it in another.\n")
	p("\n  Provider     %s  (log out everywhere there; statistics at %s/dev/status)\n", a.Provider, a.Provider)
	p("  Metrics      %s/metrics; health at /healthz and /readyz\n", a.Admin)
	p("\n  Stop with Ctrl-C; nothing is kept.\n\n")
}
