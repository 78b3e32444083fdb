package workflow

import (
	"fmt"

	"longhaul/internal/host"
	"longhaul/internal/wit/types"
)

// Logger writes log lines. The host drops those that it has logged before, so that a replay does not log twice.
type Logger struct {
	host host.Host
	with []host.Label
}

// GetLogger writes log lines of this workflow.
func GetLogger(ctx Context) *Logger {
	return &Logger{host: ctx.state().run.runtime.Host}
}

// With adds names and values to each line.
func (l *Logger) With(keyvals ...any) *Logger {
	return &Logger{l.host, append(append([]host.Label{}, l.with...), labels(keyvals)...)}
}

// Debug writes a line, with names and values.
func (l *Logger) Debug(message string, keyvals ...any) {
	l.write(types.LogLevelDebug, message, keyvals)
}

// Info writes a line, with names and values.
func (l *Logger) Info(message string, keyvals ...any) { l.write(types.LogLevelInfo, message, keyvals) }

// Warn writes a line, with names and values.
func (l *Logger) Warn(message string, keyvals ...any) { l.write(types.LogLevelWarn, message, keyvals) }

// Error writes a line, with names and values.
func (l *Logger) Error(message string, keyvals ...any) {
	l.write(types.LogLevelError, message, keyvals)
}

func (l *Logger) write(level types.LogLevel, message string, keyvals []any) {
	l.host.Log(level, message, append(append([]host.Label{}, l.with...), labels(keyvals)...))
}

func labels(keyvals []any) []host.Label {
	var labels []host.Label
	for i := 0; i < len(keyvals); i += 2 {
		label := host.Label{First: fmt.Sprint(keyvals[i])}
		if i+1 < len(keyvals) {
			label.Second = fmt.Sprint(keyvals[i+1])
		}
		labels = append(labels, label)
	}
	return labels
}
