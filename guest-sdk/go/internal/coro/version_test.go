package coro

import (
	"strings"
	"testing"
)

func TestAnotherReleaseOfTinyGoIsRefused(t *testing.T) {
	for _, version := range []string{"0.41", "0.41.0", "0.41.1", "0.41.12-dev"} {
		if text := refusal(version); text != "" {
			t.Errorf("%s: %s", version, text)
		}
	}
	for _, version := range []string{"0.40.1", "0.42.0", "0.410.1", "0.4.1", "1.41.0", "", "0.42.0-dev-1a2b3c4"} {
		text := refusal(version)
		if !strings.Contains(text, "TinyGo "+version+", ") || !strings.Contains(text, "TinyGo 0.41:") {
			t.Errorf("%s: %q", version, text)
		}
	}
}
