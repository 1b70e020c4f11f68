package redis_test

import (
	"errors"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/session/store/storetest"
	"github.com/cloakroom/cloakroom/test/servers"
)

func TestUserOfAnACLNeedsNoMoreThanDocumented(t *testing.T) {
	server := servers.Redis(t, "user default off", "user cloakroom on >p%40ss/word "+documentedACL(t))
	g := newGroup("redis://cloakroom:" + url.QueryEscape("p%40ss/word") + "@" + server.Addr() + "/3")
	g.prefix = "cloakroom:test-"
	storetest.Run(t, g.parts, storetest.Shared(g.another))
	s := g.openURL(t, g.url)
	if at, err := s.Ping(t.Context()); err != nil || at.IsZero() {
		t.Errorf("ping: %v, with the time %v", err, at)
	}
	err := g.openURL(t, g.url+"?wait_replicas=1").Create(t.Context(), entry())
	if err == nil || !strings.Contains(err.Error(), "0 replicas have it") {
		t.Errorf("create with wait_replicas: %v, want that it is not replicated", err)
	}
}

// With Sentinel, the client asks each server for its role, which needs a permission of its own.
func TestUserOfAnACLNeedsNoMoreThanDocumentedUnderSentinel(t *testing.T) {
	group := servers.RedisSentinel(t)
	for _, server := range []*servers.RedisServer{group.Primary, group.Replica} {
		server.CLI(append([]string{"acl", "setuser", "cloakroom", "on", ">secret"}, strings.Fields(documentedACL(t))...)...)
	}
	s := newGroup("").openURL(t, strings.Replace(group.URL(), "redis://", "redis://cloakroom:secret@", 1)+"&wait_replicas=1")
	e := entry()
	if err := errors.Join(s.Create(t.Context(), e), s.End(t.Context(), e.Name, "logout", time.Now())); err != nil {
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
