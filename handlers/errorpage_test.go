package handlers_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/cloakroom/cloakroom/problem"
	"github.com/cloakroom/cloakroom/session"
	"github.com/cloakroom/cloakroom/session/login"
)

// Error pages state the same facts as the problem details, in the user's language. The golden files
// are without the style sheet, which belongs to package templates.
func TestErrorPages(t *testing.T) {
	nasty := `<script>alert("x")</script>` + `' onload="x`
	for name, c := range map[string]struct {
		err     error
		headers []string
	}{
		"csrf.html": {problem.New(problem.CSRF), nil},
		"not_authenticated.html": {session.ErrNoSession, []string{
			"Referer", origin + "/orders?id=1", "Accept-Language", "ja,en;q=0.5",
		}},
		"internal_error.html": {errors.New("disk on fire"), nil},
		"access_denied.html": {&login.Failure{
			Kind: problem.AccessDenied, Provider: "main", Code: "access_denied", Description: nasty,
			ReturnURL: "/orders?id=1&x=%22",
		}, nil},
		// Here Code is the rule that the response broke, which is not shown as the provider's
		// words.
		"invalid_response.html": {&login.Failure{
			Kind: problem.InvalidResponse, Code: "iss missing", ReturnURL: "/",
		}, []string{"Accept-Language", "ko"}},
		"provider_unreachable.html": {&login.Failure{
			Kind: problem.ProviderUnreachable, ReturnURL: "/",
		}, nil},
	} {
		headers := append([]string{"Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document"}, c.headers...)
		a := receive(t, c.err, http.MethodGet, headers...)
		if want := problem.From(c.err).Status; a.StatusCode != want {
			t.Errorf("%s: status = %d, want %d", name, a.StatusCode, want)
		}
		if got := a.Header.Get("Content-Type"); got != "text/html; charset=utf-8" {
			t.Errorf("%s: Content-Type = %q", name, got)
		}
		for _, header := range []string{ // BR2, BR4, CB13
			"Content-Security-Policy", "Referrer-Policy", "X-Content-Type-Options",
		} {
			if a.Header.Get(header) == "" {
				t.Errorf("%s: no %s", name, header)
			}
		}
		vary := strings.Join(a.Header.Values("Vary"), ",")
		if a.Header.Get("Cache-Control") != "no-store" || !strings.Contains(vary, "Sec-Fetch-Mode") {
			t.Errorf("%s: %v", name, a.Header)
		}
		for _, raw := range []string{"<script>alert", `onload="`, "http://", "https://"} { // CB10, CB13
			if strings.Contains(a.body, raw) {
				t.Errorf("%s holds %s", name, raw)
			}
		}
		if !strings.Contains(a.body, "REQUEST-1") {
			t.Errorf("%s does not show the request id", name)
		}
		golden(t, name, withoutStyle(a.body))
	}
}

func withoutStyle(page string) string {
	before, rest, found := strings.Cut(page, "<style>")
	if !found {
		return page
	}
	_, after, _ := strings.Cut(rest, "</style>")
	return before + after
}

// BR5: the same error is answered with problem details for programs and with a page for people.
func TestProgramsGetDetailsAndPeopleAPage(t *testing.T) {
	for _, c := range []struct {
		want    string
		headers []string
	}{
		{"application/problem+json", []string{"Sec-Fetch-Mode", "cors", "Accept", "text/html"}},
		{"application/problem+json", []string{"Accept", "text/html", "X-Requested-With", "XMLHttpRequest"}},
		{"application/problem+json", nil},
		{"text/html; charset=utf-8", []string{"Accept", "text/html"}},
		{"text/html; charset=utf-8", []string{"Sec-Fetch-Mode", "navigate"}},
	} {
		a := receive(t, session.ErrNoSession, http.MethodGet, c.headers...)
		got, to := a.Header.Get("Content-Type"), a.Header.Get("Location")
		if got != c.want || a.StatusCode != http.StatusUnauthorized || to != "" {
			t.Errorf("answer to %q = %d %s, Location %q", c.headers, a.StatusCode, got, to)
		}
	}
}
