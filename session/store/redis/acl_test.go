package redis_test

import (
	"errors"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/session"
	"github.com/cloakroom/cloakroom/test/servers"
)

func TestUserOfAnACLNeedsNoMoreThanDocumented(t *testing.T) {
	server := servers.Redis(t, "user default off", "user cloakroom on >p%40ss/word "+documentedACL(t))
	g := newGroup("redis://cloakroom:" + url.QueryEscape("p%40ss/word") + "@" + server.Addr() + "/3")
	s := g.openURL(t, g.url)
	e := entry()
	line := g.another(t, s)
	heard := make(chan session.Change, 10)
	stands := make(chan struct{}, 1)
	go func() {
		_ = line.Listen(t.Context(), 50*time.Millisecond, func(c session.Change) { heard <- c }, func(time.Time) {
			select {
			case stands <- struct{}{}:
			default:
			}
		})
	}()
	select {
	case <-stands:
	case <-time.After(5 * time.Second):
		t.Fatal("the line does not stand")
	}
	if at, err := s.Ping(t.Context()); err != nil || at.IsZero() {
		t.Errorf("ping: %v, with the time %v", err, at)
	}
	if err := s.Create(t.Context(), e); err != nil {
		t.Errorf("create: %v", err)
	}
	if err := s.Update(t.Context(), e); err != nil {
		t.Errorf("update: %v", err)
	}
	if _, err := s.Acquire(t.Context(), "k", "h", time.Second); err != nil {
		t.Errorf("acquire: %v", err)
	}
	if err := s.Release(t.Context(), "k", "h"); err != nil {
		t.Errorf("release: %v", err)
	}
	if err := s.End(t.Context(), e.Name, session.ReasonLogout, time.Now()); err != nil {
		t.Errorf("end: %v", err)
	}
	if _, err := s.Lease(t.Context(), time.Now(), time.Second, 3); err != nil {
		t.Errorf("lease: %v", err)
	}
	if _, _, err := s.Revocations(t.Context(), 3); err != nil {
		t.Errorf("revocations: %v", err)
	}
	if _, err := s.List(t.Context(), "", 3); err != nil {
		t.Errorf("list: %v", err)
	}
	if err := g.openURL(t, g.url+"?wait_replicas=1").Create(t.Context(), entry()); err == nil || !strings.Contains(err.Error(), "0 replicas have it") {
		t.Errorf("create with wait_replicas: %v, want that it is not replicated", err)
	}
	if c := <-heard; c.Kind != session.RecordUpdated {
		t.Errorf("heard %+v, want the update", c)
	}
}

// A Sentinel's client asks each server that it is sent to for its role.
func TestUserOfAnACLNeedsNoMoreThanDocumentedUnderSentinel(t *testing.T) {
	group := servers.RedisSentinel(t)
	for _, server := range []*servers.RedisServer{group.Primary, group.Replica} {
		server.CLI(append([]string{"acl", "setuser", "cloakroom", "on", ">secret"}, strings.Fields(documentedACL(t))...)...)
	}
	s := newGroup("").openURL(t, strings.Replace(group.URL(), "redis://", "redis://cloakroom:secret@", 1)+"&wait_replicas=1")
	e := entry()
	if err := errors.Join(s.Create(t.Context(), e), s.End(t.Context(), e.Name, session.ReasonLogout, time.Now())); err != nil {
		t.Errorf("create and end: %v", err)
	}
}

// documentedACL is the rule that docs/scaling.md gives.
func documentedACL(t *testing.T) string {
	t.Helper()
	page, err := os.ReadFile("../../../docs/scaling.md")
	if err != nil {
		t.Fatal(err)
	}
	rule := regexp.MustCompile(`(?m)^ACL SETUSER cloakroom on >PASSWORD (.*)$`).FindSubmatch(page)
	if rule == nil {
		t.Fatal("docs/scaling.md has no ACL rule")
	}
	return string(rule[1])
}
