package renewal_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/session/renewal"
	"github.com/cloakroom/cloakroom/test/providers/odd"
)

// BenchmarkStorm is a hundred requests of one session just after expiry, over a real connection. It
// prints how many renewals the provider saw per round: one each would be a hundred.
func BenchmarkStorm(b *testing.B) {
	var offset atomic.Int64
	now := func() time.Time { return time.Now().Add(time.Duration(offset.Load())) }
	op := odd.New(b, odd.WithClock(now))
	op.SetTokenLife(time.Second)
	w := newWorld(b, op, nil, now)
	defer w.close()
	s := w.login()
	for b.Loop() {
		b.StopTimer()
		old := w.get(s.Name)
		offset.Add(int64(time.Second))
		b.StartTimer()
		var all sync.WaitGroup
		for range 100 {
			all.Go(func() {
				if _, err := w.renewer.AccessToken(context.Background(), old); err != nil {
					b.Errorf("token: %v", err)
				}
			})
		}
		all.Wait()
	}
	b.ReportMetric(float64(len(op.Grants("refresh_token")))/float64(b.N), "renewals/round")
	b.ReportMetric(float64(len(op.ReusedRefreshTokens())), "reused")
}

// BenchmarkNoWaitWhileValid compares a request that finds its token fresh with one that finds it
// aging while the provider takes its time over the renewal.
func BenchmarkNoWaitWhileValid(b *testing.B) {
	for _, c := range []struct {
		name string
		life time.Duration
		age  time.Duration
	}{{"fresh", time.Hour, 0}, {"renewing", 50 * time.Second, 42 * time.Second}} {
		b.Run(c.name, func(b *testing.B) {
			op := odd.New(b)
			op.SetTokenLife(c.life)
			w := newWorld(b, op, nil, time.Now)
			s := w.login()
			release := make(chan struct{})
			op.Intercept(odd.Token, odd.Hang(release))
			later := func() time.Time { return time.Now().Add(c.age) }
			r := renewal.New(renewal.Options{Providers: w.providers, Sessions: w.sessions, Leases: w.store, Now: later, Logger: quiet})
			for b.Loop() {
				if _, err := r.AccessToken(context.Background(), s); err != nil {
					b.Fatal(err)
				}
			}
			close(release)
			if err := r.Close(context.Background()); err != nil {
				b.Error(err)
			}
			w.close()
		})
	}
}
