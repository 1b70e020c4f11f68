package server_test

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/test/providers/odd"
	"github.com/cloakroom/cloakroom/test/world"
)

// ST7: a thousand users send requests of every kind at once, with renewals in between. Each answer
// must belong to its caller; the provider tells whose access token the API received.
func TestEachOfAThousandUsersGetsTheirOwnAnswers(t *testing.T) {
	const users, workers = 1000, 32
	var later atomic.Int64 // nanoseconds; the clock of service and provider, so that the machine's speed does not matter
	now := func() time.Time { return time.Now().Add(time.Duration(later.Load())) }
	g := world.NewStage(t, odd.WithClock(now))
	g.Now = now
	g.Start(g.Port, "sqlite:"+g.DB, "")
	g.OP.SetTokenLife(100 * time.Second) // short, so that an ID token that is under way while the clock moves is not too old
	whose := func(r *http.Request) string {
		req, err := http.NewRequestWithContext(r.Context(), http.MethodGet, g.OP.URL(odd.Userinfo), nil)
		if err != nil {
			return err.Error()
		}
		req.Header.Set("Authorization", r.Header.Get("Authorization"))
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			return err.Error()
		}
		defer res.Body.Close()
		var claims struct{ Sub string }
		if err := json.NewDecoder(res.Body).Decode(&claims); err != nil {
			return err.Error()
		}
		return claims.Sub
	}
	g.API.Respond(func(w http.ResponseWriter, r *http.Request) {
		sub := whose(r)
		body, err := io.ReadAll(r.Body)
		if err != nil || r.Method == http.MethodPost && string(body) != strings.Repeat(sub+" ", 3000) {
			http.Error(w, "the body is not "+sub+"'s", http.StatusConflict)
			return
		}
		w.Header().Set("X-Sub", sub)
		for range 3 { // as a stream, through pooled buffers
			_, _ = io.WriteString(w, strings.Repeat(sub+" ", 1000))
			_ = http.NewResponseController(w).Flush()
		}
	})

	var login sync.Mutex // the provider has one user at a time
	browsers := make([]*world.Browser, users)
	inParallel(workers, users, func(i int) {
		b := g.Browser()
		b.T = t
		begin := b.Navigate("/bff/login?returnUrl=/after")
		login.Lock()
		g.OP.SetUser(odd.Claims{"sub": userName(i)})
		back := g.OP.Login(begin.Header.Get("Location"))
		login.Unlock()
		if r := b.Navigate(back.RequestURI()); r.StatusCode == http.StatusFound {
			browsers[i] = b
		}
	})
	if n := len(slices.DeleteFunc(slices.Clone(browsers), func(b *world.Browser) bool { return b == nil })); n < users/2 {
		t.Fatalf("%d of %d users are logged in", n, users)
	}
	renewals := len(g.OP.Grants("refresh_token"))
	for round, wait := range []time.Duration{85 * time.Second, 110 * time.Second, 85 * time.Second} { // behind and in front of the requests
		later.Add(int64(wait))
		clockFollows(g)
		inParallel(workers, users, func(i int) {
			b, sub := browsers[i], userName(i)
			if b == nil {
				return
			}
			own := strings.Repeat(sub+" ", 3000)
			var answer *world.Reply
			switch (i + round) % 4 {
			case 0:
				answer = served(t, func() *world.Reply { return b.Get("/bff/user?format=object") })
				own = fmt.Sprintf("%q", sub)
			case 1:
				answer = served(t, func() *world.Reply { return b.Get("/bff/session") })
				own = fmt.Sprintf(`"subject":%q`, sub)
			case 2:
				body := own
				answer = served(t, func() *world.Reply { return b.Do(http.MethodPost, "/optional/own", strings.NewReader(body)) })
			default:
				answer = served(t, func() *world.Reply { return b.Get("/optional/own") })
			}
			if answer.StatusCode != http.StatusOK || !strings.Contains(answer.Text, own) {
				t.Errorf("%s got %d %.80q, want an answer of their own", sub, answer.StatusCode, answer.Text)
			}
			if got := answer.Header.Get("X-Sub"); got != "" && got != sub {
				t.Errorf("%s got the headers of %s", sub, got)
			}
		})
	}
	if n := len(g.OP.Grants("refresh_token")); n == renewals {
		t.Error("no token was renewed; too little time went by")
	}
	if reused := g.OP.ReusedRefreshTokens(); len(reused) != 0 {
		t.Errorf("refresh tokens used twice = %d, want 0", len(reused))
	}
}

// served repeats a request while the answer is 503: on a slow machine the store may miss its
// deadline, and callers are told to retry. The answer must never be that of another user.
func served(t *testing.T, ask func() *world.Reply) *world.Reply {
	for range 100 {
		if r := ask(); r.StatusCode != http.StatusServiceUnavailable {
			return r
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Error("a hundred answers in a row were 503")
	return ask()
}

func userName(i int) string { return fmt.Sprintf("user-%04d", i) }

// inParallel calls n functions, several at a time. One that fails does not stop the others.
func inParallel(workers, n int, work func(i int)) {
	room := make(chan struct{}, workers)
	var wg sync.WaitGroup
	for i := range n {
		room <- struct{}{}
		wg.Go(func() {
			defer func() { <-room }()
			work(i)
		})
	}
	wg.Wait()
}

// clockFollows waits until the service, which asks for the time now and then, has noticed that the
// test has moved the machine's clock.
func clockFollows(g *world.World) {
	g.T.Helper()
	world.Eventually(g.T, "the service to follow the clock", func() bool {
		_, rest, _ := strings.Cut(g.Browser().Get(g.Admin+"/metrics").Text, "\ncloakroom_clock_offset_seconds ")
		line, _, _ := strings.Cut(rest, "\n")
		ahead, err := strconv.ParseFloat(line, 64)
		return err == nil && math.Abs(ahead) < 1
	})
}
