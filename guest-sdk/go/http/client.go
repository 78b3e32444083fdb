package http

import (
	"context"
	"io"
	"net/url"
	"strings"
	"time"
)

// RoundTripper sends one request and gives its response. It closes the request's body.
type RoundTripper interface {
	// RoundTrip sends a request and gives the answer to it.
	RoundTrip(*Request) (*Response, error)
}

// Transport is how requests are sent, and how long the server may say nothing. Where a limit is zero, the request's own deadline holds,
// and where there is none either, the host's.
type Transport struct {
	// ConnectTimeout is for the connection, TLS included; the host's limit is 30 s.
	ConnectTimeout time.Duration
	// ResponseHeaderTimeout is until the response begins; the host's limit is 60 s.
	ResponseHeaderTimeout time.Duration
	// BodyTimeout is between two parts of the response's body; the host's limit is 60 s.
	BodyTimeout time.Duration
}

// DefaultTransport has no limits of its own.
var DefaultTransport RoundTripper = &Transport{}

// Client sends requests. The zero value is one.
type Client struct {
	// Transport is how; nil for DefaultTransport.
	Transport RoundTripper
	// Timeout is for all of it, from the connection to the end of the response's body; none if it is zero.
	Timeout time.Duration
}

// DefaultClient is what Get, Head, Post and PostForm use.
var DefaultClient = &Client{}

// Get asks for what an address has.
func Get(url string) (*Response, error) { return DefaultClient.Get(url) }

// Head asks for the headers only.
func Head(url string) (*Response, error) { return DefaultClient.Head(url) }

// Post sends a body.
func Post(url, contentType string, body io.Reader) (*Response, error) {
	return DefaultClient.Post(url, contentType, body)
}

// PostForm sends values as a form in a browser does.
func PostForm(url string, data url.Values) (*Response, error) {
	return DefaultClient.PostForm(url, data)
}

// Get asks for what an address has.
func (c *Client) Get(url string) (*Response, error) { return c.send(MethodGet, url, "", nil) }

// Head asks for the headers only.
func (c *Client) Head(url string) (*Response, error) { return c.send(MethodHead, url, "", nil) }

// Post sends a body.
func (c *Client) Post(url, contentType string, body io.Reader) (*Response, error) {
	return c.send(MethodPost, url, contentType, body)
}

// PostForm sends values as a form in a browser does.
func (c *Client) PostForm(url string, data url.Values) (*Response, error) {
	return c.send(MethodPost, url, "application/x-www-form-urlencoded", strings.NewReader(data.Encode()))
}

func (c *Client) send(method, url, contentType string, body io.Reader) (*Response, error) {
	request, err := NewRequest(method, url, body)
	if err != nil {
		return nil, err
	}
	if contentType != "" {
		request.Header.Set("Content-Type", contentType)
	}
	return c.Do(request)
}

// Do sends a request and waits until its response begins. A status that says that the request has failed is no error, see
// Response.ErrorForStatus. Whatever goes wrong after the request was found to be one is an *Error.
func (c *Client) Do(r *Request) (*Response, error) {
	if err := r.check(); err != nil {
		r.closeBody()
		return nil, err
	}
	transport := c.Transport
	if transport == nil {
		transport = DefaultTransport
	}
	ctx, done := r.Context(), func() {}
	if c.Timeout > 0 {
		ctx, done = context.WithTimeoutCause(ctx, c.Timeout, &late{c.Timeout})
	}
	response, err := transport.RoundTrip(r.WithContext(ctx))
	if err != nil {
		done()
		return nil, failed(r, err)
	}
	response.Request = r
	response.Body = &namedBody{response.Body, r, done}
	return response, nil
}

// namedBody is a body whose errors name the request.
type namedBody struct {
	io.ReadCloser
	request *Request
	// done gives up the limit of the whole.
	done context.CancelFunc
}

func (b *namedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err == nil {
		return n, nil
	}
	b.done()
	if err == io.EOF {
		return n, err
	}
	return n, failed(b.request, err)
}

func (b *namedBody) Close() error {
	b.done()
	return b.ReadCloser.Close()
}
