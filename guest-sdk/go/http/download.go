//go:build wasip2

package http

import (
	"context"
	"errors"
	"io"
	"runtime"
	"strconv"
	"strings"
	"sync"

	"longhaul/internal/poll"
	"longhaul/internal/wit/httptypes"
	"longhaul/internal/wit/iostreams"
)

// incoming is a response out of the host's terms.
func incoming(ctx context.Context, cancel context.CancelCauseFunc, r *Request, response httptypes.IncomingResponse) *Response {
	header := Header{}
	headers := response.Headers()
	for _, entry := range headers.Entries() {
		header.Add(entry.First, string(entry.Second))
	}
	headers.Drop()
	status := int(response.Status())
	length := int64(-1)
	if told, err := strconv.ParseInt(header.Get("Content-Length"), 10, 64); err == nil && told >= 0 {
		length = told
	}
	// It is the first time, so they are there.
	body := response.Consume().Value
	return &Response{
		Status:        statusLine(status),
		StatusCode:    status,
		Header:        header,
		ContentLength: length,
		Body:          &download{ctx: ctx, cancel: cancel, stream: body.Stream().Value, body: body, response: response},
		Request:       r,
	}
}

// download is a response's body.
type download struct {
	ctx    context.Context
	cancel context.CancelCauseFunc

	// reading is held by who reads.
	reading  sync.Mutex
	stream   iostreams.InputStream
	body     httptypes.IncomingBody
	response httptypes.IncomingResponse
	// rest is what has come and was not asked for yet.
	rest []byte
	// end is what ended it, and then the host has everything back.
	end error
}

func (d *download) Read(p []byte) (int, error) {
	d.reading.Lock()
	defer d.reading.Unlock()
	for len(d.rest) == 0 && d.end == nil && len(p) > 0 {
		d.next()
	}
	if len(d.rest) == 0 && len(p) > 0 {
		return 0, d.end
	}
	n := copy(p, d.rest)
	d.rest = d.rest[n:]
	return n, nil
}

// next takes the next part from the host, or waits.
func (d *download) next() {
	if d.ctx.Err() != nil {
		d.finish(context.Cause(d.ctx))
		return
	}
	read := d.stream.Read(chunkBytes)
	switch {
	case read.Err != nil:
		d.finish(ended(*read.Err))
	case len(read.Value) > 0:
		d.rest = read.Value
		// A body that is always there would leave no time for anything else, such as its limit.
		runtime.Gosched()
	default:
		if err := poll.Wait(d.ctx, d.stream.Subscribe()); err != nil {
			d.finish(err)
		}
	}
}

// Close wakes who reads.
func (d *download) Close() error {
	d.cancel(ErrBodyReadAfterClose)
	d.reading.Lock()
	defer d.reading.Unlock()
	d.finish(ErrBodyReadAfterClose)
	d.rest, d.end = nil, ErrBodyReadAfterClose
	return nil
}

// finish gives everything back to the host; what was made of another goes first.
func (d *download) finish(end error) {
	if d.end != nil {
		return
	}
	d.end = end
	d.stream.Drop()
	d.body.Drop()
	d.response.Drop()
	// Nothing of the request is sent any more either.
	d.cancel(end)
}

// ended is why a stream has no more.
func ended(err iostreams.StreamError) error {
	failed, ok := err.(iostreams.StreamErrorLastOperationFailed)
	if !ok {
		return io.EOF
	}
	defer failed.Value.Drop()
	if code := httptypes.HttpErrorCode(failed.Value); code != nil {
		return failure(*code)
	}
	// What follows is for the host's own developers.
	text, _, _ := strings.Cut(failed.Value.ToDebugString(), "\n")
	return errors.New(text)
}
