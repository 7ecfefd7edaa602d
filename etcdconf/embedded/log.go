package embedded

import (
	"context"
	"log/slog"
	"slices"
	"strings"

	"go.uber.org/zap/zapcore"
)

// core hands what etcd says to slog: warnings and errors as they are; its many notes of good health are dropped.
type core struct {
	handler slog.Handler
	closing context.Context // ended: we are closing the member ourselves
	fields  []zapcore.Field
}

// expected are warnings about what was decided here, one port on loopback and tokens that never leave this machine,
// and about a fresh store that is asked for its version a moment before it has one.
var expected = []string{
	"Running http and grpc server on single port", "simple token is not cryptographically signed",
	"Failed to detect schema version", "failed to update storage version",
}

// Enabled says which levels are handed on.
func (c *core) Enabled(l zapcore.Level) bool {
	return l >= zapcore.WarnLevel && c.handler.Enabled(context.Background(), level(l))
}

func level(l zapcore.Level) slog.Level {
	if l >= zapcore.ErrorLevel {
		return slog.LevelError
	}
	return slog.LevelWarn
}

// With returns a core that adds fields to every entry.
func (c *core) With(fields []zapcore.Field) zapcore.Core {
	return &core{handler: c.handler, closing: c.closing, fields: append(c.fields[:len(c.fields):len(c.fields)], fields...)}
}

// Check registers the core for an entry it wants.
func (c *core) Check(e zapcore.Entry, ce *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	known := func(start string) bool { return strings.HasPrefix(e.Message, start) }
	if c.Enabled(e.Level) && c.closing.Err() == nil && !slices.ContainsFunc(expected, known) {
		return ce.AddCore(e, c)
	}
	return ce
}

// Write hands one entry on.
func (c *core) Write(e zapcore.Entry, fields []zapcore.Field) error {
	enc := zapcore.NewMapObjectEncoder()
	for _, f := range append(c.fields[:len(c.fields):len(c.fields)], fields...) {
		f.AddTo(enc)
	}
	r := slog.NewRecord(e.Time, level(e.Level), "etcd: "+e.Message, 0)
	for name, value := range enc.Fields {
		r.AddAttrs(slog.Any(name, value))
	}
	return c.handler.Handle(context.Background(), r)
}

// Sync does nothing: slog holds nothing back.
func (c *core) Sync() error { return nil }
