package executor

import (
	"strconv"
	"time"
)

// human is a duration as people write it: 7d, 1h30m, 250ms.
func human(d time.Duration) string {
	if d <= 0 {
		return "0s"
	}
	parts := []struct {
		amount time.Duration
		unit   string
	}{
		{d / (24 * time.Hour), "d"},
		{d / time.Hour % 24, "h"},
		{d / time.Minute % 60, "m"},
		{d / time.Second % 60, "s"},
		{d / time.Millisecond % 1000, "ms"},
		{d % time.Millisecond, "ns"},
	}
	words := ""
	for _, part := range parts {
		if part.amount > 0 {
			words += strconv.FormatInt(int64(part.amount), 10) + part.unit
		}
	}
	return words
}
