package handlers

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"reflect"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/keys"
	"github.com/cloakroom/cloakroom/session"
	"github.com/cloakroom/cloakroom/site"
	"github.com/cloakroom/cloakroom/site/sitetest"
)

// Browsers and providers return values that an earlier release sealed. testdata/sealed.json has one
// of each kind; it must not be generated again.
func TestValuesSealedByAnEarlierReleaseOpen(t *testing.T) {
	var e struct {
		Key                    string
		At                     int64
		LogoutState            string `json:"logout_state"`
		Onward, Logins, Silent string
	}
	text, err := os.ReadFile("testdata/sealed.json")
	if err == nil {
		err = json.Unmarshal(text, &e)
	}
	if err != nil {
		t.Fatal(err)
	}
	key, err := keys.Parse(e.Key)
	if err != nil {
		t.Fatal(err)
	}
	ring, at := keys.NewRing(key), time.Unix(e.At, 0)
	if to, ok := newLogoutState(ring).open(e.LogoutState, at); !ok || to != "/bye" {
		t.Errorf("state of a logout = %q %v", to, ok)
	}
	want := handoff{Handle: "handle", Provider: "main", Return: "/bye?a=1&b=2", Sealed: e.At}
	if got, ok := newHandoffCodec(ring).open(e.Onward, at); !ok || got != want {
		t.Errorf("handoff of a logout = %+v %v, want %+v", got, ok, want)
	}
	silent := silentLogin{Session: session.Name("some-session"), Kept: true, Started: at.UnixMilli()}
	if got, ok := newSilentCodec(ring).open(e.Silent, at); !ok || got != silent {
		t.Errorf("silent login = %+v %v", got, ok)
	}
	r := httptest.NewRequest(http.MethodGet, "/bff/login", nil)
	r.AddCookie(&http.Cookie{Name: "__Host-Http-cloakroom-logins", Value: e.Logins})
	app := sitetest.New(t, "https://app.example.com", site.Options{})
	logins := []int64{1795000000000, 1795000001000}
	if got := newLoops(app, ring).recent(r); !reflect.DeepEqual(got, logins) {
		t.Errorf("recent logins = %v, want %v", got, logins)
	}
}
