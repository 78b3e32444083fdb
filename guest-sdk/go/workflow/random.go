package workflow

import (
	"encoding/binary"

	"longhaul/internal/executor"
)

// RandomStream is a named stream of random values that are the same in every replay. The same name goes on with the same stream;
// streams do not influence each other. Not for secrets. It is a rand.Source64 of math/rand and a rand.Source of math/rand/v2.
type RandomStream struct {
	runtime *executor.Runtime
	name    string
}

// Random is a named stream of random values.
func Random(ctx Context, stream string) *RandomStream {
	return &RandomStream{ctx.state().run.runtime, stream}
}

// Bytes are the next n bytes; at most 64 KiB.
func (s *RandomStream) Bytes(n int) []byte {
	s.runtime.MustDraw()
	return s.runtime.Host.Random(s.name, uint32(n))
}

// Uint64 is the next number.
func (s *RandomStream) Uint64() uint64 { return binary.LittleEndian.Uint64(s.Bytes(8)) }

// Int63 is the next number that is not negative.
func (s *RandomStream) Int63() int64 { return int64(s.Uint64() >> 1) }

// Seed does nothing: the host seeds streams.
func (s *RandomStream) Seed(int64) {}

// Float64 is the next number in [0, 1).
func (s *RandomStream) Float64() float64 { return float64(s.Uint64()>>11) / (1 << 53) }

// NewUUID is a random UUID (version 4) that is the same in every replay. Not for secrets.
func NewUUID(ctx Context) string {
	r := ctx.state().run.runtime
	r.MustDraw()
	return uuid(r, "")
}

func uuid(r *executor.Runtime, stream string) string {
	const hex = "0123456789abcdef"
	b := r.Host.Random(stream, 16)
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	text := make([]byte, 0, 36)
	for i, octet := range b {
		switch i {
		case 4, 6, 8, 10:
			text = append(text, '-')
		}
		text = append(text, hex[octet>>4], hex[octet&15])
	}
	return string(text)
}
