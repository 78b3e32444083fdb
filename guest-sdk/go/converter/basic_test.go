package converter

import (
	"encoding/json"
	"math"
	"testing"
)

// texts are JSON and what is not: plain, not plain, out of range, of another type.
var texts = []string{
	"", "0", "-0", "7", "-7", "007", "-07", "+1", "-", "1.0", "1e3", "7 ", " 7", "7x", "127", "128", "2147483647", "2147483648", "-2147483648",
	"-2147483649", "4294967295", "4294967296", "999999999999999999", "1000000000000000000", "9223372036854775807", "9223372036854775808",
	"-9223372036854775808", "-9223372036854775809", "18446744073709551615", "18446744073709551616", "true", "false", "True", "tru", "truex",
	`"`, `""`, `"a"`, `"a`, `a"`, `"a"b"`, `"a\n"`, `"\u00e9"`, `"é"`, "\"\x01\"", "\"\x7f\"", "\"\xff\"", `" a "`, `"a" `, "[1]", "{}",
}

// reads fails unless a value is read from every text as encoding/json reads it.
func reads[T comparable](t *testing.T) {
	t.Helper()
	for _, text := range texts {
		var want T
		refused := json.Unmarshal([]byte(text), &want) != nil
		have, err := FromPayloads[T]([]Payload{New(jsonPlain, []byte(text))})
		if (err != nil) != refused {
			t.Errorf("%T from %q: %v", want, text, err)
		}
		if err == nil && have != want {
			t.Errorf("%T from %q is %v instead of %v", want, text, have, want)
		}
	}
}

func TestBasicValuesAreReadAsJSONIs(t *testing.T) {
	reads[string](t)
	reads[bool](t)
	reads[int](t)
	reads[int8](t)
	reads[int32](t)
	reads[int64](t)
	reads[uint](t)
	reads[uint8](t)
	reads[uint32](t)
	reads[uint64](t)
	reads[float64](t)
}

func TestBasicValuesAreWrittenAsJSONIs(t *testing.T) {
	values := []any{
		"", "a", "a\"\\\n\t\x01é\xff", true, false, 0, -1, math.MaxInt, math.MinInt, int8(math.MinInt8), int16(math.MaxInt16),
		int32(math.MinInt32), int64(math.MinInt64), uint(7), uint8(255), uint16(1), uint32(math.MaxUint32), uint64(math.MaxUint64),
	}
	for _, value := range values {
		if !isBasic(value) {
			t.Errorf("%T is not taken for what it is", value)
		}
		want, err := Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		payload, err := ToPayload(value)
		if err != nil || string(payload.Data) != string(want) || Encoding(payload) != jsonPlain {
			t.Errorf("%T %v: %q as %q, %v; want %q", value, value, payload.Data, Encoding(payload), err, want)
		}
		several, err := ToPayloads(value)
		if err != nil || len(several) != 1 || string(several[0].Data) != string(want) {
			t.Errorf("%T %v: %v, %v", value, value, several, err)
		}
	}
}

func TestWhatIsAddedToAPayloadTouchesNothingElse(t *testing.T) {
	var payloads [][]Payload
	for number := range 100 {
		written, err := ToPayloads(number)
		if err != nil {
			t.Fatal(err)
		}
		payloads = append(payloads, written)
	}
	for _, list := range payloads {
		list[0].Data = append(list[0].Data, '!')
		list[0].Metadata = append(list[0].Metadata, list[0].Metadata[0])
		_ = append(list, Null())
	}
	for number, list := range payloads {
		want, _ := json.Marshal(number)
		if string(list[0].Data) != string(want)+"!" || Encoding(list[0]) != jsonPlain || len(list) != 1 {
			t.Errorf("%d: %q %q", number, list[0].Data, Encoding(list[0]))
		}
	}
}
