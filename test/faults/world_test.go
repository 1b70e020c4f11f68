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
	// inDoubt is how long before a crash, by the provider's clock, a rotated token may not have been saved.
	inDoubt = time.Second
)

// A shared store is a server that the replicas share and that can be made to suffer.
type sharedStore interface {
	Pause()
	Continue()
	Kill()
	Start()
}

// A world is a cluster with its users, and a memory of what was done to it.
type world struct {
	*cluster.Cluster
	t     *testing.T
	store sharedStore
	stop  context.CancelFunc
	over  chan struct{}

	mu      sync.Mutex // guards crashes
	crashes []time.Time
}

func overRedis(t *testing.T, users int) *world {
	t.Helper()
	redis := servers.Redis(t)
	return newWorld(t, users, redis, redis.Addr(), func(address string) string { return "redis://" + address })
}

func overPostgres(t *testing.T, users int) *world {
	t.Helper()
	pg := servers.Postgres(t)
	return newWorld(t, users, pg, net.JoinHostPort("127.0.0.1", fmt.Sprint(pg.Port)), func(address string) string {
		return "postgres://cloakroom@" + address + "/postgres?sslmode=disable"
	})
}

func newWorld(t *testing.T, users int, store sharedStore, address string, url func(string) string) *world {
	t.Helper()
	return newWorldOf(t, 3, users, store, address, url)
}

func newWorldOf(t *testing.T, replicas, users int, store sharedStore, address string, url func(string) string, change ...func(*cluster.Options)) *world {
	t.Helper()
	w := &world{t: t, store: store, over: make(chan struct{})}
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
		defer close(w.over)
		w.Crowd.Run(ctx, users)
	}()
	t.Cleanup(w.halt)
	w.until("all users to be logged in", 30*time.Second, func() bool { return w.Crowd.Tally().LoggedIn >= users*9/10 })
	return w
}

// halt has all users stop where they are.
func (w *world) halt() {
	w.stop()
	<-w.over
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

// crashed notes that a replica died, from its end on the moment in which renewals were lost.
func (w *world) crashed() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.crashes = append(w.crashes, time.Now())
}

// A fault is something that happens to the cluster, for a while.
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
	{"a replica is frozen during renewals, for longer than their lease, and wakes", lease + 2*time.Second, func(w *world) {
		w.SetProvider(cluster.Late) // so that there are renewals under way
		time.Sleep(time.Second)
		w.Replicas[1].Pause()
		w.SetProvider(cluster.Well)
	}, func(w *world) { w.Replicas[1].Continue() }},
	{"a replica is restarted as its operator would", 0, func(w *world) { w.Replicas[2].Stop() }, func(w *world) { w.start(w.Replicas[2]) }},
	{"the store is frozen, and wakes", 3 * time.Second, func(w *world) { w.store.Pause() }, func(w *world) { w.store.Continue() }},
	{"the store is killed, and started again", 2 * time.Second, func(w *world) { w.store.Kill() }, func(w *world) { w.store.Start() }},
	{"the link between a replica and the store is cut", 5 * time.Second, func(w *world) { w.Replicas[2].Link.Cut() }, func(w *world) { w.Replicas[2].Link.Mend() }},
	{"the provider answers 503", 4 * time.Second, func(w *world) { w.SetProvider(cluster.Failing) }, func(w *world) { w.SetProvider(cluster.Well) }},
	{"the provider hangs", 4 * time.Second, func(w *world) { w.SetProvider(cluster.Hanging) }, func(w *world) { w.SetProvider(cluster.Well) }},
	{"the provider answers late", 6 * time.Second, func(w *world) { w.SetProvider(cluster.Late) }, func(w *world) { w.SetProvider(cluster.Well) }},
}

func (w *world) start(r *cluster.Replica) {
	if err := r.Start(); err != nil {
		w.t.Errorf("start %s again: %v", r.Name, err)
	}
}

// suffer goes through one fault and waits until the users are well again.
func (w *world) suffer(f fault) {
	w.t.Helper()
	before, crashes := w.Crowd.Tally(), len(w.crashes)
	f.begin(w)
	time.Sleep(f.lasts)
	f.end(w)
	ended := time.Now()
	w.until("all to be well again after: "+f.name, 45*time.Second, w.isWell)
	after := w.Crowd.Tally()
	w.t.Logf("%s: well again after %.1f s; calls %d, of which 503 %d (%s), other errors %d, lost %d; wrong logouts %d, reuses %d", f.name, time.Since(ended).Seconds(),
		after.Calls-before.Calls, after.Unavailable-before.Unavailable, after.LastUnavailable, after.Failed-before.Failed, after.Lost-before.Lost,
		after.WronglyOut-before.WronglyOut, w.Provider().Reuses)
	if lost := after.Lost - before.Lost; lost != 0 && len(w.crashes) == crashes { // a crash cuts answers that have begun
		w.t.Errorf("%s: %d calls had no answer", f.name, lost)
	}
}

// isWell reports whether for a second nobody got anything but an answer, nobody waits for one, and all replicas are ready.
func (w *world) isWell() bool {
	before := w.Crowd.Tally()
	time.Sleep(time.Second)
	after := w.Crowd.Tally()
	return after.OK > before.OK && after.Waiting == 0 && after.Unavailable+after.Failed+after.Lost == before.Unavailable+before.Failed+before.Lost &&
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

// judge holds what users, provider and API have seen against what must hold.
func (w *world) judge() {
	w.t.Helper()
	time.Sleep(2 * time.Second) // what is under way comes to its end
	w.halt()
	t := w.Crowd.Tally()
	calls, bad := w.Upstream()
	p := w.Provider()
	w.t.Logf("users %d; logins %d, logouts %d; calls %d: 200 %d, 503 %d, other errors %d (%s), lost %d; slowest 200 %s; logouts heard late %d", t.Users, t.Logins, t.Logouts,
		t.Calls, t.OK, t.Unavailable, t.Failed, t.LastFailure, t.Lost, t.Slowest.Round(time.Millisecond), t.HeardLate)
	w.t.Logf("provider: renewals %d, reuses %d, revocations %d; API: calls %d, with a token that was not good any more %d", p.Renewals, p.Reuses, p.Revocations, calls, bad)

	if t.HeardLate > t.Logouts/10 {
		w.t.Errorf("%d calls were answered after a logout that other replicas should have heard of", t.HeardLate)
	}
	if t.AnsweredAfterLogout != 0 {
		w.t.Errorf("sessions that had ended answered 200 again %d times", t.AnsweredAfterLogout)
	}
	w.wantTicketsDead()
	grants := w.Grants()
	explained := 0
	for _, wrong := range w.Crowd.WrongLogouts() {
		if g := grants[wrong.SID]; w.lostInACrash(g) {
			explained++
			continue
		}
		w.t.Errorf("logged out without having asked for it: %s at %s; the provider has %+v of that login", wrong.Code, wrong.At.Format("15:04:05.000"), grants[wrong.SID])
	}
	for sid, g := range grants {
		if g.Reuses > 0 && !w.lostInACrash(g) {
			w.t.Errorf("login %s: a refresh token was used twice: %+v", sid, g)
		}
	}
	w.t.Logf("sessions lost in the instant of a crash, between the provider's answer and the commit: %d", explained)
	// The slower the machine, the longer that instant; a tenth of the users at once is no chance.
	if explained > t.Users/10*len(w.crashes) {
		w.t.Errorf("%d sessions were lost in %d crashes: more than chance explains", explained, len(w.crashes))
	}
	w.wantGrantsLikeLogins()
}

// wantTicketsDead asks every replica with the cookies of every login that has ended.
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
	w.t.Logf("ended logins that every replica was asked with: %d", len(tickets))
}

// lostInACrash reports whether the last token of a login was rotated in the instant of a crash.
func (w *world) lostInACrash(g devprovider.Grant) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.ContainsFunc(w.crashes, func(crash time.Time) bool {
		return g.Renewed.After(crash.Add(-inDoubt)) && g.Renewed.Before(crash.Add(inDoubt))
	})
}

// wantGrantsLikeLogins waits until the refresh token of every ended session is dead at the provider, and wants
// those of all others alive.
func (w *world) wantGrantsLikeLogins() {
	w.t.Helper()
	living := func() (n int) {
		grants := w.Grants()
		for sid, in := range w.Crowd.Logins() {
			if !in && grants[sid].Alive {
				n++
			}
		}
		return n
	}
	w.until("the tokens of all ended sessions to be dead at the provider", 30*time.Second, func() bool { return living() == 0 })
	grants := w.Grants()
	for sid, in := range w.Crowd.Logins() {
		if g := grants[sid]; in && !g.Alive && !w.lostInACrash(g) {
			w.t.Errorf("login %s lasts, and its grant is dead: %+v", sid, g)
		}
	}
}
