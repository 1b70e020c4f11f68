package keys_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/cloakroom/cloakroom/keys"
)

func TestKeysAreReadInEveryFormOfBase64(t *testing.T) {
	want := keys.Key(bytes.Repeat([]byte{0xfb, 0xef, 0xff}, 11)[:keys.Size])
	for _, text := range []string{
		"++//++//++//++//++//++//++//++//++//++//++8=", "++//++//++//++//++//++//++//++//++//++//++8",
		"--__--__--__--__--__--__--__--__--__--__--8=", "--__--__--__--__--__--__--__--__--__--__--8",
		"++//--__++//--__++//--__++//--__++//--__++8", want.Reveal(),
	} {
		if got, err := keys.Parse(text); err != nil || got != want {
			t.Errorf("key %q = %q, %v", text, got.Reveal(), err)
		}
	}
}

// An operator reads these texts after "session.keys[0] is not a key: ".
func TestInvalidKeysAreRefusedWithoutBeingShown(t *testing.T) {
	for text, want := range map[string]string{
		"":                                   "it holds 0 bytes, not 32",
		"not!base64":                         "it is not base64",
		strings.Repeat("A", 42) + "=A":       "it is not base64",
		encoded(bytes.Repeat([]byte{7}, 32)): "all its bytes are the same, so anybody can guess it",
		encoded(make([]byte, 31)):            "it holds 31 bytes, not 32",
		encoded([]byte("0123456789abcdef0123456789abcdef!")): "it holds 33 bytes, not 32",
	} {
		key, err := keys.Parse(text)
		if err == nil || err.Error() != want || key != (keys.Key{}) {
			t.Errorf("%q: error %v, want %q and no key", text, err, want)
		}
	}
}

func TestGeneratedKeysDifferAndCanBeRead(t *testing.T) {
	seen := map[keys.Key]bool{}
	for range 100 {
		k := keys.Generate()
		if read, err := keys.Parse(k.Reveal()); err != nil || read != k || seen[k] {
			t.Fatalf("a fresh key is read as another (%v), or repeats", err)
		}
		seen[k] = true
	}
}

func TestKeyIsNotShownByAccident(t *testing.T) {
	k := keys.Generate()
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("text", "key", k, "all", []keys.Key{k})
	slog.New(slog.NewJSONHandler(&log, nil)).Info("json", "key", k, "all", []keys.Key{k})
	marshalled, err := json.Marshal(map[string]any{"key": k})
	if err != nil {
		t.Fatal(err)
	}
	shown := fmt.Sprintf("%v %+v %#v %s %q %x %X %d", k, k, k, k, k, k, k, k) +
		fmt.Sprint([]keys.Key{k}, struct{ K keys.Key }{k})
	for what, text := range map[string]string{
		"fmt": shown, "slog": log.String(), "json": string(marshalled),
	} {
		for _, form := range []string{
			k.Reveal(), string(k[:]), fmt.Sprintf("%x", k[:]), fmt.Sprintf("%X", k[:]),
			strings.Trim(fmt.Sprint(k[:]), "[]"),
		} {
			if strings.Contains(text, form) || !strings.Contains(text, "***") {
				t.Errorf("%s shows the key: %s", what, text)
			}
		}
	}
}

func encoded(b []byte) string { return base64.StdEncoding.EncodeToString(b) }
