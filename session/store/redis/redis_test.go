package redis_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/cloakroom/cloakroom/session/storage"
	"github.com/cloakroom/cloakroom/session/store/redis"
	"github.com/cloakroom/cloakroom/session/store/storetest"
	"github.com/cloakroom/cloakroom/test/servers"
)

func TestMain(m *testing.M) { os.Exit(m.Run()) }

// A group is a set of stores on one server. Each has a prefix of its own, so that none sees the
// keys of another.
type group struct {
	url    string
	prefix string // what all prefixes begin with
	urls   map[*redis.Store]string
}

func newGroup(url string) *group {
	return &group{url: url, prefix: "test-", urls: map[*redis.Store]string{}}
}

func (g *group) open(t *testing.T) *redis.Store {
	t.Helper()
	u, err := url.Parse(g.url)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	q.Set("prefix", g.prefix+rand.Text()[:8])
	u.RawQuery = q.Encode()
	return g.openURL(t, u.String())
}

// parts returns a new store as a storage.Store.
func (g *group) parts(t *testing.T) storage.Store { return g.open(t).Parts() }

func (g *group) openURL(t *testing.T, url string) *redis.Store {
	t.Helper()
	s, err := redis.Open(t.Context(), url)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	t.Cleanup(func() { _ = s.Close() })
	g.urls[s] = url
	return s
}

// another opens the same store again.
func (g *group) another(t *testing.T, s storage.Store) storage.Store {
	t.Helper()
	return g.openURL(t, g.urls[s.Connection.(*redis.Store)]).Parts()
}

func TestOneServerBehavesAsAStore(t *testing.T) {
	server := servers.Redis(t)
	g := newGroup(server.URL())
	storetest.Run(t, g.parts, storetest.Shared(g.another),
		storetest.Durable(func(t *testing.T, s storage.Store) storage.Store {
			_ = s.Connection.Close()
			server.Kill()
			server.Start()
			return g.another(t, s)
		}),
		// A frozen server executes the commands that it was sent once it wakes; see
		// storage.ErrNotAsked.
		storetest.Outage(func(_ *testing.T, _ storage.Store) func() {
			server.Kill()
			return server.Start
		}))
}

func TestClusterBehavesAsAStore(t *testing.T) {
	g := newGroup(servers.RedisCluster(t).URL())
	storetest.Run(t, g.parts, storetest.Shared(g.another))
	t.Run("without replicas to wait for", func(t *testing.T) {
		s := newGroup(g.url + "&wait_replicas=1").open(t)
		for i := range 4 { // some where their index lies, some where they lie themselves
			e := entry()
			e.Indices = e.Indices[i%2:]
			if err := s.Create(t.Context(), e); err == nil || !strings.Contains(err.Error(), "0 replicas have it") {
				t.Fatalf("create = %v, want that it is not replicated", err)
			}
		}
	})
}

func TestSentinelGroupBehavesAsAStore(t *testing.T) {
	g := newGroup(servers.RedisSentinel(t).URL() + "&wait_replicas=1")
	storetest.Run(t, g.parts, storetest.Shared(g.another))
}

// The URL names the authority that signed the server's certificate; the server is known by address
// or by name. Without that authority the password is not sent, and the error says what is wrong.
func TestTLSWithAPrivateAuthority(t *testing.T) {
	ours, foreign := servers.NewAuthority(t), servers.NewAuthority(t)
	for _, tt := range []struct{ host, more string }{
		{"127.0.0.1", ""},
		{"redis.internal", "&server_name=redis.internal"},
	} {
		t.Run(tt.host, func(t *testing.T) {
			certificate, key := ours.Certificate(tt.host)
			port := servers.FreePort(t)
			servers.Redis(t, fmt.Sprintf("tls-port %d", port), "tls-auth-clients no", "requirepass the-password",
				"tls-cert-file "+certificate, "tls-key-file "+key, "tls-ca-cert-file "+ours.File)
			system := fmt.Sprintf("rediss://:the-password@127.0.0.1:%d", port)
			trusting := func(a *servers.Authority) string { return system + "?ca_file=" + a.File }
			g := newGroup(trusting(ours) + tt.more)
			storetest.Run(t, g.parts, storetest.Shared(g.another))
			for url, want := range map[string]string{
				trusting(foreign) + tt.more: "signed by unknown authority",
				system:                      "certificate",
				trusting(ours) + "&server_name=elsewhere.internal":  "elsewhere.internal",
				strings.Replace(system, "rediss://", "redis://", 1): "",
			} {
				ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
				s, err := redis.Open(ctx, url)
				if err == nil {
					_, err = s.Ping(ctx)
					_ = s.Close()
				}
				cancel()
				if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "the-password") {
					t.Errorf("%s: %v, want an error with %q", strings.Replace(url, "the-password", "…", 1), err, want)
				}
			}
		})
	}
}

func entry() storage.Entry {
	now := time.Now()
	return storage.Entry{
		Name: rand.Text(), Version: 1, Sealed: []byte("sealed " + rand.Text()),
		Provider: "main", Indices: []string{"k-" + rand.Text()},
		CreatedAt: now, ExpiresAt: now.Add(time.Hour), IdleExpires: now.Add(time.Hour), LastActive: now,
	}
}

// The replica takes over with all records that had reached it. While there is no primary, no record
// is reported as not found.
func TestFailOverUnderSentinelLosesNoRecord(t *testing.T) {
	group := servers.RedisSentinel(t)
	s := newGroup(group.URL()).open(t)
	e := entry()
	if err := s.Create(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	group.Primary.CLI("wait", "1", "5000")
	group.Primary.Pause()
	defer group.Primary.Continue()

	deadline := time.Now().Add(30 * time.Second)
	for {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		err := s.Update(ctx, e)
		cancel()
		if err == nil {
			break
		}
		if err == storage.ErrNotFound || err == storage.ErrConflict {
			t.Fatalf("update during the fail-over: %v", err)
		}
		if time.Now().After(deadline) {
			t.Fatalf("no write 30 s after the primary went: %v", err)
		}
		time.Sleep(50 * time.Millisecond)
	}
	got, err := s.Load(t.Context(), e.Name)
	if err != nil || got.Version != 2 {
		t.Errorf("record = version %d %v, want 2", got.Version, err)
	}
}

// With wait_replicas, a write that a fail-over could undo does not count as done.
func TestWriteCountsOnceAReplicaHasIt(t *testing.T) {
	group := servers.RedisSentinel(t)
	s := newGroup(group.URL() + "&wait_replicas=1").open(t)
	e, other := entry(), entry()
	owed := storage.Revocation{ID: rand.Text(), Sealed: []byte("sealed"), NotBefore: time.Now(), EndedAt: time.Now()}
	if err := errors.Join(s.Create(t.Context(), e), s.Create(t.Context(), other), s.Update(t.Context(), e)); err != nil {
		t.Fatal(err)
	}
	group.Replica.Pause()
	e.Version++
	for name, write := range map[string]func() error{
		"create":  func() error { return s.Create(t.Context(), entry()) },
		"update":  func() error { return s.Update(t.Context(), e) },
		"end":     func() error { return s.End(t.Context(), other.Name, "logout", time.Now()) },
		"enqueue": func() error { return s.Enqueue(t.Context(), owed) },
		"acquire": func() error {
			got, err := s.Acquire(t.Context(), "lease", "holder", time.Minute)
			if got {
				t.Error("the lease counts while no replica has it")
			}
			return errors.Join(err, s.Release(t.Context(), "lease", "holder"))
		},
	} {
		began := time.Now()
		err := write()
		unconfirmed := errors.Is(err, storage.ErrUnconfirmed)
		if err == nil || !strings.Contains(err.Error(), "0 replicas have it") ||
			unconfirmed != (name == "end") {
			t.Errorf("%s while the replica is frozen = %v, want that it is not replicated", name, err)
		}
		// store.Guard would give up after a second, and could not say why.
		if took := time.Since(began); took > 900*time.Millisecond {
			t.Errorf("%s took %v", name, took)
		}
	}
	e.Version++ // the update was done, and may only not have been kept
	for name, again := range map[string]func() error{
		"update":  func() error { return s.Update(t.Context(), e) },
		"end":     func() error { return s.End(t.Context(), other.Name, "logout", time.Now()) },
		"enqueue": func() error { return s.Enqueue(t.Context(), owed) },
	} {
		err := again()
		if err == nil || errors.Is(err, storage.ErrNotFound) || errors.Is(err, storage.ErrUnconfirmed) {
			t.Errorf("%s, tried again = %v, want that it is still not replicated", name, err)
		}
	}
	group.Replica.Continue()
	e.Version++
	if err := s.Update(t.Context(), e); err != nil {
		t.Fatalf("update once the replica is back: %v", err)
	}
	if held, err := s.Acquire(t.Context(), "lease", "another", time.Minute); !held || err != nil {
		t.Errorf("acquire once the replica is back = %v %v, want the lease that was given back", held, err)
	}
	group.Primary.Kill()
	var got storage.Entry
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		var err error
		if got, err = s.Load(t.Context(), e.Name); err == nil {
			break
		}
		if err == storage.ErrNotFound || time.Now().After(deadline) {
			t.Fatalf("load after the primary's death: %v", err)
		}
	}
	if got.Version != e.Version+1 {
		t.Errorf("record after the fail-over = version %d, want %d", got.Version, e.Version+1)
	}
	if _, err := s.Load(t.Context(), other.Name); err != storage.ErrNotFound {
		t.Errorf("ended session after the fail-over: %v", err)
	}
	if held, err := s.Acquire(t.Context(), "lease", "third", time.Minute); held || err != nil {
		t.Errorf("acquire after the fail-over = %v %v, want that the lease is still another's", held, err)
	}
}

func TestServerThatIsDownAtTheStartIsFoundLater(t *testing.T) {
	server := servers.Redis(t)
	server.Kill()
	s := newGroup(server.URL()).open(t)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	if _, err := s.Load(ctx, "name"); err == nil || err == storage.ErrNotFound {
		t.Errorf("load without a server: %v", err)
	}
	server.Start()
	if _, err := s.Ping(t.Context()); err != nil {
		t.Errorf("ping once it is up: %v", err)
	}
}

// A renewal brings a new sid. If the record were written before its index entry and the second
// write failed, the retry would find the record done, and nobody would add the entry.
func TestIndexIsWrittenBeforeTheRecord(t *testing.T) {
	server := servers.Redis(t, "user limited on >pw ~* &* +@all -sadd")
	g := newGroup(server.URL())
	s, limited := g.openURL(t, g.url), g.openURL(t, "redis://limited:pw@"+server.Addr())
	e := entry()
	if err := s.Create(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	e.Indices = append(e.Indices, "k-"+rand.Text())
	if err := limited.Update(t.Context(), e); err == nil {
		t.Error("update: nil, want that the index can't be written")
	}
	if err := s.Update(t.Context(), e); err != nil {
		t.Fatalf("update, tried again: %v, want that nothing had been done", err)
	}
	for _, key := range e.Indices {
		if names, err := s.Find(t.Context(), key); err != nil || !slices.Contains(names, e.Name) {
			t.Errorf("found by %q: %v %v", key, names, err)
		}
	}
}

// A replica that dies after it ended a record and before it removed the index entries leaves them
// behind. The next Find removes them.
func TestIndexIsCleanedUpBehindEndedRecordsOnly(t *testing.T) {
	server := servers.Redis(t, "user limited on >pw ~* &* +@all -srem")
	g := newGroup(server.URL())
	s, limited := g.openURL(t, g.url), g.openURL(t, "redis://limited:pw@"+server.Addr())
	e := entry()
	if err := errors.Join(s.Create(t.Context(), e), limited.End(t.Context(), e.Name, "logout", time.Now())); err != nil {
		t.Fatal(err)
	}
	index := "cloakroom:i:" + e.Indices[0]
	server.CLI("sadd", index, "being-created")
	if names, err := s.Find(t.Context(), e.Indices[0]); err != nil || len(names) != 0 {
		t.Errorf("found: %v %v, want nothing", names, err)
	}
	if left := strings.Fields(server.CLI("smembers", index)); !slices.Equal(left, []string{"being-created"}) {
		t.Errorf("left in the index: %q", left)
	}
}

func TestWrongPasswordStopsTheStartAndIsNotRepeated(t *testing.T) {
	server := servers.Redis(t, "requirepass right")
	_, err := redis.Open(t.Context(), "redis://:the-wrong-one@"+server.Addr())
	if err == nil || !strings.Contains(err.Error(), "WRONGPASS") || strings.Contains(err.Error(), "the-wrong-one") {
		t.Errorf("open: %v, want what the server says, without the password", err)
	}
}

func TestBadURLsAreRefusedWithoutTheirSecrets(t *testing.T) {
	for _, bad := range []string{
		"redis://:s3cr%et@host:6379", "redis://:s3cret@host:6379/db", "redis://",
		"redis://:s3cret@host?prefix={s3cret}",
		"redis://:s3cret@host?ca_file=/s3cret", "rediss://:s3cret@host?ca_file=/dev/null",
		"redis://:s3cret@ho st:6379", "redis://:s3cret@host:port",
		"redis://:s3cret@host?wait_replicas=6", "redis://:s3cret@host?wait_replicas=s3cret",
	} {
		s, err := redis.Open(t.Context(), bad)
		if err == nil {
			_ = s.Close()
			t.Errorf("%s is taken", bad)
			continue
		}
		if strings.Contains(err.Error(), "s3cr") {
			t.Errorf("the error repeats the URL: %v", err)
		}
	}
}

// A closed store leaves no goroutines and connections behind, whether it was listening or not.
func TestCloseLeavesNothingRunning(t *testing.T) {
	server := servers.Redis(t)
	before := goleak.IgnoreCurrent()
	s, err := redis.Open(t.Context(), server.URL())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	over := make(chan error)
	stands := make(chan struct{}, 100)
	go func() {
		over <- s.Listen(ctx, 20*time.Millisecond, func(storage.Change) {}, func(time.Time) { stands <- struct{}{} })
	}()
	<-stands
	cancel()
	if err := <-over; err != context.Canceled {
		t.Errorf("listen: %v, want that it was told to stop", err)
	}
	_ = s.Close()
	goleak.VerifyNone(t, before)
}

// An ACL rule written for an earlier version does not allow the command TIME. Then each replica
// goes by its own clock.
func TestStoreWorksWithoutPermissionForTime(t *testing.T) {
	server := servers.Redis(t, "user default off", "user cloakroom on >p ~* &* +@all -time")
	s := newGroup("redis://cloakroom:p@" + server.Addr() + "/0").open(t)
	if at, err := s.Ping(t.Context()); err != nil || !at.IsZero() {
		t.Errorf("ping: %v, with the time %v", err, at)
	}
}

// No session is served until a ping has succeeded within a second. On a slow connection it must
// take no longer than any other call.
func TestPingTakesOneRoundTrip(t *testing.T) {
	t.Parallel()
	const roundTrip = 800 * time.Millisecond
	tunnel := servers.NewTunnel(t, servers.Redis(t).Addr())
	s := newGroup("redis://" + tunnel.Addr() + "/0").open(t)
	if _, err := s.Ping(t.Context()); err != nil { // after which the server knows the script
		t.Fatal(err)
	}
	tunnel.Delay(roundTrip / 2)
	best := time.Hour
	for range 3 { // the machine may be busy
		began := time.Now()
		if _, err := s.Ping(t.Context()); err != nil {
			t.Fatal(err)
		}
		best = min(best, time.Since(began))
	}
	if best < roundTrip || best > roundTrip*3/2 {
		t.Errorf("a ping took %v at best, where a round trip takes %v", best, roundTrip)
	}
}

// A primary that refuses writes for lack of memory, of disk space or of replicas can still be read,
// and tells the time that its records go by. A server that is, or has just become, a replica is not
// asked.
func TestPrimaryThatCanNotWriteTellsTheTime(t *testing.T) {
	server := servers.Redis(t)
	s := newGroup("redis://" + server.Addr() + "/0").open(t)
	for _, c := range []struct{ code, key, value, back string }{
		{"OOM", "maxmemory", "1", "0"},
		{"NOREPLICAS", "min-replicas-to-write", "1", "0"},
	} {
		server.CLI("config", "set", c.key, c.value)
		at, err := s.Ping(t.Context())
		if err == nil || !strings.Contains(err.Error(), c.code) {
			t.Errorf("%s: ping = %v", c.code, err)
		}
		if off := time.Since(at).Abs(); off > time.Minute {
			t.Errorf("%s: the time is %v, %v off", c.code, at, off)
		}
		server.CLI("config", "set", c.key, c.back)
	}
	server.CLI("replicaof", "127.0.0.1", "1")
	if at, err := s.Ping(t.Context()); err == nil || !at.IsZero() {
		t.Errorf("ping of a replica = %v, %v", at, err)
	}
}
