package keys_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/cloakroom/cloakroom/keys"
)

// A damaged record, a record under another name and a missing key give different errors: only the
// last is for the operator to correct.
func TestErrorsOfOpenAreDistinct(t *testing.T) {
	ring := keys.NewRing(key(1))
	whole := ring.Seal("n", []byte("some record"))
	if again := ring.Seal("n", []byte("some record")); bytes.Equal(whole, again) {
		t.Error("two seals of one record are the same bytes")
	}
	if bytes.Contains(whole, []byte("record")) {
		t.Error("the record can be read")
	}
	for i := range whole {
		broken := bytes.Clone(whole)
		broken[i] ^= 0x40
		if _, err := ring.Open("n", broken); !errors.Is(err, keys.ErrUnreadable) {
			t.Fatalf("byte %d changed: %v, want %v", i, err, keys.ErrUnreadable)
		}
		if _, err := ring.Open("n", whole[:i]); !errors.Is(err, keys.ErrUnreadable) {
			t.Fatalf("cut to %d bytes: %v, want %v", i, err, keys.ErrUnreadable)
		}
	}
	if _, err := ring.Open("m", whole); !errors.Is(err, keys.ErrUnreadable) {
		t.Errorf("under another name: %v, want %v", err, keys.ErrUnreadable)
	}
	_, err := keys.NewRing(key(2)).Open("n", whole)
	if !errors.Is(err, keys.ErrUnknownKey) || errors.Is(err, keys.ErrUnreadable) {
		t.Errorf("with another key: %v, want %v", err, keys.ErrUnknownKey)
	}
}

func TestHeadIdentifiesTheKey(t *testing.T) {
	ring := keys.NewRing(key(1), key(2))
	for n, want := range map[byte]bool{1: true, 2: true, 3: false} {
		head := keys.HeadOf(keys.NewRing(key(n)).Seal("n", nil))
		if len(head) != keys.HeadSize || ring.Knows(head) != want {
			t.Errorf("key %d: head %x known = %v, want %v", n, head, !want, want)
		}
		if id := keys.HeadID(head); id != keys.NewRing(key(n)).IDs()[0] || len(id) != 8 {
			t.Errorf("key %d: id %q", n, id)
		}
	}
	for _, short := range [][]byte{nil, {}, {1, 2, 3}} {
		if keys.HeadID(keys.HeadOf(short)) != "unreadable" || ring.Knows(keys.HeadOf(short)) {
			t.Errorf("%x passes for a head", short)
		}
	}
}

func TestFingerprintsDifferByPartsAndKeys(t *testing.T) {
	ring := keys.NewRing(key(1), key(2))
	seen := map[string]bool{}
	for _, f := range []string{
		ring.Fingerprint(), ring.Fingerprint(""), ring.Fingerprint("a", "b"), ring.Fingerprint("ab"),
		ring.Fingerprint("", "ab"), ring.Fingerprint("1:a"), keys.NewRing(key(2)).Fingerprint("a", "b"),
	} {
		if seen[f] || len(f) != 43 {
			t.Errorf("fingerprint %q comes twice or is short", f)
		}
		seen[f] = true
	}
	if ring.Fingerprint("a", "b") != keys.NewRing(key(1)).Fingerprint("a", "b") {
		t.Error("the first key alone does not decide")
	}
}
