package local

import (
	"fmt"
	"testing"
	"time"
)

const maxCachedBytes = 32 << 20

// keepSized has the cache hold a session that is said to be of so many bytes.
func keepSized(c *Cache[string, *string], name string, now time.Time, size int) {
	reading := c.Expect(name, now)
	defer reading.Forget()
	reading.Put(&name, 1, size)
}

func TestCacheOfLargeSessionsKeepsThoseInUse(t *testing.T) {
	c, now := NewCache[string, *string](CacheOptions{MaxAge: time.Hour, Memory: maxCachedBytes}), time.Now()
	keepSized(c, "used", now, maxCachedBytes/8)
	keepSized(c, "unused", now, maxCachedBytes/8)
	for i := range 20 {
		keepSized(c, fmt.Sprint(i), now, maxCachedBytes/8)
		if c.Get("used", now) == nil {
			t.Fatal("the session in use was let go of")
		}
		c.Replace("used", func(s *string) *string { return s }) // must not be counted again
	}
	if c.Get("unused", now) != nil {
		t.Error("the session that nobody used was kept")
	}
	if c.bytes > maxCachedBytes {
		t.Errorf("bytes held = %d, want at most %d", c.bytes, maxCachedBytes)
	}
	for _, name := range c.held.Keys() {
		c.Drop(name)
	}
	if c.bytes != 0 || len(c.reading) != 0 {
		t.Errorf("an empty cache counts %d bytes and %d readers", c.bytes, len(c.reading))
	}
}

// What may not be served any more is not held for long either: a thousand users in two seconds need
// no more memory than a thousand sessions.
func TestCacheLetsGoOfWhatIsStale(t *testing.T) {
	c, now := NewCache[string, *string](CacheOptions{MaxAge: time.Second, Memory: maxCachedBytes}), time.Now()
	for i := range 1000 {
		keepSized(c, fmt.Sprint(i), now, 1)
	}
	if n := c.held.Len(); n != 1000 {
		t.Fatalf("held = %d, want 1000", n)
	}
	keepSized(c, "late", now.Add(time.Second), 1)
	if n := c.held.Len(); n != 1 {
		t.Errorf("held after their time = %d, want 1", n)
	}
}

func TestOlderVersionDoesNotReplaceANewer(t *testing.T) {
	c, now := NewCache[string, *string](CacheOptions{MaxAge: time.Hour, Memory: maxCachedBytes}), time.Now()
	newer := c.Expect("s", now)
	older := c.Expect("s", now)
	two, one := "two", "one"
	newer.Put(&two, 2, 1)
	older.Put(&one, 1, 1)
	newer.Forget()
	older.Forget()
	if s := c.Get("s", now); s != &two {
		t.Errorf("held = %v, want the newer version", s)
	}
}
