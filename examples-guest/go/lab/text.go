package main

import (
	"errors"
	"math"
	"sort"
	"strconv"
	"strings"
	"unicode/utf16"

	"longhaul/temporal"
)

// dump is a value as Python's json.dumps writes it: a space behind commas and colons, and ASCII only. The keys are sorted: a Go map has
// no order.
func dump(value any) string {
	var text strings.Builder
	write(&text, value)
	return text.String()
}

func write(text *strings.Builder, value any) {
	switch value := value.(type) {
	case nil:
		text.WriteString("null")
	case bool:
		text.WriteString(strconv.FormatBool(value))
	case float64:
		text.WriteString(number(value))
	case string:
		quote(text, value)
	case []any:
		text.WriteByte('[')
		for i, element := range value {
			if i > 0 {
				text.WriteString(", ")
			}
			write(text, element)
		}
		text.WriteByte(']')
	case map[string]any:
		keys := make([]string, 0, len(value))
		for key := range value {
			keys = append(keys, key)
		}
		sort.Strings(keys)
		text.WriteByte('{')
		for i, key := range keys {
			if i > 0 {
				text.WriteString(", ")
			}
			quote(text, key)
			text.WriteString(": ")
			write(text, value[key])
		}
		text.WriteByte('}')
	}
}

func quote(text *strings.Builder, s string) {
	const hex = "0123456789abcdef"
	escape := func(unit uint16) {
		text.WriteString(`\u`)
		for shift := 12; shift >= 0; shift -= 4 {
			text.WriteByte(hex[unit>>shift&15])
		}
	}
	text.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			text.WriteByte('\\')
			text.WriteRune(r)
		case r == '\n':
			text.WriteString(`\n`)
		case r == '\r':
			text.WriteString(`\r`)
		case r == '\t':
			text.WriteString(`\t`)
		case r == '\b':
			text.WriteString(`\b`)
		case r == '\f':
			text.WriteString(`\f`)
		case r >= 0x20 && r < 0x7f:
			text.WriteRune(r)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			escape(uint16(high))
			escape(uint16(low))
		default:
			escape(uint16(r))
		}
	}
	text.WriteByte('"')
}

// number is a whole number without a point, as JSON that came without one; Python writes an exponent with a sign and two digits.
func number(f float64) string {
	if f == math.Trunc(f) && math.Abs(f) < 1<<53 {
		return strconv.FormatInt(int64(f), 10)
	}
	if abs := math.Abs(f); abs < 1e-4 || abs >= 1e16 {
		return strconv.FormatFloat(f, 'e', -1, 64)
	}
	return strconv.FormatFloat(f, 'f', -1, 64)
}

// say is a failure in one line.
func say(err error) string {
	switch err := err.(type) {
	case nil:
		return "NoneType"
	case *temporal.ActivityError, *temporal.ChildWorkflowExecutionError:
		return say(errors.Unwrap(err))
	case *temporal.ApplicationError:
		kind := err.Type()
		if kind == "" {
			kind = "None"
		}
		return kind + ": " + err.Message()
	case *temporal.TimeoutError:
		return "timeout " + limits[err.TimeoutType()]
	case *temporal.TerminatedError:
		return "terminated"
	case *temporal.CanceledError:
		return "cancelled"
	}
	return err.Error()
}

var limits = map[temporal.TimeoutType]string{
	temporal.TimeoutTypeStartToClose:    "START_TO_CLOSE",
	temporal.TimeoutTypeScheduleToStart: "SCHEDULE_TO_START",
	temporal.TimeoutTypeScheduleToClose: "SCHEDULE_TO_CLOSE",
	temporal.TimeoutTypeHeartbeat:       "HEARTBEAT",
}
