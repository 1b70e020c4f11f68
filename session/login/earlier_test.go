package login

import (
	"encoding/json"
	"os"
	"reflect"
	"testing"

	"github.com/cloakroom/cloakroom/keys"
	"github.com/cloakroom/cloakroom/site"
	"github.com/cloakroom/cloakroom/site/sitetest"
)

// A person may be at the provider while this service is replaced: testdata/sealed.json holds an
// attempt that an earlier release sealed. It is never written again.
func TestAttemptThatWasSealedEarlierOpens(t *testing.T) {
	var e struct {
		Key, Name, Value string
		Attempt          *attempt
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
	if got, err := testCodec(key).open(e.Name, e.Value); err != nil || !reflect.DeepEqual(got, e.Attempt) {
		t.Errorf("attempt = %+v, %v, want %+v", got, err, e.Attempt)
	}
	if name := (cookies{site: sitetest.New(t, "https://app.example.com", site.Options{})}).name(e.Attempt.State); name != e.Name {
		t.Errorf("its cookie's name = %q, want %q", name, e.Name)
	}
}
