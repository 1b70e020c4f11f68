package session_test

import (
	"context"
	"strings"
	"testing"

	"github.com/cloakroom/cloakroom/session"
)

// SC6: cookies of our name that a sibling subdomain plants neither choose the session nor lock
// anyone out.
func TestOfSeveralCookiesTheFirstLiveSessionCounts(t *testing.T) {
	w := newWorld(t)
	alice, good := w.start()
	ended, dead := w.start()
	bob, other := w.start(func(r *session.Record) { r.Subject = "bob" })
	if err := w.End(context.Background(), ended.Name, session.ReasonLogout); err != nil {
		t.Fatal(err)
	}
	pair := func(value string) string { return cookieName + "=" + value }
	for what, tt := range map[string]struct {
		lines []string
		want  session.Name
	}{
		"bad first":              {[]string{pair("bad") + "; " + pair(good.Value)}, alice.Name},
		"bad last":               {[]string{pair(good.Value) + "; " + pair("bad")}, alice.Name},
		"dead first":             {[]string{pair(dead.Value) + "; " + pair(good.Value)}, alice.Name},
		"on two lines":           {[]string{pair("bad"), pair(good.Value)}, alice.Name},
		"two live ones":          {[]string{pair(good.Value) + "; " + pair(other.Value)}, alice.Name},
		"two live ones, swapped": {[]string{pair(other.Value) + "; " + pair(good.Value)}, bob.Name},
		"thirty bad ones first":  {[]string{strings.Repeat(pair("bad")+"; ", 30) + pair(good.Value)}, alice.Name},
		"without spaces":         {[]string{"a=b;" + pair(good.Value) + ";c=d"}, alice.Name},
	} {
		s, err := w.FromRequest(request(tt.lines...))
		if err != nil || s.Name != tt.want {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// SC6, ST4: how much one request can cost is bounded.
func TestManyWellSignedCookiesCostFewReads(t *testing.T) {
	w := newWorld(t, noCache)
	var line strings.Builder
	for range 20 {
		s, c := w.start()
		if err := w.store.Behind.Records.End(context.Background(), string(s.Name), string(session.ReasonLogout), s.LastActive); err != nil {
			t.Fatal(err)
		}
		line.WriteString(c.Name + "=" + c.Value + "; ")
	}
	loads := w.store.Loads.Load()
	_, err := w.FromRequest(request(line.String()))
	w.wantGone(err)
	if n := w.store.Loads.Load() - loads; n > 4 {
		t.Errorf("store reads = %d, want at most 4", n)
	}
}

// SC7: what looks like the name is not the name.
func TestLookAlikesOfTheCookieAreIgnored(t *testing.T) {
	w := newWorld(t)
	_, c := w.start()
	for _, line := range []string{
		"=" + cookieName + "=" + c.Value,
		"\xe2\x80\x80" + cookieName + "=" + c.Value,
		"\u00a0" + cookieName + "=" + c.Value,
		"\x85" + cookieName + "=" + c.Value,
		strings.ToLower(cookieName) + "=" + c.Value,
		strings.ToUpper(cookieName) + "=" + c.Value,
		"cloakroom=" + c.Value, // SC14: on https the unprefixed name is nobody's
		"__Host-cloakroom=" + c.Value,
		cookieName + ` ="` + c.Value + `"`,
		cookieName + `="` + c.Value + `"`,
		cookieName + " =" + c.Value,
		cookieName + "\x00=" + c.Value,
		"$Version=1, " + cookieName + "=" + c.Value,
		`$Version="1", ` + cookieName + "=" + c.Value,
		"a=b, " + cookieName + "=" + c.Value,
		"a=\"; " + strings.ToLower(cookieName) + "=" + c.Value + "\"",
	} {
		_, err := w.FromRequest(request(line))
		w.wantGone(err)
	}
}

// SC8: net/http returns no cookie at all above a count limit; ours is found all the same.
func TestCookieFloodHidesNothing(t *testing.T) {
	w := newWorld(t)
	s, c := w.start()
	flood := strings.Repeat("a=b; ", 4000)
	r := request(flood + c.Name + "=" + c.Value)
	if len(r.Cookies()) != 0 {
		t.Log("net/http reads so many cookies by now")
	}
	if found, err := w.FromRequest(r); err != nil || found.Name != s.Name {
		t.Errorf("behind 4,000 cookies: %v", err)
	}
}
