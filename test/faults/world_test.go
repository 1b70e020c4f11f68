package faults

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/demo/cluster"
	"github.com/cloakroom/cloakroom/demo/devprovider"
	"github.com/cloakroom/cloakroom/test/servers"
)

const (
	tokenLife = 2 * time.Second
	lease     = 6 * time.Second
	// inDoubt is how long before a crash a rotated token may have been lost, by the provider's
	// clock.
	inDoubt = time.Second
)

// A sharedStore is the store of all replicas, which can be made to fail.
type sharedStore interface {
	Pause()
	Continue()
	Kill()
	Start()
}

// A world is a cluster with its users and the times of its crashes.
type world struct {
	*cluster.Cluster
	t       *testing.T
	store   sharedStore
	stop    context.CancelFunc
	stopped chan struct{} // closed when all users have stopped

	mu      sync.Mutex // guards crashes
	crashes []time.Time
}

func overRedis(t *testing.T, users int) *world {
	t.Helper()
	redis := servers.Redis(t)
	return newWorld(t, users, redis, redis.Addr(), redisURL)
}

func redisURL(address string) string { return "redis://" + address }

func postgresURL(address string) string {
	return "postgres://cloakroom@" + address + "/postgres?sslmode=disable"
}

func overPostgres(t *testing.T, users int) *world {
	t.Helper()
	pg := servers.Postgres(t)
	return newWorld(t, users, pg, net.JoinHostPort("127.0.0.1", fmt.Sprint(pg.Port)), postgresURL)
}

func newWorld(t *testing.T, users int, store sharedStore, address string, url func(string) string) *world {
	t.Helper()
	return newWorldOf(t, 3, users, store, address, url)
}

func newWorldOf(
	t *testing.T, replicas, users int, store sharedStore, address string, url func(string) string,
	change ...func(*cluster.Options),
) *world {
	t.Helper()
	w := &world{t: t, store: store, stopped: make(chan struct{})}
	var ctx context.Context
	ctx, w.stop = context.WithCancel(context.Background())
	var err error
	o := cluster.Options{
		Binary: binary, Folder: servers.Folder(t), Replicas: replicas, Store: address, StoreURL: url,
		AccessTokenLifetime: tokenLife, RenewalLease: lease, Pace: 800 * time.Millisecond, Stay: 40 * time.Second,
	}
	for _, c := range change {
		c(&o)
	}
	w.Cluster, err = cluster.Start(ctx, o)
	t.Cleanup(func() { w.Close() })
	if err != nil {
		t.Fatalf("start the cluster: %v", err)
	}
	go func() {
		defer close(w.stopped)
		w.Crowd.Run(ctx, users)
	}()
	t.Cleanup(w.halt)
	w.until("nine of ten users to be logged in", 30*time.Second, func() bool {
		return w.Crowd.Tally().LoggedIn >= users*9/10
	})
	return w
}

// halt stops all users.
func (w *world) halt() {
	w.stop()
	<-w.stopped
}

func (w *world) until(what string, atMost time.Duration, holds func() bool) {
	w.t.Helper()
	for deadline := time.Now().Add(atMost); !holds(); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(deadline) {
			w.t.Errorf("waited %s for %s: %+v", atMost, what, w.Crowd.Tally())
			return
		}
	}
}

// crashed notes that a replica has crashed, which may have lost renewals in progress.
func (w *world) crashed() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.crashes = append(w.crashes, time.Now())
}

// A fault is a failure of a part of the cluster for some time.
type fault struct {
	name  string
	lasts time.Duration
	begin func(w *world)
	end   func(w *world)
}

var faults = []fault{
	{"a replica is killed (kill -9), and started again", 3 * time.Second, func(w *world) {
		w.Replicas[0].Kill()
		w.crashed()
	}, func(w *world) { w.start(w.Replicas[0]) }},
	{"a replica is frozen during renewals, for longer than their lease, and resumes", lease + 2*time.Second, func(w *world) {
		w.SetProvider(cluster.Late) // so that renewals are in progress
		time.Sleep(time.Second)
		w.Replicas[1].Pause()
		w.SetProvider(cluster.Well)
	}, func(w *world) { w.Replicas[1].Continue() }},
	{
		"a replica is stopped cleanly, and started again", 0,
		func(w *world) { w.Replicas[2].Stop() }, func(w *world) { w.start(w.Replicas[2]) },
	},
	{
		"the store is frozen, and resumes", 3 * time.Second,
		func(w *world) { w.store.Pause() }, func(w *world) { w.store.Continue() },
	},
	{
		"the store is killed, and started again", 2 * time.Second,
		func(w *world) { w.store.Kill() }, func(w *world) { w.store.Start() },
	},
	{
		"the link between a replica and the store is cut", 5 * time.Second,
		func(w *world) { w.Replicas[2].Link.Cut() }, func(w *world) { w.Replicas[2].Link.Mend() },
	},
	{"the provider answers 503", 4 * time.Second, provider(cluster.Failing), provider(cluster.Well)},
	{"the provider hangs", 4 * time.Second, provider(cluster.Hanging), provider(cluster.Well)},
	{"the provider answers late", 6 * time.Second, provider(cluster.Late), provider(cluster.Well)},
}

func provider(m cluster.Mode) func(*world) { return func(w *world) { w.SetProvider(m) } }

func (w *world) start(r *cluster.Replica) {
	if err := r.Start(); err != nil {
		w.t.Errorf("start %s again: %v", r.Name, err)
	}
}

// suffer injects one fault and waits until the users get normal answers again.
func (w *world) suffer(f fault) {
	w.t.Helper()
	before, crashes := w.Crowd.Tally(), len(w.crashes)
	f.begin(w)
	time.Sleep(f.lasts)
	f.end(w)
	ended := time.Now()
	w.until("all to be well again after: "+f.name, 45*time.Second, w.isWell)
	after := w.Crowd.Tally()
	lost := after.Lost - before.Lost
	w.t.Logf("%s: well again after %.1f s; calls %d, of which 503 %d (%s), other errors %d, lost %d; "+
		"wrong logouts %d, reuses %d",
		f.name, time.Since(ended).Seconds(), after.Calls-before.Calls,
		after.Unavailable-before.Unavailable, after.LastUnavailable, after.Failed-before.Failed, lost,
		after.WronglyOut-before.WronglyOut, w.Provider().Reuses)
	if lost != 0 && len(w.crashes) == crashes { // a crash cuts answers that have begun
		w.t.Errorf("%s: %d calls had no answer", f.name, lost)
	}
}

// isWell reports whether for a second every answer was 200, no user waits for one, and all replicas
// are ready.
func (w *world) isWell() bool {
	failures := func(t cluster.Tally) int { return t.Unavailable + t.Failed + t.Lost }
	before := w.Crowd.Tally()
	time.Sleep(time.Second)
	after := w.Crowd.Tally()
	return after.OK > before.OK && after.Waiting == 0 && failures(after) == failures(before) &&
		!slices.ContainsFunc(w.Replicas, func(r *cluster.Replica) bool { return !ready(r) })
}

func ready(r *cluster.Replica) bool {
	resp, err := http.Get("http://" + r.Admin + "/readyz")
	if err != nil {
		return false
	}
	_ = resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

// judge checks what users, provider and API have observed.
func (w *world) judge() {
	w.t.Helper()
	time.Sleep(2 * time.Second) // for calls and revocations in progress
	w.halt()
	t := w.Crowd.Tally()
	calls, bad := w.Upstream()
	p := w.Provider()
	w.t.Logf("users %d; logins %d, logouts %d; calls %d: 200 %d, 503 %d, other errors %d (%s), lost %d; "+
		"slowest 200 %s; logouts heard late %d",
		t.Users, t.Logins, t.Logouts, t.Calls, t.OK, t.Unavailable, t.Failed, t.LastFailure, t.Lost,
		t.Slowest.Round(time.Millisecond), t.HeardLate)
	w.t.Logf("provider: renewals %d, reuses %d, revocations %d; API: calls %d, of which %d with an invalid token",
		p.Renewals, p.Reuses, p.Revocations, calls, bad)

	if t.HeardLate > t.Logouts/10 {
		w.t.Errorf("%d calls were answered 200 after a logout that the replica should have known of", t.HeardLate)
	}
	if t.AnsweredAfterLogout != 0 {
		w.t.Errorf("ended sessions were answered 200 %d times", t.AnsweredAfterLogout)
	}
	w.wantTicketsDead()
	grants := w.Grants()
	explained := 0
	for _, wrong := range w.Crowd.WrongLogouts() {
		if g := grants[wrong.SID]; w.lostInACrash(g) {
			explained++
			continue
		}
		w.t.Errorf("logged out without asking for it: %s at %s; grant at the provider %+v",
			wrong.Code, wrong.At.Format("15:04:05.000"), grants[wrong.SID])
	}
	for sid, g := range grants {
		if g.Reuses > 0 && !w.lostInACrash(g) {
			w.t.Errorf("login %s: a refresh token was used twice: %+v", sid, g)
		}
	}
	w.t.Logf("sessions lost by a crash between the provider's answer and the commit: %d", explained)
	// That interval is longer on a slower machine. A tenth of the users at once is more than it
	// explains.
	if explained > t.Users/10*len(w.crashes) {
		w.t.Errorf("%d sessions were lost in %d crashes: too many", explained, len(w.crashes))
	}
	w.wantGrantsLikeLogins()
}

// wantTicketsDead calls every replica with the cookies of every ended login, and wants 401.
func (w *world) wantTicketsDead() {
	w.t.Helper()
	tickets := w.Crowd.Tickets()
	for sid, ticket := range tickets {
		for _, r := range w.Replicas {
			status, err := cluster.CallWith(w.t.Context(), "http://"+r.Listen, w.App, ticket)
			if err != nil || status != http.StatusUnauthorized {
				w.t.Errorf("ended login %s at %s = %d %v, want 401", sid, r.Name, status, err)
			}
		}
	}
	w.t.Logf("ended logins whose cookies were tried at every replica: %d", len(tickets))
}

// lostInACrash reports whether the last refresh token of a login was rotated about the time of a
// crash.
func (w *world) lostInACrash(g devprovider.Grant) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.ContainsFunc(w.crashes, func(crash time.Time) bool {
		return g.Renewed.After(crash.Add(-inDoubt)) && g.Renewed.Before(crash.Add(inDoubt))
	})
}

// wantGrantsLikeLogins waits until the refresh tokens of all ended sessions are revoked at the
// provider, and wants those of all other sessions to be valid.
func (w *world) wantGrantsLikeLogins() {
	w.t.Helper()
	notRevoked := func() (n int) {
		grants := w.Grants()
		for sid, in := range w.Crowd.Logins() {
			if !in && grants[sid].Alive {
				n++
			}
		}
		return n
	}
	w.until("the tokens of all ended sessions to be revoked", 30*time.Second, func() bool {
		return notRevoked() == 0
	})
	grants := w.Grants()
	for sid, in := range w.Crowd.Logins() {
		if g := grants[sid]; in && !g.Alive && !w.lostInACrash(g) {
			w.t.Errorf("login %s has not ended, but its grant is revoked: %+v", sid, g)
		}
	}
}
