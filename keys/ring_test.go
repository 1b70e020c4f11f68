package keys_test

import (
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/cloakroom/cloakroom/keys"
)

func TestFirstKeySealsAndAllOpen(t *testing.T) {
	before, during, after := keys.NewRing(key(1)), keys.NewRing(key(2), key(1)), keys.NewRing(key(2))
	for what, seal := range map[string]func(*keys.Ring) func(*keys.Ring) bool{
		"codec": sealed((*keys.Ring).Codec), "signer": sealed((*keys.Ring).Signer), "record": sealedRecord,
	} {
		t.Run(what, func(t *testing.T) {
			old, fresh := seal(before), seal(during)
			for step, opens := range map[string]bool{
				"with the old key behind the new one": old(during), "under its own key": old(before),
				"by the first key": fresh(during), "without the old key": fresh(after),
			} {
				if !opens {
					t.Errorf("%s it does not open", step)
				}
			}
			if old(after) || fresh(before) {
				t.Error("it opens without its key")
			}
		})
	}
}

// A change of keys applies to the Ring's existing Codecs, too.
func TestReplaceAppliesToExistingCodecs(t *testing.T) {
	ring := keys.NewRing(key(1))
	encrypts, signs := ring.Codec("a", 0), ring.Signer("b", 0)
	values := func() [3]string {
		return [3]string{seal(t, encrypts, "n", "x"), seal(t, signs, "n", "x"), string(ring.Seal("n", []byte("x")))}
	}
	open := func(v [3]string) [3]bool {
		_, a := encrypts.Open("n", v[0])
		_, b := signs.Open("n", v[1])
		_, err := ring.Open("n", []byte(v[2]))
		return [3]bool{a, b, err == nil}
	}
	old := values()
	ring.Replace(keys.NewRing(key(2), key(1)))
	fresh := values()
	if open(old) != [3]bool{true, true, true} || open(fresh) != [3]bool{true, true, true} {
		t.Errorf("with both keys: %v and %v", open(old), open(fresh))
	}
	ring.Replace(keys.NewRing(key(2)))
	if open(old) != [3]bool{} || open(fresh) != [3]bool{true, true, true} {
		t.Errorf("without the old key: %v and %v", open(old), open(fresh))
	}
	if got, want := ring.IDs(), keys.NewRing(key(2)).IDs(); !slices.Equal(got, want) {
		t.Errorf("ids = %q, want %q", got, want)
	}
}

// Requests go on during a reload. A value that both the old and the new keys open is never refused.
func TestNothingIsRefusedWhileKeysAreReplaced(t *testing.T) {
	ring := keys.NewRing(key(1), key(2))
	codec, signer := ring.Codec("a", 0), ring.Signer("b", 0)
	var done atomic.Bool
	var users sync.WaitGroup
	for range 4 {
		users.Go(func() {
			for !done.Load() {
				for _, c := range []*keys.Codec{codec, signer} {
					if plain, ok := c.Open("n", seal(t, c, "n", "x")); !ok || string(plain) != "x" {
						t.Errorf("a value does not open: %q", plain)
						return
					}
				}
				if plain, err := ring.Open("n", ring.Seal("n", []byte("x"))); err != nil || string(plain) != "x" {
					t.Errorf("a record does not open: %v", err)
					return
				}
			}
		})
	}
	one, other := keys.NewRing(key(1), key(2)), keys.NewRing(key(2), key(1), key(3))
	for range 300 {
		ring.Replace(other)
		ring.Replace(one)
	}
	done.Store(true)
	users.Wait()
}

func TestRingCoversWhatItsKeysOpen(t *testing.T) {
	one, both, swapped := keys.NewRing(key(1)), keys.NewRing(key(1), key(2)), keys.NewRing(key(2), key(1))
	for _, c := range []struct {
		ring, other *keys.Ring
		want        bool
	}{
		{one, one, true},
		{both, one, true},
		{one, both, false},
		{both, swapped, true},
		{swapped, both, true},
		{keys.NewRing(key(3)), one, false},
	} {
		if got := c.ring.Covers(c.other); got != c.want {
			t.Errorf("%v covers %v = %v", c.ring.IDs(), c.other.IDs(), got)
		}
	}
}

func key(n byte) keys.Key { return keys.Key{n} }

func seal(t testing.TB, c *keys.Codec, name, plain string) string {
	t.Helper()
	value, err := c.Seal(name, []byte(plain))
	if err != nil {
		t.Fatal(err)
	}
	return value
}

// sealed returns a function that seals a value with one ring. The result reports whether another
// ring opens it.
func sealed(codec func(*keys.Ring, string, int) *keys.Codec) func(*keys.Ring) func(*keys.Ring) bool {
	return func(by *keys.Ring) func(*keys.Ring) bool {
		value, err := codec(by, "a", 0).Seal("n", []byte("x"))
		return func(with *keys.Ring) bool {
			plain, ok := codec(with, "a", 0).Open("n", value)
			return err == nil && ok && string(plain) == "x"
		}
	}
}

func sealedRecord(by *keys.Ring) func(*keys.Ring) bool {
	b := by.Seal("n", []byte("x"))
	return func(with *keys.Ring) bool {
		plain, err := with.Open("n", b)
		return err == nil && string(plain) == "x"
	}
}
