package converter

import (
	"errors"
	"strings"
	"testing"
)

func TestValuesSurviveTheWayAndBack(t *testing.T) {
	payloads, err := ToPayloads("text", 7, []byte{0, 255}, None{}, RawValue{Payloads: []Payload{Null()}})
	if err != nil {
		t.Fatal(err)
	}
	if len(payloads) != 4 {
		t.Fatalf("None is no argument: %v", payloads)
	}
	text, err := Argument[string](payloads, 0)
	if err != nil || text != "text" {
		t.Errorf("%q, %v", text, err)
	}
	bytes, err := Argument[[]byte](payloads, 2)
	if err != nil || len(bytes) != 2 || Encoding(payloads[2]) != "binary/plain" {
		t.Errorf("%v, %v", bytes, err)
	}
	raw, err := FromPayloads[RawValue](payloads)
	if err != nil || len(raw.Payloads) != 4 {
		t.Errorf("%v, %v", raw, err)
	}
}

func TestAMissingArgumentIsNotZero(t *testing.T) {
	if _, err := Argument[int](nil, 0); err == nil {
		t.Error("an int was read from nothing")
	}
	if pointer, err := Argument[*int](nil, 0); err != nil || pointer != nil {
		t.Errorf("%v, %v", pointer, err)
	}
	if _, err := Argument[None](nil, 0); err != nil {
		t.Error(err)
	}
}

func TestErrorsSayWhatIsWrong(t *testing.T) {
	if _, err := FromPayload[int](New("binary/encrypted", nil)); !errors.Is(err, ErrEncoding) {
		t.Error(err)
	}
	payload, _ := ToPayload("seven")
	if _, err := FromPayload[int](payload); err == nil || !strings.Contains(err.Error(), "string") {
		t.Error(err)
	}
	if _, err := ToPayload(func() {}); err == nil || !strings.Contains(err.Error(), "func()") {
		t.Error(err)
	}
}
