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

type order struct {
	Name  string   `json:"name"`
	Count int      `json:"count"`
	Lines []string `json:"lines"`
	Price *int     `json:"price"`
}

// What encoding/json lets pass, as the README says.
func TestWhatAnObjectLacksIsZeroAndWhatItHasBesideIsIgnored(t *testing.T) {
	for text, want := range map[string]order{
		`{}`:                         {},
		`{"name":"a"}`:               {Name: "a"},
		`{"name":null,"lines":null}`: {},
		`{"name":"a","color":"red"}`: {Name: "a"},
		`{"count":1,"count":2}`:      {Count: 2},
		`{"NAME":"a","Count":3}`:     {Name: "a", Count: 3},
	} {
		have, err := FromPayload[order](New("json/plain", []byte(text)))
		if err != nil || have.Name != want.Name || have.Count != want.Count || have.Lines != nil || have.Price != nil {
			t.Errorf("%s: %+v, %v", text, have, err)
		}
	}
	for _, text := range []string{`null`, `[]`, `7`, `{"count":1.5}`, `{"count":99999999999999999999}`, `{"name":7}`, `{"lines":"a"}`, `{`, ``} {
		if have, err := FromPayload[order](New("json/plain", []byte(text))); err == nil {
			t.Errorf("%s: %+v", text, have)
		}
	}
}
