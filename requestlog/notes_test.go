package requestlog

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/cloakroom/cloakroom/problem"
)

func TestNotesKeepTheLastErrorForTheLog(t *testing.T) {
	ctx := WithNotes(t.Context())
	if got := Attrs(ctx); len(got) != 0 {
		t.Errorf("attributes before anything happened = %v", got)
	}
	Annotate(ctx, problem.New(problem.CSRF))
	if got := Attrs(ctx); len(got) != 1 || got[0].String() != "code=csrf" {
		t.Errorf("attributes = %v", got)
	}
	Annotate(ctx, errors.New("disk on fire"))
	got := Attrs(ctx)
	if len(got) != 2 || got[0].String() != "code=internal_error" || got[1].String() != "error=disk on fire" {
		t.Errorf("attributes = %v", got)
	}
	Annotate(ctx, nil)
	Annotate(context.Background(), errors.New("nobody notes this"))
	if got := Attrs(ctx); len(got) != 2 {
		t.Errorf("attributes = %v", got)
	}
}

// LG2, LG3: a text of another party is cut to its greatest length, and each event is one line.
func TestNotedErrorsAreBounded(t *testing.T) {
	ctx := WithNotes(t.Context())
	Annotate(ctx, errors.New("a\r\nlevel=ERROR msg=forged \xff"+strings.Repeat("é", 100_000)))
	var out bytes.Buffer
	slog.New(slog.NewTextHandler(&out, nil)).LogAttrs(ctx, slog.LevelInfo, "request", Attrs(ctx)...)
	if n := strings.Count(out.String(), "\n"); n != 1 || out.Len() > 2*maxErrorText {
		t.Errorf("%d lines, %d bytes", n, out.Len())
	}
}

func TestRequestIDTravelsWithTheContext(t *testing.T) {
	if got := ID(t.Context()); got != "" {
		t.Errorf("RequestID outside of a request = %q", got)
	}
	a, b := NewID(), NewID()
	if a == b || len(a) < 20 {
		t.Errorf("ids %q and %q", a, b)
	}
	if got := ID(WithID(t.Context(), a)); got != a {
		t.Errorf("RequestID = %q, want %q", got, a)
	}
}

// LG4: the request id is part of the lines of packages that know nothing of HTTP.
func TestLogLinesOfARequestHaveItsID(t *testing.T) {
	var out bytes.Buffer
	log := slog.New(Handler(slog.NewTextHandler(&out, nil))).With("a", 1)
	ctx := WithID(t.Context(), "R1")
	log.InfoContext(ctx, "login succeeded")
	log.InfoContext(ctx, "request", "request_id", "R1")
	log.Info("start")
	log.DebugContext(ctx, "not enabled")
	log.WithGroup("g").InfoContext(t.Context(), "grouped", "b", 2)
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 4 {
		t.Fatalf("%d lines: %s", len(lines), out.String())
	}
	for i, want := range []int{1, 1, 0, 0} {
		if got := strings.Count(lines[i], "request_id=R1"); got != want {
			t.Errorf("request_id stands %d times, want %d: %s", got, want, lines[i])
		}
	}
	if !strings.Contains(lines[3], "g.b=2") || !strings.Contains(lines[3], "a=1") {
		t.Errorf("attributes are lost: %s", lines[3])
	}
}
