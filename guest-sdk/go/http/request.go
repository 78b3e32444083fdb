package http

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"
)

// Request is a request to send.
type Request struct {
	// Method is GET where it is empty.
	Method string
	// URL is the address: `http://` or `https://`, without a name and password, which go into the header Authorization.
	URL *url.URL
	// Header is what is sent beside what the host sets itself, such as Host.
	Header Header
	// Body is sent, and closed in any case; nil if there is none.
	Body io.ReadCloser
	// ContentLength is the bytes of the body; 0 or less if that is not known.
	ContentLength int64

	ctx context.Context
}

// NoBody is a body without bytes.
var NoBody = noBody{}

type noBody struct{}

func (noBody) Read([]byte) (int, error) { return 0, io.EOF }

func (noBody) Close() error { return nil }

// NewRequest is a request that nothing but the Client's limits ends.
func NewRequest(method, url string, body io.Reader) (*Request, error) {
	return NewRequestWithContext(context.Background(), method, url, body)
}

// NewRequestWithContext is a request that ends with a context, its response's body included. The length of a *bytes.Buffer, a
// *bytes.Reader and a *strings.Reader is told to the server.
func NewRequestWithContext(ctx context.Context, method, address string, body io.Reader) (*Request, error) {
	if ctx == nil {
		return nil, errors.New("a request needs a context")
	}
	parsed, err := url.Parse(address)
	if err != nil {
		var inner *url.Error
		if errors.As(err, &inner) {
			err = inner.Err
		}
		why := err.Error()
		if strings.Contains(address, "@") {
			// It may quote a part of a password.
			why = "it cannot be read"
		}
		return nil, noAddress(address, why)
	}
	if method == "" {
		method = MethodGet
	}
	r := &Request{Method: method, URL: parsed, Header: Header{}, ctx: ctx}
	if err := r.check(); err != nil {
		return nil, err
	}
	r.setBody(body)
	return r, nil
}

func (r *Request) setBody(body io.Reader) {
	if body == nil {
		return
	}
	closer, ok := body.(io.ReadCloser)
	if !ok {
		closer = io.NopCloser(body)
	}
	r.Body = closer
	switch body := body.(type) {
	case *bytes.Buffer:
		r.ContentLength = int64(body.Len())
	case *bytes.Reader:
		r.ContentLength = int64(body.Len())
	case *strings.Reader:
		r.ContentLength = int64(body.Len())
	default:
		return
	}
	if r.ContentLength == 0 {
		r.Body = NoBody
	}
}

// Context is what ends the request.
func (r *Request) Context() context.Context {
	if r.ctx == nil {
		return context.Background()
	}
	return r.ctx
}

// WithContext is the same request with another context. Only the request itself is copied.
func (r *Request) WithContext(ctx context.Context) *Request {
	if ctx == nil {
		panic("longhaul: a request needs a context")
	}
	other := *r
	other.ctx = ctx
	return &other
}

// SetBasicAuth sets the header Authorization to a name and a password.
func (r *Request) SetBasicAuth(username, password string) {
	if r.Header == nil {
		r.Header = Header{}
	}
	r.Header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(username+":"+password)))
}

// check says what is wrong with a request before it goes anywhere.
func (r *Request) check() error {
	if r.Method != "" && !isToken(r.Method) {
		return fmt.Errorf("the method %q is not allowed", r.Method)
	}
	if r.URL == nil {
		return errors.New("a request needs an address")
	}
	switch {
	case !strings.EqualFold(r.URL.Scheme, "http") && !strings.EqualFold(r.URL.Scheme, "https"):
		return noAddress(r.URL.String(), "it begins with `http://` or `https://`")
	case r.URL.Host == "" || r.URL.Hostname() == "":
		return noAddress(r.URL.String(), "it has no host")
	case r.URL.User != nil:
		return noAddress(r.URL.String(), "a name and a password go into the header `authorization`")
	}
	return nil
}

func noAddress(address, why string) error {
	return fmt.Errorf("%q is no address for a request: %s", withoutSecrets(address), why)
}

// withoutSecrets is an address for the eyes of people: without whatever may be a name and a password in it. As the address is none, that
// is all before the last @.
func withoutSecrets(address string) string {
	at := strings.LastIndexByte(address, '@')
	if at < 0 {
		return address
	}
	scheme, _, found := strings.Cut(address[:at], "://")
	if !found || strings.ContainsAny(scheme, ":@/") {
		return "***" + address[at:]
	}
	return scheme + "://***" + address[at:]
}

func (r *Request) closeBody() {
	if r.Body != nil {
		_ = r.Body.Close()
	}
}

// method is the method that is meant.
func (r *Request) method() string {
	if r.Method == "" {
		return MethodGet
	}
	return r.Method
}
