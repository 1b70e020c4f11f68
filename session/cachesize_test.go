package session

import (
	"fmt"
	"testing"
	"time"
)

const maxCachedBytes = 32 << 20

// keepSized has the cache hold a session that is said to be of so many bytes.
func keepSized(c *cache, name Name, now time.Time, size int) {
	put, forget := c.expect(name, now)
	defer forget()
	put(&Session{Name: name, Record: &Record{}}, size)
}

func TestCacheOfLargeSessionsKeepsThoseInUse(t *testing.T) {
	c, now := newCache(time.Hour, maxCachedBytes, false), time.Now()
	keepSized(c, "used", now, maxCachedBytes/8)
	keepSized(c, "unused", now, maxCachedBytes/8)
	for i := range 20 {
		keepSized(c, Name(fmt.Sprint(i)), now, maxCachedBytes/8)
		if c.get("used", now) == nil {
			t.Fatal("the session in use was let go of")
		}
		c.active("used", now, now) // must not be counted again
	}
	if c.get("unused", now) != nil {
		t.Error("the session that nobody used was kept")
	}
	if c.bytes > maxCachedBytes {
		t.Errorf("bytes held = %d, want at most %d", c.bytes, maxCachedBytes)
	}
	for _, name := range c.held.Keys() {
		c.drop(name)
	}
	if c.bytes != 0 || len(c.reading) != 0 {
		t.Errorf("an empty cache counts %d bytes and %d readers", c.bytes, len(c.reading))
	}
}

// What may not be served any more is not held for long either: a thousand users in two seconds need no
// more memory than a thousand sessions.
func TestCacheLetsGoOfWhatIsStale(t *testing.T) {
	c, now := newCache(time.Second, maxCachedBytes, false), time.Now()
	for i := range 1000 {
		keepSized(c, Name(fmt.Sprint(i)), now, 1)
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
	c, now := newCache(time.Hour, maxCachedBytes, false), time.Now()
	newer, forgetNewer := c.expect("s", now)
	older, forgetOlder := c.expect("s", now)
	newer(&Session{Name: "s", Version: 2, Record: &Record{}}, 1)
	older(&Session{Name: "s", Version: 1, Record: &Record{}}, 1)
	forgetNewer()
	forgetOlder()
	if s := c.get("s", now); s == nil || s.Version != 2 {
		t.Errorf("held = %+v, want version 2", s)
	}
}
