//go:build !wasip2

package http

import (
	"context"
	"io"
	"net"
	native "net/http"
	"time"
)

// RoundTrip sends a request by net/http. BodyTimeout is not kept.
func (t *Transport) RoundTrip(r *Request) (*Response, error) {
	if err := r.check(); err != nil {
		r.closeBody()
		return nil, err
	}
	var body io.Reader
	if r.Body != nil && r.Body != NoBody {
		body = r.Body
	}
	request, err := native.NewRequestWithContext(r.Context(), r.method(), r.URL.String(), body)
	if err != nil {
		r.closeBody()
		return nil, err
	}
	request.Header = native.Header(r.Header.Clone())
	if r.ContentLength > 0 {
		request.ContentLength = r.ContentLength
	}
	dialer := net.Dialer{Timeout: or(t.ConnectTimeout, 30*time.Second)}
	transport := &native.Transport{
		DialContext:           dialer.DialContext,
		ResponseHeaderTimeout: t.ResponseHeaderTimeout,
		DisableKeepAlives:     true,
		DisableCompression:    true,
	}
	response, err := transport.RoundTrip(request)
	if err != nil {
		return nil, cause(r.Context(), err)
	}
	return &Response{
		Status:        response.Status,
		StatusCode:    response.StatusCode,
		Header:        Header(response.Header),
		ContentLength: response.ContentLength,
		Body:          &nativeBody{response.Body, r.Context()},
		Request:       r,
	}, nil
}

func or(limit, other time.Duration) time.Duration {
	if limit > 0 {
		return limit
	}
	return other
}

// cause is why a request was given up, as a component tells it.
func cause(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

type nativeBody struct {
	io.ReadCloser
	ctx context.Context
}

func (b *nativeBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	switch err {
	case nil, io.EOF:
	case native.ErrBodyReadAfterClose:
		err = ErrBodyReadAfterClose
	default:
		err = cause(b.ctx, err)
	}
	return n, err
}
