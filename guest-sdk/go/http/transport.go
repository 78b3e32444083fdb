//go:build wasip2

package http

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"longhaul/internal/poll"
	"longhaul/internal/wit/httpoutgoinghandler"
	"longhaul/internal/wit/httptypes"
)

// RoundTrip sends a request by the host.
func (t *Transport) RoundTrip(r *Request) (*Response, error) {
	if err := r.check(); err != nil {
		r.closeBody()
		return nil, err
	}
	outgoing, err := outgoing(r)
	if err != nil {
		r.closeBody()
		return nil, err
	}
	var body *httptypes.OutgoingBody
	if r.Body != nil && r.Body != NoBody {
		// Taken before the request is given away. It is the first time, so it is there.
		taken := outgoing.Body()
		body = &taken.Value
	}
	ctx, cancel := context.WithCancelCause(r.Context())
	options := t.options(ctx)
	handled := httpoutgoinghandler.Handle(outgoing, &options)
	if handled.Err != nil {
		if body != nil {
			body.Drop()
		}
		r.closeBody()
		cancel(nil)
		return nil, failure(*handled.Err)
	}
	pending := handled.Value
	if body != nil {
		// The server may answer before it has all of it.
		go upload(ctx, cancel, *body, r.Body)
	}
	if err := poll.Wait(ctx, pending.Subscribe()); err != nil {
		pending.Drop()
		cancel(err)
		return nil, err
	}
	answer := pending.Get()
	pending.Drop()
	// It is ready, and nobody has taken it: so the other cases cannot be.
	if answer == nil || answer.Err != nil {
		cancel(nil)
		return nil, fmt.Errorf("the response was taken")
	}
	if answer.Value.Err != nil {
		err := failure(*answer.Value.Err)
		cancel(err)
		return nil, err
	}
	return incoming(ctx, cancel, r, answer.Value.Value), nil
}

// outgoing is a request in the host's terms.
func outgoing(r *Request) (httptypes.OutgoingRequest, error) {
	headers := httptypes.NewFields()
	add := func(key, value string) error {
		if added := headers.Append(key, []byte(value)); added.Err != nil {
			return fmt.Errorf("the header %q is not allowed", key)
		}
		return nil
	}
	length := r.Body != nil && r.Body != NoBody && r.ContentLength > 0
	for key, values := range r.Header {
		if length && CanonicalHeaderKey(key) == "Content-Length" {
			continue
		}
		for _, value := range values {
			if err := add(key, value); err != nil {
				headers.Drop()
				return 0, err
			}
		}
	}
	if length {
		if err := add("content-length", strconv.FormatInt(r.ContentLength, 10)); err != nil {
			headers.Drop()
			return 0, err
		}
	}
	request := httptypes.NewOutgoingRequest(headers)
	var scheme httptypes.Scheme = httptypes.SchemeHTTP{}
	if strings.EqualFold(r.URL.Scheme, "https") {
		scheme = httptypes.SchemeHTTPS{}
	}
	if set := request.SetMethod(method(r.method())); set.Err != nil {
		request.Drop()
		return 0, fmt.Errorf("the method %q is not allowed", r.Method)
	}
	host, path := r.URL.Host, r.URL.RequestURI()
	if request.SetScheme(&scheme).Err != nil || request.SetAuthority(&host).Err != nil || request.SetPathWithQuery(&path).Err != nil {
		request.Drop()
		return 0, noAddress(r.URL.String(), "it has characters that an address must not have")
	}
	return request, nil
}

func method(name string) httptypes.Method {
	switch name {
	case MethodGet:
		return httptypes.MethodGet{}
	case MethodHead:
		return httptypes.MethodHead{}
	case MethodPost:
		return httptypes.MethodPost{}
	case MethodPut:
		return httptypes.MethodPut{}
	case MethodPatch:
		return httptypes.MethodPatch{}
	case MethodDelete:
		return httptypes.MethodDelete{}
	case MethodConnect:
		return httptypes.MethodConnect{}
	case MethodOptions:
		return httptypes.MethodOptions{}
	case MethodTrace:
		return httptypes.MethodTrace{}
	}
	return httptypes.MethodOther{Value: name}
}

// grace is how much later than a context the host gives up, so that the context says why.
const grace = time.Second

// options are the limits, in the host's terms. A host that does not know one of them has a limit of its own.
func (t *Transport) options(ctx context.Context) httptypes.RequestOptions {
	limit := func(own time.Duration) *uint64 {
		if own <= 0 {
			deadline, ok := ctx.Deadline()
			if !ok {
				return nil
			}
			own = max(time.Until(deadline), 0) + grace
		}
		ns := uint64(own)
		return &ns
	}
	options := httptypes.NewRequestOptions()
	options.SetConnectTimeout(limit(t.ConnectTimeout))
	options.SetFirstByteTimeout(limit(t.ResponseHeaderTimeout))
	options.SetBetweenBytesTimeout(limit(t.BodyTimeout))
	return options
}
