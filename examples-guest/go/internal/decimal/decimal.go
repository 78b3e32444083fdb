// Package decimal has numbers for money: exact, and with the digits behind the point that they were written with.
//
// A program of your own would rather take a library for this; the examples depend on nothing but the SDK.
package decimal

import (
	"encoding/json"
	"fmt"
	"math/big"
	"strconv"
	"strings"
)

// digitsMax is how many digits a number that is read may have, before and behind the point together: more than any currency needs,
// and few enough that nobody fills the memory with one.
const digitsMax = 28

// Decimal is a number with a number of digits behind the point. The zero value is 0.
type Decimal struct {
	// Nil is 0.
	unscaled *big.Int
	scale    int
}

// New is unscaled / 10^scale: New(1050, 2) is 10.50.
func New(unscaled int64, scale int) Decimal { return Decimal{big.NewInt(unscaled), scale} }

// Parse reads a number as people write it (12, -3.50) or with an exponent (1.2e3).
func Parse(text string) (Decimal, error) {
	mantissa, exponentText, scientific := strings.Cut(strings.ToLower(text), "e")
	exponent := 0
	if scientific {
		var err error
		if exponent, err = strconv.Atoi(exponentText); err != nil {
			return Decimal{}, fmt.Errorf("%q is not a decimal number", text)
		}
	}
	whole, fraction, _ := strings.Cut(mantissa, ".")
	unsigned := strings.TrimLeft(whole, "+-")
	digits := unsigned + fraction
	if len(whole)-len(unsigned) > 1 || digits == "" || strings.Trim(digits, "0123456789") != "" {
		return Decimal{}, fmt.Errorf("%q is not a decimal number", text)
	}
	if exponent < -digitsMax || exponent > digitsMax || len(digits)+max(exponent, -exponent) > digitsMax {
		return Decimal{}, fmt.Errorf("%q has more than %d digits", text, digitsMax)
	}
	unscaled, ok := new(big.Int).SetString(digits, 10)
	if !ok {
		return Decimal{}, fmt.Errorf("%q is not a decimal number", text)
	}
	if strings.HasPrefix(whole, "-") {
		unscaled.Neg(unscaled)
	}
	d := Decimal{unscaled, len(fraction) - exponent}
	if d.scale < 0 {
		d = d.Rescale(0)
	}
	return d, nil
}

func (d Decimal) int() *big.Int {
	if d.unscaled == nil {
		return new(big.Int)
	}
	return d.unscaled
}

// Rescale is the number with so many digits behind the point; a half is rounded away from zero.
func (d Decimal) Rescale(scale int) Decimal {
	if scale >= d.scale {
		return Decimal{new(big.Int).Mul(d.int(), power(scale-d.scale)), scale}
	}
	divisor := power(d.scale - scale)
	half := new(big.Int).Quo(divisor, big.NewInt(2))
	if d.Sign() < 0 {
		half.Neg(half)
	}
	// Quo cuts off towards zero.
	return Decimal{half.Quo(half.Add(half, d.int()), divisor), scale}
}

func power(of int) *big.Int { return new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(of)), nil) }

// align gives two numbers as many digits behind the point: those of the one that has more.
func align(a, b Decimal) (x, y *big.Int, scale int) {
	scale = max(a.scale, b.scale)
	return a.Rescale(scale).int(), b.Rescale(scale).int(), scale
}

// Add is the sum.
func (d Decimal) Add(other Decimal) Decimal {
	x, y, scale := align(d, other)
	return Decimal{new(big.Int).Add(x, y), scale}
}

// Sub is the difference.
func (d Decimal) Sub(other Decimal) Decimal {
	x, y, scale := align(d, other)
	return Decimal{new(big.Int).Sub(x, y), scale}
}

// Mul is the product.
func (d Decimal) Mul(other Decimal) Decimal {
	return Decimal{new(big.Int).Mul(d.int(), other.int()), d.scale + other.scale}
}

// Cmp is below, equal to or above 0 where the number is below, equal to or above the other one; 1.5 is equal to 1.50.
func (d Decimal) Cmp(other Decimal) int {
	x, y, _ := align(d, other)
	return x.Cmp(y)
}

// Sign is -1, 0 or 1.
func (d Decimal) Sign() int { return d.int().Sign() }

// String is the number with all its digits.
func (d Decimal) String() string {
	digits := new(big.Int).Abs(d.int()).String()
	if missing := d.scale + 1 - len(digits); missing > 0 {
		digits = strings.Repeat("0", missing) + digits
	}
	if d.scale > 0 {
		point := len(digits) - d.scale
		digits = digits[:point] + "." + digits[point:]
	}
	if d.Sign() < 0 {
		digits = "-" + digits
	}
	return digits
}

// MarshalJSON writes a string: numbers lose digits in other languages.
func (d Decimal) MarshalJSON() ([]byte, error) { return []byte(`"` + d.String() + `"`), nil }

// UnmarshalJSON reads a string or a number.
func (d *Decimal) UnmarshalJSON(data []byte) error {
	text := string(data)
	if strings.HasPrefix(text, `"`) {
		if err := json.Unmarshal(data, &text); err != nil {
			return err
		}
	}
	parsed, err := Parse(text)
	if err != nil {
		return err
	}
	*d = parsed
	return nil
}
