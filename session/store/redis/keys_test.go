package redis

import (
	"fmt"
	"strings"
	"testing"
)

// If 1, 2, 4, 8 or 16 primaries have equal shares of the slots, they have equal shares of the
// buckets, whatever the prefix. With another number, none has more than one bucket above its share.
func TestBucketsSpreadEvenlyOverPrimaries(t *testing.T) {
	for _, prefix := range []string{"cloakroom", "shop:2"} {
		for primaries := 1; primaries <= buckets; primaries++ {
			owned := make([]int, primaries)
			for b := range buckets {
				owned[slot(t, keyspace{prefix}.record(nameIn(b)))*primaries/slots]++
			}
			for p, n := range owned {
				fewest, most := buckets/primaries, (buckets+primaries-1)/primaries
				if n < fewest || n > most {
					t.Errorf("prefix %s, %d primaries: primary %d owns %d buckets, want %d to %d: %v",
						prefix, primaries, p, n, fewest, most, owned)
				}
			}
		}
	}
}

// Keys that must change together lie in one slot, and two prefixes share no key.
func TestKeysOfABucketShareASlot(t *testing.T) {
	one, other := keyspace{"one"}, keyspace{"other"}
	for b := range buckets {
		n := nameIn(b)
		record := one.record(n)
		for _, key := range []string{
			one.item(n), one.lease(n),
			one.due(b), one.names(b), one.out(b), one.ended(b), one.written(b),
		} {
			if slot(t, key) != slot(t, record) || !strings.HasPrefix(key, "one:") {
				t.Errorf("%s is not with %s", key, record)
			}
		}
		if record == other.record(n) {
			t.Errorf("two prefixes share %s", record)
		}
	}
}

// nameIn returns a name that belongs to a bucket.
func nameIn(bucket int) string {
	for _, first := range alphabet {
		if name := string(first) + "name"; bucketOf(name) == bucket {
			return name
		}
	}
	panic(fmt.Sprint("no name in bucket ", bucket))
}

const slots = 16384

// slot implements HASH_SLOT of the Redis Cluster specification: CRC16 (XMODEM) of the hash tag.
func slot(t *testing.T, key string) int {
	t.Helper()
	_, tag, tagged := strings.Cut(key, "{")
	tag, _, closed := strings.Cut(tag, "}")
	if !tagged || !closed || tag == "" {
		t.Fatalf("%s has no hash tag", key)
	}
	return int(crc16(tag)) % slots
}

func crc16(s string) (sum uint16) {
	for _, b := range []byte(s) {
		sum ^= uint16(b) << 8
		for range 8 {
			carry := sum&0x8000 != 0
			sum <<= 1
			if carry {
				sum ^= 0x1021
			}
		}
	}
	return sum
}

// The check value of the specification.
func TestCRC16IsThatOfTheSpecification(t *testing.T) {
	if got := crc16("123456789"); got != 0x31C3 {
		t.Errorf("crc16 = %#x, want 0x31c3", got)
	}
}
