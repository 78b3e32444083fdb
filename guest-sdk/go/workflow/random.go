package workflow

import (
	"encoding/binary"

	"longhaul/internal/executor"
)

// WorkflowRandomStream is a named stream of random values that are the same in every replay. It is a rand.Source64 of math/rand, a
// rand.Source of math/rand/v2, and an io.Reader. Not for secrets.
type WorkflowRandomStream interface {
	// Read fills the slice with the next bytes. The error is always nil.
	Read(p []byte) (n int, err error)
	// Uint64 is the next number, of the next 8 bytes.
	Uint64() uint64
	// Int63 is the next number that is not negative.
	Int63() int64
	// Float64 is the next number in [0, 1).
	Float64() float64
	// Seed does nothing: the host seeds streams.
	Seed(int64)
}

// drawMax is how many bytes the host gives at once.
const drawMax = 64 << 10

type randomStream struct {
	runtime *executor.Runtime
	name    string
}

// GetRandomStream is a named stream of random values. The same name goes on with the same stream; streams do not influence each other.
func GetRandomStream(ctx Context, name string) WorkflowRandomStream {
	return &randomStream{ctx.state().run.runtime, name}
}

func (s *randomStream) Read(p []byte) (int, error) {
	s.runtime.MustDraw()
	for n := 0; n < len(p); {
		n += copy(p[n:], s.runtime.Host.Random(s.name, uint32(min(len(p)-n, drawMax))))
	}
	return len(p), nil
}

func (s *randomStream) Uint64() uint64 {
	s.runtime.MustDraw()
	return binary.LittleEndian.Uint64(s.runtime.Host.Random(s.name, 8))
}

func (s *randomStream) Int63() int64 { return int64(s.Uint64() >> 1) }

func (s *randomStream) Float64() float64 { return float64(s.Uint64()>>11) / (1 << 53) }

func (s *randomStream) Seed(int64) {}

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
