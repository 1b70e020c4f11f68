package requestlog

import (
	"io"
	"log/slog"

	"github.com/cloakroom/cloakroom/setting"
)

// Options configure the log.
type Options struct {
	Level  slog.Level // the zero value is info
	Format string     // json or text; "" is json
}

// Defaults returns the default Options.
func Defaults() Options { return Options{Level: slog.LevelInfo, Format: "json"} }

// Settings returns the keys of the log.
func (o *Options) Settings() setting.Block {
	words := []string{"debug", "info", "warn", "error"}
	levels := []slog.Level{slog.LevelDebug, slog.LevelInfo, slog.LevelWarn, slog.LevelError}
	return setting.Block{
		{
			Name: "level", Value: setting.Enum(&o.Level, words, levels),
			Doc:     "The lowest level that is logged: `debug`, `info`, `warn` or `error`",
			Example: []string{"info"},
		},
		{
			Name: "format", Value: setting.OneOf(&o.Format, "json", "text"),
			Doc:     "The format of a log line: `json` or `text`",
			Example: []string{"json"},
		},
	}
}

// NewLogger returns a logger that writes to w.
func (o Options) NewLogger(w io.Writer) *slog.Logger {
	h := &slog.HandlerOptions{Level: o.Level}
	if o.Format == "text" {
		return slog.New(slog.NewTextHandler(w, h))
	}
	return slog.New(slog.NewJSONHandler(w, h))
}
