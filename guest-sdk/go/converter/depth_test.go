package converter

import (
	"strings"
	"testing"
)

// nested is a list in a list, and so on.
func nested(depth int) string { return strings.Repeat("[", depth) + strings.Repeat("]", depth) }

// B1
func TestATextThatIsNestedTooDeeplyIsRefused(t *testing.T) {
	for text, fine := range map[string]bool{
		nested(depthMax):                            true,
		nested(depthMax + 1):                        false,
		strings.Repeat("[", 1_000_000):              false,
		strings.Repeat(`{"a":`, depthMax+1):         false,
		`["` + strings.Repeat("[", 1000) + `"]`:     true,
		`["\\\"` + strings.Repeat("[", 1000) + `"]`: true,
		`["\\", ` + nested(depthMax) + `]`:          false,
	} {
		_, err := FromPayload[any](New(jsonPlain, []byte(text)))
		told := err != nil && strings.Contains(err.Error(), "127 is the limit")
		if told == fine || err != nil && fine {
			t.Errorf("%.40s of %d bytes: %v", text, len(text), err)
		}
	}
}

func TestWhatCanBeReadCanBeWritten(t *testing.T) {
	value, err := FromPayload[any](New(jsonPlain, []byte(nested(depthMax))))
	if err != nil {
		t.Fatal(err)
	}
	if text, err := Marshal(value); err != nil || string(text) != nested(depthMax) {
		t.Errorf("%s, %v", text, err)
	}
	if text, err := Marshal([]any{value}); err == nil {
		t.Errorf("%s", text)
	}
	type linked struct {
		Next *linked `json:"next"`
	}
	text := strings.Repeat(`{"next":`, depthMax-1) + `{"next":null}` + strings.Repeat("}", depthMax-1)
	list, err := FromPayload[linked](New(jsonPlain, []byte(text)))
	if have, unwritten := Marshal(list); err != nil || unwritten != nil || string(have) != text {
		t.Errorf("%s, %v, %v", have, err, unwritten)
	}
	type pointer *pointer
	var endless pointer
	endless = &endless
	if text, err := Marshal(endless); err == nil {
		t.Errorf("%s", text)
	}
}
