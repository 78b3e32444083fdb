package decimal

import (
	"encoding/json"
	"strings"
	"testing"
)

func read(t *testing.T, text string) Decimal {
	t.Helper()
	d, err := Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestNumbersKeepTheirDigits(t *testing.T) {
	for text, want := range map[string]string{
		"0": "0", "12": "12", "-3.50": "-3.50", "+1.0": "1.0", "0.05": "0.05", "-0.05": "-0.05", ".5": "0.5", "007": "7",
		"1.2e3": "1200", "1.25e1": "12.5", "5E-2": "0.05", strings.Repeat("9", 28): strings.Repeat("9", 28),
	} {
		if have := read(t, text).String(); have != want {
			t.Errorf("%s: have %s, want %s", text, have, want)
		}
	}
	if have := (Decimal{}).String(); have != "0" {
		t.Errorf("the zero value is %s", have)
	}
}

func TestWhatIsNoNumberIsRefused(t *testing.T) {
	for _, text := range []string{"", "-", "+-1", "1.2.3", "1,2", "0x10", "1_000", "NaN", "e5", "1e", "1e1.5", " 1",
		strings.Repeat("9", 29), "1e28", "1e-28", "1e1000000000", "1e99999999999999999999"} {
		if d, err := Parse(text); err == nil {
			t.Errorf("%q is %s", text, d)
		}
	}
}

func TestArithmeticIsExact(t *testing.T) {
	for _, c := range []struct{ have, want string }{
		{read(t, "0.1").Add(read(t, "0.20")).String(), "0.30"},
		{read(t, "1000.00").Sub(read(t, "99.5")).String(), "900.50"},
		{read(t, "29.99").Mul(New(2, 0)).String(), "59.98"},
		{read(t, "99.5").Rescale(2).String(), "99.50"},
		{read(t, "0.125").Rescale(2).String(), "0.13"},
		{read(t, "-0.125").Rescale(2).String(), "-0.13"},
		{read(t, "0.124").Rescale(2).String(), "0.12"},
		{Decimal{}.Add(New(1, 2)).String(), "0.01"},
	} {
		if c.have != c.want {
			t.Errorf("have %s, want %s", c.have, c.want)
		}
	}
	// What it was computed from stays what it was.
	a := New(150, 2)
	a.Add(New(1, 0))
	a.Rescale(0)
	if a.String() != "1.50" || a.Cmp(read(t, "1.5")) != 0 || a.Cmp(read(t, "1.51")) >= 0 || a.Cmp(read(t, "-2")) <= 0 {
		t.Errorf("%s", a)
	}
}

func TestJSONIsAStringAndMayBeANumber(t *testing.T) {
	var prices []Decimal
	if err := json.Unmarshal([]byte(`["4.20", 7.5, 3]`), &prices); err != nil {
		t.Fatal(err)
	}
	if text, err := json.Marshal(prices); err != nil || string(text) != `["4.20","7.5","3"]` {
		t.Errorf("%s, %v", text, err)
	}
	for _, text := range []string{"null", "true", `"free"`, "[]", "{}"} {
		var price Decimal
		if err := json.Unmarshal([]byte(text), &price); err == nil {
			t.Errorf("%s is %s", text, price)
		}
	}
}
