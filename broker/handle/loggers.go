package handle

import (
	"log/slog"
	"strings"

	"github.com/loghaul/loghaul/broker/topics"
)

// rootLogger is the only logger that Kafka's admin requests can see and change: there is one level for the whole broker.
const rootLogger = "root"

// fromLogger is Kafka's number for a logger's level in DescribeConfigs.
const fromLogger topics.Source = 6

// levels are Kafka's log levels, each with ours.
var levels = []struct {
	name  string
	level slog.Level
}{{"FATAL", slog.LevelError}, {"ERROR", slog.LevelError}, {"WARN", slog.LevelWarn}, {"INFO", slog.LevelInfo}, {"DEBUG", slog.LevelDebug}, {"TRACE", slog.LevelDebug}}

// loggerValues are the levels of the broker's loggers.
func (h *Handlers) loggerValues() ([]topics.Value, error) {
	if h.cfg.Level == nil {
		return nil, coded(errInvalidRequest, "the log level of this broker is fixed")
	}
	name := "TRACE"
	for _, l := range levels[1:] {
		if h.cfg.Level.Level() >= l.level {
			name = l.name
			break
		}
	}
	return []topics.Value{{Name: rootLogger, Value: name, Source: fromLogger, Meaning: "what is logged: this level and above"}}, nil
}

// setLogger changes a logger's level at once; it is forgotten at the end of the broker, as in Kafka.
func (h *Handlers) setLogger(c configChange, validate bool) error {
	switch {
	case h.cfg.Level == nil:
		return coded(errInvalidRequest, "the log level of this broker is fixed")
	case c.op == opAppend || c.op == opSubtract:
		return coded(errInvalidRequest, "operation %d is not allowed for loggers", c.op)
	case c.op == opDelete && c.name == rootLogger:
		return coded(errInvalidRequest, "Removing the log level of the %s logger is not allowed", rootLogger)
	case c.name != rootLogger:
		return coded(errInvalidConfig, "Logger %s does not exist!", c.name)
	}
	for _, l := range levels {
		if c.value != nil && strings.EqualFold(*c.value, l.name) {
			if !validate {
				h.cfg.Level.Set(l.level)
				h.log.Info("log level changed by a client", "level", l.name)
			}
			return nil
		}
	}
	return coded(errInvalidConfig, "a log level must be FATAL, ERROR, WARN, INFO, DEBUG or TRACE")
}
