package converter

import "strconv"

// Values of the types that the language itself names are most of what workflows and activities pass on. They are written and read here,
// without reflection; whatever is not plain goes the way of all others, with the same result.

// isBasic tells whether a value's type is one of those.
func isBasic(value any) bool {
	switch value.(type) {
	case string, bool, int, int8, int16, int32, int64, uint, uint8, uint16, uint32, uint64:
		return true
	}
	return false
}

// appendBasic writes a value as JSON, if its type is one of those.
func appendBasic(out []byte, value any) ([]byte, bool) {
	switch value := value.(type) {
	case string:
		e := encoder{out: out}
		e.string(value)
		return e.out, true
	case bool:
		return strconv.AppendBool(out, value), true
	case int:
		return strconv.AppendInt(out, int64(value), 10), true
	case int8:
		return strconv.AppendInt(out, int64(value), 10), true
	case int16:
		return strconv.AppendInt(out, int64(value), 10), true
	case int32:
		return strconv.AppendInt(out, int64(value), 10), true
	case int64:
		return strconv.AppendInt(out, value, 10), true
	case uint:
		return strconv.AppendUint(out, uint64(value), 10), true
	case uint8:
		return strconv.AppendUint(out, uint64(value), 10), true
	case uint16:
		return strconv.AppendUint(out, uint64(value), 10), true
	case uint32:
		return strconv.AppendUint(out, uint64(value), 10), true
	case uint64:
		return strconv.AppendUint(out, value, 10), true
	}
	return out, false
}

// readBasic reads a value from JSON, if its type is one of those and the text is plain: no spaces, no escapes, no number of more digits
// than any has room for. False where somebody else has to look, for what is wrong with it too.
func readBasic(data []byte, into any) bool {
	switch into := into.(type) {
	case *string:
		if !isPlainText(data) {
			return false
		}
		*into = string(data[1 : len(data)-1])
	case *bool:
		switch string(data) {
		case "true":
			*into = true
		case "false":
			*into = false
		default:
			return false
		}
	case *int:
		return readInteger(data, into)
	case *int32:
		return readInteger(data, into)
	case *int64:
		return readInteger(data, into)
	case *uint:
		return readInteger(data, into)
	case *uint32:
		return readInteger(data, into)
	case *uint64:
		return readInteger(data, into)
	default:
		return false
	}
	return true
}

// isPlainText tells whether data is a JSON string that is ASCII, of which nothing is escaped.
func isPlainText(data []byte) bool {
	last := len(data) - 1
	if last < 1 || data[0] != '"' || data[last] != '"' {
		return false
	}
	for _, c := range data[1:last] {
		if c < ' ' || c > '~' || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}

// digitsMax is how many digits fit into 64 bits whatever they are.
const digitsMax = 18

func readInteger[T int | int32 | int64 | uint | uint32 | uint64](data []byte, into *T) bool {
	digits := data
	negative := len(data) > 0 && data[0] == '-'
	if negative {
		digits = data[1:]
	}
	if len(digits) == 0 || len(digits) > digitsMax || len(digits) > 1 && digits[0] == '0' {
		return false
	}
	number := int64(0)
	for _, c := range digits {
		if c < '0' || c > '9' {
			return false
		}
		number = number*10 + int64(c-'0')
	}
	if negative {
		number = -number
	}
	value := T(number)
	// A type without a sign takes no sign, not even that of zero.
	if int64(value) != number || value < 0 != negative {
		return false
	}
	*into = value
	return true
}
