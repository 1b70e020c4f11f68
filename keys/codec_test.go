package keys_test

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/cloakroom/cloakroom/keys"
)

// LS14, CB1: no altered value opens, not even one whose base64 decodes to the same bytes.
func TestAlteredValueDoesNotOpen(t *testing.T) {
	ring := keys.NewRing(key(1))
	for what, c := range map[string]*keys.Codec{"codec": ring.Codec("a", 0), "signer": ring.Signer("a", 0)} {
		value := seal(t, c, "name", "something")
		if plain, ok := c.Open("name", value); !ok || string(plain) != "something" {
			t.Fatalf("%s: the untouched value does not open", what)
		}
		for i := range len(value) {
			for _, b := range []byte{value[i] ^ 1, value[i] ^ 2, 'A', '=', '\n', '-', 0} {
				if altered := value[:i] + string(b) + value[i+1:]; altered != value {
					if _, ok := c.Open("name", altered); ok {
						t.Fatalf("%s: opens with byte %d changed from %q to %q", what, i, value[i], b)
					}
				}
			}
		}
		for _, other := range []string{
			"", value[:len(value)-1], value + "=", value + "\n", value[:10] + "\r\n" + value[10:], value + value,
			strings.TrimRight(value, "="), " " + value, strings.NewReplacer("-", "+", "_", "/").Replace(value) + "\r",
		} {
			if _, ok := c.Open("name", other); ok && other != value {
				t.Errorf("%s: opens as %q", what, other)
			}
		}
		if _, ok := c.Open("another name", value); ok {
			t.Errorf("%s: opens under another name", what)
		}
	}
}

func TestLimitAppliesToSealingAndOpening(t *testing.T) {
	ring := keys.NewRing(key(1))
	wide, narrow := ring.Codec("a", 0), ring.Codec("a", 256)
	long := seal(t, wide, "n", strings.Repeat("x", 1000))
	if _, ok := wide.Open("n", long); !ok {
		t.Error("without a limit a long value does not open")
	}
	if _, ok := narrow.Open("n", long); ok {
		t.Error("a value above the limit opens")
	}
	if _, err := narrow.Seal("n", make([]byte, 1000)); err == nil {
		t.Error("a value above the limit is sealed")
	}
	if plain, ok := narrow.Open("n", seal(t, narrow, "n", "short")); !ok || string(plain) != "short" {
		t.Error("a short value does not open")
	}
}

func TestCodecHidesAndSignerShows(t *testing.T) {
	ring := keys.NewRing(key(1))
	for c, want := range map[*keys.Codec]bool{ring.Codec("a", 0): false, ring.Signer("a", 0): true} {
		raw, err := base64.URLEncoding.DecodeString(seal(t, c, "n", "something"))
		if err != nil {
			t.Fatal(err)
		}
		inner := base64.URLEncoding.EncodeToString([]byte("something"))
		if got := strings.Contains(string(raw), inner); got != want {
			t.Errorf("the value shows what is in it = %v, want %v", got, want)
		}
	}
}
