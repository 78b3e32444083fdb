package http

import "strings"

// Header is the headers of a request or a response, by their names in the form of CanonicalHeaderKey.
type Header map[string][]string

// Add adds a value.
func (h Header) Add(key, value string) {
	key = CanonicalHeaderKey(key)
	h[key] = append(h[key], value)
}

// Set replaces the values by one.
func (h Header) Set(key, value string) { h[CanonicalHeaderKey(key)] = []string{value} }

// Get is the first value; empty if there is none.
func (h Header) Get(key string) string {
	if values := h.Values(key); len(values) > 0 {
		return values[0]
	}
	return ""
}

// Values are all values. They are not a copy.
func (h Header) Values(key string) []string { return h[CanonicalHeaderKey(key)] }

// Del removes the values.
func (h Header) Del(key string) { delete(h, CanonicalHeaderKey(key)) }

// Clone is a copy.
func (h Header) Clone() Header {
	if h == nil {
		return nil
	}
	clone := make(Header, len(h))
	for key, values := range h {
		clone[key] = append([]string(nil), values...)
	}
	return clone
}

// CanonicalHeaderKey is a header's name as Header has it: `content-type` becomes `Content-Type`. What is no name stays as it is.
func CanonicalHeaderKey(key string) string {
	if !isToken(key) {
		return key
	}
	letters := []byte(key)
	first := true
	for i, letter := range letters {
		switch {
		case first && 'a' <= letter && letter <= 'z':
			letters[i] = letter - 'a' + 'A'
		case !first && 'A' <= letter && letter <= 'Z':
			letters[i] = letter - 'A' + 'a'
		}
		first = letter == '-'
	}
	return string(letters)
}

// isToken tells whether a text is a name as HTTP has them, of headers and methods.
func isToken(text string) bool {
	for i := range len(text) {
		letter := text[i]
		switch {
		case 'a' <= letter && letter <= 'z', 'A' <= letter && letter <= 'Z', '0' <= letter && letter <= '9':
		case strings.IndexByte("!#$%&'*+-.^_`|~", letter) >= 0:
		default:
			return false
		}
	}
	return text != ""
}
