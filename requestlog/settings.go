package requestlog

import (
	"io"
	"log/slog"

	"github.com/cloakroom/cloakroom/setting"
)

// Options are what is logged and how.
type Options struct {
	Level  slog.Level // 0: info
	Format string     // json (also "") or text
}

// Defaults are Options of which the operator has said nothing.
func Defaults() Options { return Options{Level: slog.LevelInfo, Format: "json"} }

// Settings are the keys of the log.
func (o *Options) Settings() setting.Block {
	words, levels := []string{"debug", "info", "warn", "error"}, []slog.Level{slog.LevelDebug, slog.LevelInfo, slog.LevelWarn, slog.LevelError}
	return setting.Block{
		{
			Name: "level", Value: setting.Enum(&o.Level, words, levels),
			Doc:     "The least severe lines that are written: `debug`, `info`, `warn` or `error`",
			Example: []string{"info"},
		},
		{
			Name: "format", Value: setting.OneOf(&o.Format, "json", "text"),
			Doc:     "How a line is written: `json` or `text`",
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
