// Package parts has what the worlds of tests are made of: a log, a way to a provider without a network,
// providers and sessions with tokens of theirs. It knows no server, so that tests of single packages
// can use it.
package parts

import (
	"bytes"
	"log/slog"
	"strings"
	"sync"
)

// A Log is written to by several goroutines, and may be read meanwhile.
type Log struct {
	mu sync.Mutex // guards b
	b  bytes.Buffer
}

// Logger writes everything to the log.
func (l *Log) Logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(l, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// Write implements io.Writer.
func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

// String is all that was written.
func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// Count is how often a text was written.
func (l *Log) Count(text string) int { return strings.Count(l.String(), text) }
