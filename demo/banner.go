package demo

import (
	"fmt"

	"github.com/cloakroom/cloakroom/demo/devprovider"
)

// greet prints what to do and what to look at.
func (s *stage) greet() {
	a := s.addresses()
	p := func(format string, args ...any) { _, _ = fmt.Fprintf(s.options.Out, format, args...) } // a closed terminal stops nothing
	p("\n  cloakroom demo — for looking and trying, never for production\n\n")
	p("  Open         %s\n", a.App)
	for i, u := range devprovider.Users() {
		label := ""
		if i == 0 {
			label = "Log in as"
		}
		p("  %-11s  %-6s password %s\n", label, u.Username, u.Password)
	}
	p("\n  Watch        the access token run out after %s and be renewed unseen\n", s.options.AccessTokenLifetime)
	p("               the calls to the API go on while it is\n")
	p("               the developer tools: one HttpOnly cookie, no token anywhere\n")
	p("               a logout in one tab reach the other\n")
	p("\n  Provider     %s  (its page logs you out everywhere; %s/dev/status counts)\n", a.Provider, a.Provider)
	p("  Metrics      %s/metrics, health on /healthz and /readyz\n", a.Admin)
	p("\n  Stop with Ctrl-C; nothing is kept.\n\n")
}
