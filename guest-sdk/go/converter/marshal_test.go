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

// both has the one by its value and the other by its pointer.
type both struct{ value int }

func (b both) MarshalText() ([]byte, error) { return []byte("text"), nil }

func (b *both) MarshalJSON() ([]byte, error) { return json.Marshal(b.value) }

// number is no struct, and has a text by its pointer.
type number int

func (n *number) MarshalText() ([]byte, error) { return []byte("number"), nil }

type holder struct {
	Text    text
	Method  method
	Both    both
	Number  number
	Pointer *text
	List    []text
	Array   [2]method
	Map     map[string]text
	Any     any
}

func TestMethodsOfPointersAreHonouredWhereEncodingJSONDoes(t *testing.T) {
	h := holder{
		Text: text{"a"}, Method: method{1}, Both: both{2}, Number: 3, Pointer: &text{"b"}, List: []text{{"c"}}, Array: [2]method{{4}, {5}},
		Map: map[string]text{"k": {"d"}}, Any: text{"e"},
	}
	n := number(1)
	// As a pointer it has an address, and so have its fields; what is in a map or an interface has none.
	for _, value := range []any{h, &h, []holder{h}, [1]holder{h}, map[string]*holder{"h": &h}, &n, n, []*number{&n}, &[]any{&h, h}, both{6}, &both{6}} {
		want, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		have, err := Marshal(value)
		if err != nil || normal(t, have) != normal(t, want) {
			t.Errorf("%T: have %s, want %s (%v)", value, have, want, err)
		}
	}
}

// span is zero by its pointer's method where it is shorter than 1.
type span int

func (s *span) IsZero() bool { return *s < 1 }

func TestWhatIsZeroIsLeftOutAsEncodingJSONDoes(t *testing.T) {
	type spans struct {
		Span    span       `json:"span,omitzero"`
		Pointer *span      `json:"pointer,omitzero"`
		When    time.Time  `json:"when,omitzero"`
		Then    *time.Time `json:"then,omitzero"`
		Any     any        `json:"any,omitzero"`
	}
	long, short := span(5), span(-5)
	for _, value := range []any{
		spans{}, &spans{}, spans{Span: short}, &spans{Span: short}, &spans{Span: long, Pointer: &long}, spans{Pointer: &short, Then: &time.Time{}},
		spans{Any: time.Time{}, When: time.Unix(1, 0)}, []spans{{Span: short}, {Span: long, Any: &short}},
	} {
		want, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		have, err := Marshal(value)
		if err != nil || normal(t, have) != normal(t, want) {
			t.Errorf("%#v: have %s, want %s (%v)", value, have, want, err)
		}
	}
}

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
