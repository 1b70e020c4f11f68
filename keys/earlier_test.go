package keys_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"testing"

	"github.com/cloakroom/cloakroom/keys"
)

// earlier holds values that releases before this package sealed under one key, one for each
// purpose. Browsers and stores hold values like these. The file must not be written again.
type earlier struct {
	Key    string `json:"key"`
	KeyID  string `json:"key_id"`
	Values []struct {
		Purpose    string `json:"purpose"`
		SignedOnly bool   `json:"signed_only"`
		Limit      int    `json:"limit"`
		Name       string `json:"name"`
		Plain      []byte `json:"plain"`
		Value      string `json:"value"`
	} `json:"values"`
	Record struct {
		Name   string `json:"name"`
		Plain  []byte `json:"plain"`
		Sealed []byte `json:"sealed"`
	} `json:"record"`
	Fingerprint struct {
		Parts []string `json:"parts"`
		Value string   `json:"value"`
	} `json:"fingerprint"`
}

func readEarlier(t *testing.T) (e earlier, ring *keys.Ring) {
	t.Helper()
	text, err := os.ReadFile("testdata/sealed.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &e); err != nil {
		t.Fatal(err)
	}
	key, err := keys.Parse(e.Key)
	if err != nil {
		t.Fatal(err)
	}
	return e, keys.NewRing(key)
}

// Existing cookies stay readable. A Codec does not open a value of another purpose, even under the
// name of that value.
func TestEarlierValuesOpenForTheirPurposeAlone(t *testing.T) {
	e, ring := readEarlier(t)
	if len(e.Values) != 6 {
		t.Fatalf("purposes = %d, want 6", len(e.Values))
	}
	for _, own := range e.Values {
		codec := ring.Codec(own.Purpose, own.Limit)
		if own.SignedOnly {
			codec = ring.Signer(own.Purpose, own.Limit)
		}
		for _, v := range e.Values {
			plain, ok := codec.Open(v.Name, v.Value)
			if want := v.Purpose == own.Purpose; ok != want || want && !bytes.Equal(plain, v.Plain) {
				t.Errorf("a value for %q opens for %q = %v (%q)", v.Purpose, own.Purpose, ok, plain)
			}
		}
		others := keys.NewRing(keys.Generate(), keys.Generate()).Codec(own.Purpose, own.Limit)
		if _, ok := others.Open(own.Name, own.Value); ok {
			t.Errorf("a value for %q opens under another key", own.Purpose)
		}
		opposite := ring.Signer(own.Purpose, own.Limit)
		if own.SignedOnly {
			opposite = ring.Codec(own.Purpose, own.Limit)
		}
		if _, ok := opposite.Open(own.Name, own.Value); ok {
			t.Errorf("a value for %q opens both encrypted and signed", own.Purpose)
		}
	}
}

// Existing records stay readable, and key ids and fingerprints stay the same.
func TestEarlierRecordsOpen(t *testing.T) {
	e, ring := readEarlier(t)
	plain, err := ring.Open(e.Record.Name, e.Record.Sealed)
	if err != nil || !bytes.Equal(plain, e.Record.Plain) {
		t.Errorf("record = %q, %v", plain, err)
	}
	if _, err := ring.Open("another name", e.Record.Sealed); !errors.Is(err, keys.ErrUnreadable) {
		t.Errorf("under another name: %v, want %v", err, keys.ErrUnreadable)
	}
	got := ring.IDs()
	if len(got) != 1 || got[0] != e.KeyID || keys.HeadID(keys.HeadOf(e.Record.Sealed)) != e.KeyID {
		t.Errorf("ids = %q, want %q", got, e.KeyID)
	}
	if got := ring.Fingerprint(e.Fingerprint.Parts...); got != e.Fingerprint.Value {
		t.Errorf("fingerprint = %q, want %q", got, e.Fingerprint.Value)
	}
}
