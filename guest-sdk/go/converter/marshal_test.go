package converter

import (
	"encoding/json"
	"math"
	"testing"
	"time"
)

type inner struct {
	Number int `json:"number"`
	Hidden int `json:"hidden"`
}

type outer struct {
	inner
	Text     string            `json:"text"`
	Hidden   string            `json:"hidden"`
	Optional *int              `json:"optional,omitempty"`
	Quoted   int64             `json:"quoted,string"`
	Skipped  int               `json:"-"`
	Bytes    []byte            `json:"bytes"`
	Any      any               `json:"any"`
	When     time.Time         `json:"when"`
	Numbers  map[int]float64   `json:"numbers"`
	Words    map[string]string `json:"words,omitempty"`
	private  int
}

// text and method have ways of their own to be written, which a nil pointer has not.
type text struct{ value string }

func (t *text) MarshalText() ([]byte, error) { return []byte(t.value), nil }

type method struct{ value int }

func (m *method) MarshalJSON() ([]byte, error) { return json.Marshal(m.value) }

func TestWritesWhatEncodingJSONWrites(t *testing.T) {
	one := 1
	values := []any{
		nil, true, 3, -7, uint8(200), 1.5, 1e21, 1e-7, float32(0.1), "a\"b\\c\n\t\x01é\u2028", []int{1, 2}, [2]string{"a", "b"},
		map[string]any{"b": 1, "a": []any{nil, "x"}}, &one, outer{}, struct{}{}, json.RawMessage(`{"a":1}`), time.Hour,
		outer{inner: inner{2, 3}, Text: "<&>", Optional: &one, Bytes: []byte("hi"), Any: inner{}, Numbers: map[int]float64{2: 1, 10: 0.5}},
		json.Number("12"), []any{(*text)(nil), (*inner)(nil), (*method)(nil), &method{}}, map[string]any{"a": (*method)(nil)},
	}
	for _, value := range values {
		want, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		have, err := Marshal(value)
		if err != nil {
			t.Fatalf("%#v: %v", value, err)
		}
		if normal(t, have) != normal(t, want) {
			// The nil map and the nil slice of an empty outer are the differences that are meant.
			if o, ok := value.(outer); ok && o.Numbers == nil {
				continue
			}
			t.Errorf("%#v: have %s, want %s", value, have, want)
		}
	}
}

func normal(t *testing.T, data []byte) string {
	var value any
	if err := json.Unmarshal(data, &value); err != nil {
		t.Fatalf("%s: %v", data, err)
	}
	text, _ := json.Marshal(value)
	return string(text)
}

func TestNilSlicesAndMapsAreEmpty(t *testing.T) {
	have, err := Marshal(struct {
		List []string
		Map  map[string]int
		P    *int
	}{})
	if err != nil || string(have) != `{"List":[],"Map":{},"P":null}` {
		t.Errorf("%s, %v", have, err)
	}
}

func TestWhatHasNoJSONIsAnError(t *testing.T) {
	type loop struct{ Next *loop }
	endless := &loop{}
	endless.Next = endless
	for _, value := range []any{math.NaN(), func() {}, make(chan int), endless, map[bool]int{true: 1}} {
		if have, err := Marshal(value); err == nil {
			t.Errorf("%T: %s", value, have)
		}
	}
}
