package redis_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/session/storage"
	"github.com/cloakroom/cloakroom/session/store/redis"
	"github.com/cloakroom/cloakroom/test/servers"
)

const layoutKey = "cloakroom:layout"

// A store without a layout version was made by a build that knew no versions. It is taken over as
// it is, and so is one that lost its version together with all other keys.
func TestStoreWithoutALayoutVersionIsTakenOver(t *testing.T) {
	server := servers.Redis(t)
	g := newGroup(server.URL())
	s := g.openURL(t, g.url)
	e := entry()
	if err := s.Create(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	server.CLI("del", layoutKey)
	taken := g.openURL(t, g.url)
	if version := strings.TrimSpace(server.CLI("get", layoutKey)); version != "1" {
		t.Errorf("version = %q, want 1", version)
	}
	if _, err := taken.Load(t.Context(), e.Name); err != nil {
		t.Errorf("load what was there: %v", err)
	}
	server.CLI("flushall")
	if _, err := taken.Ping(t.Context()); err != nil {
		t.Errorf("ping an emptied store: %v", err)
	}
	if version := strings.TrimSpace(server.CLI("get", layoutKey)); version != "1" {
		t.Errorf("version of an emptied store = %q, want 1", version)
	}
}

func TestNextLayoutIsUsedAndTheOneAfterItRefused(t *testing.T) {
	server := servers.Redis(t)
	g := newGroup(server.URL())
	s := g.openURL(t, g.url)
	server.CLI("set", layoutKey, "2")
	for _, s := range []*redis.Store{s, g.openURL(t, g.url)} {
		if err := errors.Join(ping(t, s), s.Create(t.Context(), entry())); err != nil {
			t.Errorf("beside the next build: %v", err)
		}
	}
	if version := strings.TrimSpace(server.CLI("get", layoutKey)); version != "2" {
		t.Errorf("version = %q, want the next build's", version)
	}
	for version, want := range map[string]string{
		"3":   "run the newer build, or one that makes version 2",
		"one": "holds no version",
	} {
		server.CLI("set", layoutKey, version)
		other, err := redis.Open(t.Context(), g.url)
		if err == nil {
			_, err = other.Ping(t.Context())
			_ = other.Close()
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("version %s: %v, want %q", version, err, want)
		}
	}
	server.CLI("set", layoutKey, "3")
	if _, err := s.Ping(t.Context()); err == nil || !strings.Contains(err.Error(), "run the newer build") {
		t.Errorf("ping of a store that became too new: %v, want what to do", err)
	}
	if err := s.Create(t.Context(), entry()); err == nil || errors.Is(err, storage.ErrExists) {
		t.Errorf("create in a store that became too new: %v", err)
	}
	server.CLI("set", layoutKey, "2")
	if err := s.Create(t.Context(), entry()); err != nil {
		t.Errorf("create once that was rolled back: %v", err)
	}
}

// The two builds are one version apart, and the store has no version.
func TestBuildsThatStartTogetherAgreeOnALayout(t *testing.T) {
	for name, url := range map[string]string{
		"one server": servers.Redis(t).URL(),
		"cluster":    servers.RedisCluster(t).URL(),
	} {
		var all sync.WaitGroup
		for i := range 8 {
			all.Go(func() {
				s, err := redis.OpenAs(t.Context(), url, 1+i%2)
				if err != nil {
					t.Errorf("%s: open: %v", name, err)
					return
				}
				defer s.Close()
				_, err = s.Ping(t.Context())
				if err := errors.Join(err, s.Create(t.Context(), entry())); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			})
		}
		all.Wait()
		if seen, err := redis.Inspect(t.Context(), url); err != nil || !strings.Contains(seen.Layout, "layout version 2") {
			t.Errorf("%s: state = %+v %v, want that the newer build's version stays", name, seen, err)
		}
	}
}

// If a build that is two versions newer migrated the store, the running replicas could no longer
// use it.
func TestMuchOlderStoreIsLeftAloneWhileInUse(t *testing.T) {
	server := servers.Redis(t)
	g := newGroup(server.URL())
	ctx, stop := context.WithCancel(t.Context())
	stands, over := make(chan struct{}, 1000), make(chan struct{})
	s := g.openURL(t, g.url)
	go func() {
		defer close(over)
		_ = s.Listen(ctx, 50*time.Millisecond, func(storage.Change) {}, func(time.Time) { stands <- struct{}{} })
	}()
	<-stands
	if newer, err := redis.OpenAs(t.Context(), g.url, 3); err == nil {
		_ = newer.Close()
		t.Error("a build two versions newer is let in")
	} else if !strings.Contains(err.Error(), "makes version 2 first") {
		t.Errorf("open: %v, want what to do", err)
	}
	stop()
	<-over
	_ = s.Close()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		newer, err := redis.OpenAs(t.Context(), g.url, 3)
		if err == nil {
			_ = newer.Close()
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("open when nobody uses it: %v", err)
		}
	}
	if version := strings.TrimSpace(server.CLI("get", layoutKey)); version != "3" {
		t.Errorf("version = %q, want 3", version)
	}
}

// The subcommand check inspects a store and must not write a layout version.
func TestInspectWritesNoLayoutVersion(t *testing.T) {
	server := servers.Redis(t)
	for want, prepare := range map[string]func(){
		"empty":            func() {},
		"counts as 1":      func() { server.CLI("zadd", "cloakroom:{0ax}:names", "0", "name") },
		"layout version 1": func() { server.CLI("set", layoutKey, "1") },
		"of a newer build": func() { server.CLI("set", layoutKey, "2") },
	} {
		server.CLI("flushall")
		prepare()
		before := server.CLI("get", layoutKey)
		seen, err := redis.Inspect(t.Context(), server.URL())
		if err != nil || !strings.Contains(seen.Layout, want) {
			t.Errorf("state = %q %v, want %q", seen.Layout, err, want)
		}
		if after := server.CLI("get", layoutKey); after != before {
			t.Errorf("%s: version = %q, was %q", want, after, before)
		}
	}
	server.CLI("set", layoutKey, "3")
	_, err := redis.Inspect(t.Context(), server.URL())
	if err == nil || !strings.Contains(err.Error(), "run the newer build") {
		t.Errorf("too new: %v", err)
	}
}

func ping(t *testing.T, s *redis.Store) error {
	t.Helper()
	_, err := s.Ping(t.Context())
	return err
}
