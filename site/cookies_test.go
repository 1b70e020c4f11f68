package site_test

import (
	"net/http"
	"testing"

	"github.com/cloakroom/cloakroom/site"
	"github.com/cloakroom/cloakroom/site/sitetest"
)

func TestCookiesHaveAPrefixOnHTTPSAlone(t *testing.T) {
	s := sitetest.New(t, "https://app.example.com", site.Options{CookieName: "app", SameSite: http.SameSiteLaxMode})
	if s.SessionCookie() != "__Host-Http-app" || !s.Secure() || s.StrictCookie() {
		t.Errorf("on https: %q, secure %v, strict %v", s.SessionCookie(), s.Secure(), s.StrictCookie())
	}
	s = sitetest.New(t, "http://localhost:8081", site.Options{CookieName: "app"})
	if s.SessionCookie() != "app" || s.Secure() || !s.StrictCookie() {
		t.Errorf("on http: %q, secure %v, strict %v", s.SessionCookie(), s.Secure(), s.StrictCookie())
	}
}

func TestOtherCookiesAreNamedAfterTheSessionCookie(t *testing.T) {
	s := sitetest.New(t, "https://app.example.com", site.Options{})
	if got := s.AttemptCookie("x"); got != "__Host-Http-cloakroom-attempt-x" {
		t.Errorf("attempt cookie = %q", got)
	}
	if got := s.LoginsCookie(); got != "__Host-Http-cloakroom-logins" {
		t.Errorf("logins cookie = %q", got)
	}
}

// SC1, SC3: no script and no other host gets a cookie, and only the session cookie can be strict.
func TestAttributesOfCookies(t *testing.T) {
	for _, c := range []struct {
		public   string
		sameSite http.SameSite
		want     string // the session cookie
		attempt  string
	}{
		{
			"https://app.example.com", 0,
			"__Host-Http-cloakroom=v; Path=/; HttpOnly; Secure; SameSite=Strict",
			"__Host-Http-cloakroom-attempt-=v; Path=/; HttpOnly; Secure; SameSite=Lax",
		},
		{
			"https://app.example.com", http.SameSiteLaxMode,
			"__Host-Http-cloakroom=v; Path=/; HttpOnly; Secure; SameSite=Lax",
			"__Host-Http-cloakroom-attempt-=v; Path=/; HttpOnly; Secure; SameSite=Lax",
		},
		{
			"http://localhost", 0,
			"cloakroom=v; Path=/; HttpOnly; SameSite=Strict",
			"cloakroom-attempt-=v; Path=/; HttpOnly; SameSite=Lax",
		},
	} {
		s := sitetest.New(t, c.public, site.Options{SameSite: c.sameSite})
		if got := s.NewCookie(s.SessionCookie(), "v").String(); got != c.want {
			t.Errorf("session cookie %q, want %q", got, c.want)
		}
		if got := s.NewCookie(s.AttemptCookie(""), "v").String(); got != c.attempt {
			t.Errorf("attempt cookie %q, want %q", got, c.attempt)
		}
	}
}

// SC7: names that only some servers take for ours count as ours; those of other apps do not.
func TestOwnCookiesAreKnownInAnySpelling(t *testing.T) {
	s := sitetest.New(t, "https://app.example.com", site.Options{})
	for name, want := range map[string]bool{
		"__Host-Http-cloakroom": true, "__host-http-CLOAKROOM": true, " __Host-Http-cloakroom\t": true,
		"__Host-Http-cloakroom-attempt-x": true, "__Host-Http-cloakroom-attempt-": true, "__Host-Http-Cloakroom-Logins": true,
		"cloakroom": false, "__Host-cloakroom": false, "__Host-Http-cloakroom-attempt": false,
		"__Host-Http-cloakroom-logins2": false, "__Host-Http-cloakroomx": false, "": false,
	} {
		if got := s.OwnCookie(name); got != want {
			t.Errorf("%q is ours = %v, want %v", name, got, want)
		}
	}
}

// PX6, SC7, SC8: our cookies are removed; every other byte stays.
func TestOtherCookiesStayByteForByte(t *testing.T) {
	s := sitetest.New(t, "https://app.example.com", site.Options{})
	for in, want := range map[string]string{
		`a=1; __Host-Http-cloakroom=t; b="x; y"`:                             `a=1; b="x; y"`,
		"__Host-Http-cloakroom=t":                                            "",
		"__Host-Http-cloakroom-attempt-1=t; c=3":                             "c=3",
		"__host-http-CLOAKROOM=t;c":                                          "c",
		";; a ;=x; b=\xff":                                                   ";; a ;=x; b=\xff",
		"cloakroom=other app's; __Host-Http-cloakroom =t; cloakroom-attempt": "cloakroom=other app's; cloakroom-attempt",
	} {
		h := http.Header{"Cookie": {in}}
		s.StripCookies(h)
		if got := h.Get("Cookie"); got != want {
			t.Errorf("%q became %q, want %q", in, got, want)
		}
	}
}
