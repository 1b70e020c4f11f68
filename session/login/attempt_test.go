package login

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/keys"
	"github.com/cloakroom/cloakroom/site"
	"github.com/cloakroom/cloakroom/site/sitetest"
)

func key(b byte) keys.Key { return keys.Key{b} }

func testCodec(first keys.Key, others ...keys.Key) codec {
	return newCodec(keys.NewRing(first, others...))
}

// LS14, CB1: no altered cookie opens, and base64 that decodes to the same bytes is altered too.
func TestAlteredAttemptCookieDoesNotOpen(t *testing.T) {
	c := testCodec(key(1))
	value, err := c.seal("attempt-x", newAttempt("main", "/orders?id=1&x=<>", time.Now()))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.open("attempt-x", value); err != nil {
		t.Fatalf("the untouched cookie does not open: %v", err)
	}
	if strings.Contains(value, "orders") {
		t.Error("the return URL is in the clear")
	}
	for i := range len(value) {
		for _, b := range []byte{value[i] ^ 1, value[i] ^ 2, 'A', '=', '\n', '-', 0} {
			if altered := value[:i] + string(b) + value[i+1:]; altered != value {
				if _, err := c.open("attempt-x", altered); err == nil {
					t.Fatalf("opens with byte %d changed from %q to %q", i, value[i], b)
				}
			}
		}
	}
	for _, other := range []string{"", value[:len(value)-1], value + "=", value + "\n", value[:10] + "\r\n" + value[10:], value + value} {
		if _, err := c.open("attempt-x", other); err == nil {
			t.Errorf("opens as %q", other)
		}
	}
	if _, err := c.open("attempt-y", value); err == nil {
		t.Error("opens under the name of another attempt")
	}
}

func TestAttemptsOutliveAChangeOfKeys(t *testing.T) {
	before, during, after := testCodec(key(1)), testCodec(key(2), key(1)), testCodec(key(2))
	old, err := before.seal("n", newAttempt("main", "/", time.Now()))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := during.open("n", old); err != nil {
		t.Errorf("an attempt of the old key does not open: %v", err)
	}
	if _, err := after.open("n", old); err == nil {
		t.Error("an attempt opens without its key")
	}
	fresh, err := during.seal("n", newAttempt("main", "/", time.Now()))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := after.open("n", fresh); err != nil {
		t.Errorf("the first key is not the one that seals: %v", err)
	}
}

func TestLoginWithoutKeysIsRefused(t *testing.T) {
	if _, err := New(Options{Site: sitetest.New(t, "http://localhost", site.Options{})}); err == nil {
		t.Error("logins are set up without a key")
	}
}

// LS4: nothing repeats, nothing is short, nothing has a common beginning.
func TestAttemptsAreUnguessable(t *testing.T) {
	seen, first := map[string]bool{}, map[byte]bool{}
	for range 1000 {
		a := newAttempt("main", "/", time.Now())
		for _, s := range []string{a.State, a.Nonce, a.Verifier} {
			if seen[s] || len(s) < 22 {
				t.Fatalf("%q repeats or is short", s)
			}
			seen[s] = true
		}
		if len(a.Nonce) > 64 || len(a.Verifier) < 43 || len(a.Verifier) > 128 { // LS3
			t.Fatalf("nonce of %d and verifier of %d characters", len(a.Nonce), len(a.Verifier))
		}
		first[a.State[0]] = true
	}
	if len(first) < 10 {
		t.Errorf("1,000 states begin with %d different characters", len(first))
	}
}

// CB1: the time sealed inside decides.
func TestAttemptExpiresByTheTimeInside(t *testing.T) {
	start := time.Unix(1_800_000_000, 0)
	a := newAttempt("main", "/", start)
	for after, want := range map[time.Duration]bool{
		0: false, attemptLife: false, attemptLife + time.Second: true, 24 * time.Hour: true, -30 * time.Second: false, -time.Hour: true,
	} {
		if got := a.expired(start.Add(after)); got != want {
			t.Errorf("expired after %v = %v, want %v", after, got, want)
		}
	}
}

// SC9: the largest attempt that can be still fits into what browsers keep.
func TestLargestAttemptFitsIntoACookie(t *testing.T) {
	a := newAttempt(strings.Repeat("p", 64), "/"+strings.Repeat("&", site.MaxReturnURL-1), time.Now())
	seconds := int64(999_999_999)
	a.MaxAge, a.PromptLogin, a.Silent, a.Previous = &seconds, true, true, "0123456789012345678901234567890123456789012"
	if _, err := testCodec(key(1)).seal("__Host-Http-cloakroom-attempt-0123456789abcdef", a); err != nil {
		t.Error(err)
	}
	a.Return += strings.Repeat("x", 300)
	if _, err := testCodec(key(1)).seal("__Host-Http-cloakroom-attempt-0123456789abcdef", a); err == nil {
		t.Error("a cookie that browsers drop is sealed")
	}
}

// A drawer is a browser's cookies, as far as these tests need one.
type drawer map[string]string

func (d drawer) request() *http.Request {
	r := httptest.NewRequest(http.MethodGet, "/bff/login", nil)
	for name, value := range d {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	return r
}

func (d drawer) take(t *testing.T, answer *http.Response) {
	t.Helper()
	for _, c := range answer.Cookies() {
		if c.MaxAge < 0 {
			delete(d, c.Name)
			continue
		}
		if len(c.Name)+len(c.Value) > maxCookie {
			t.Errorf("%s has %d bytes", c.Name, len(c.Value))
		}
		d[c.Name] = c.Value
	}
}

// LS10: of fifty attempts the newest five stay, and requests stay small, whatever the return URLs
// are.
func TestBrowserHoldsFiveAttemptsAtMost(t *testing.T) {
	for _, length := range []int{1, 300, site.MaxReturnURL} {
		t.Run(fmt.Sprint(length), func(t *testing.T) {
			now := time.Unix(1_800_000_000, 0)
			jar := cookies{
				site:  sitetest.New(t, "https://app.example.com", site.Options{}),
				codec: testCodec(key(1)), now: func() time.Time { return now },
			}
			browser := drawer{"theme": "dark"}
			var states []string
			for range 50 {
				now = now.Add(time.Second)
				a := newAttempt("main", "/"+strings.Repeat("a", length-1), now)
				states = append(states, a.State)
				rec := httptest.NewRecorder()
				if err := jar.set(rec, browser.request(), a, false); err != nil {
					t.Fatal(err)
				}
				browser.take(t, rec.Result())
				size := 0
				for name, value := range browser {
					size += len(name) + len(value) + 3
				}
				if len(browser)-1 > maxAttempts || size > 7000 {
					t.Fatalf("the browser holds %d attempts in %d bytes", len(browser)-1, size)
				}
			}
			if _, kept := browser["theme"]; !kept {
				t.Error("the app's own cookie went")
			}
			if length < 500 && len(browser)-1 != maxAttempts {
				t.Errorf("the browser holds %d attempts, want %d", len(browser)-1, maxAttempts)
			}
			for i, state := range states[50-(len(browser)-1):] {
				if a, _ := jar.find(browser.request(), state); a == nil {
					t.Errorf("attempt %d of the newest is gone", i)
				}
			}
		})
	}
}

func TestDeadAttemptsAreTakenBack(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	jar := cookies{
		site:  sitetest.New(t, "http://localhost", site.Options{CookieName: "c"}),
		codec: testCodec(key(1)), now: func() time.Time { return now },
	}
	old := newAttempt("main", "/", now.Add(-time.Hour))
	value, err := jar.codec.seal(jar.name(old.State), old)
	if err != nil {
		t.Fatal(err)
	}
	browser := drawer{jar.name(old.State): value, "c-attempt-junk": "junk", "c": "session"}
	rec := httptest.NewRecorder()
	if err := jar.set(rec, browser.request(), newAttempt("main", "/", now), false); err != nil {
		t.Fatal(err)
	}
	browser.take(t, rec.Result())
	if len(browser) != 2 || browser["c"] != "session" {
		t.Errorf("the browser holds %d cookies, want the session and the new attempt", len(browser))
	}
}

// SC1, SC2, SC10, CB12: attributes of every cookie that is set, deletions included.
func TestAttributesOfAttemptCookies(t *testing.T) {
	for _, c := range []struct {
		secure, formPost bool
		want             http.SameSite
	}{
		{true, false, http.SameSiteLaxMode},
		{true, true, http.SameSiteNoneMode},
		{false, true, http.SameSiteLaxMode}, // browsers take None with Secure alone
	} {
		public := "http://localhost"
		if c.secure {
			public = "https://app.example.com"
		}
		jar := cookies{site: sitetest.New(t, public, site.Options{CookieName: "c"}), codec: testCodec(key(1)), now: time.Now}
		rec := httptest.NewRecorder()
		a := newAttempt("main", "/", time.Now())
		if err := jar.set(rec, drawer{}.request(), a, c.formPost); err != nil {
			t.Fatal(err)
		}
		jar.clear(rec, jar.name(a.State))
		got := rec.Result().Cookies()
		for i, cookie := range got {
			if !cookie.HttpOnly || cookie.Secure != c.secure || cookie.Path != "/" || cookie.Domain != "" {
				t.Errorf("%s", cookie.Raw)
			}
			if i == 0 && (cookie.SameSite != c.want || cookie.MaxAge != 600) {
				t.Errorf("form_post %v, secure %v: %s", c.formPost, c.secure, cookie.Raw)
			}
		}
		if strings.Contains(got[0].Raw, a.State) {
			t.Error("the cookie shows the state")
		}
	}
}

// SC6, SC7: of several cookies by one name the one that opens counts; quoted values are nobody's.
func TestPlantedAttemptCookieKeepsNobodyOut(t *testing.T) {
	jar := cookies{site: sitetest.New(t, "http://localhost", site.Options{CookieName: "c"}), codec: testCodec(key(1)), now: time.Now}
	a := newAttempt("main", "/", time.Now())
	name := jar.name(a.State)
	value, err := jar.codec.seal(name, a)
	if err != nil {
		t.Fatal(err)
	}
	for header, want := range map[string]bool{
		name + "=planted; " + name + "=" + value: true,
		name + "=" + value + "; " + name + "=x":  true,
		name + "=x; " + name + "=y":              false,
		name + `="` + value + `"`:                false,
		"=" + name + "=" + value:                 false,
		strings.ToUpper(name) + "=" + value:      false,
		"\xe2\x80\x80" + name + "=" + value:      false,
		"$Version=1; " + name + "=" + value:      true,
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("Cookie", header)
		if got, _ := jar.find(r, a.State); (got != nil) != want {
			t.Errorf("found with %.40q… = %v, want %v", header, got != nil, want)
		}
	}
}
