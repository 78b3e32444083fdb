package http

import (
	"errors"
	"io"
	"net/url"
)

// Response is a response that has begun.
type Response struct {
	// Status is such as `200 OK`.
	Status string
	// StatusCode is such as 200.
	StatusCode int
	// Header is the response's headers.
	Header Header
	// ContentLength is the bytes of the body; -1 if that is not told.
	ContentLength int64
	// Body is read as it comes, so one of any length takes no more memory than its parts. It is never nil. Close it; closing one that
	// was not read to its end ends the connection.
	Body io.ReadCloser
	// Request is the request that this answers.
	Request *Request
}

// ErrNoLocation is the error of Response.Location without that header.
var ErrNoLocation = errors.New("the response has no header Location")

// Location is where a redirect leads to. It was not followed.
func (r *Response) Location() (*url.URL, error) {
	location := r.Header.Get("Location")
	switch {
	case location == "":
		return nil, ErrNoLocation
	case r.Request != nil && r.Request.URL != nil:
		return r.Request.URL.Parse(location)
	}
	return url.Parse(location)
}

// ErrorForStatus is an error, with a *StatusError inside, if the status is 400 or above.
func (r *Response) ErrorForStatus() error {
	if r.StatusCode < 400 {
		return nil
	}
	return r.failed(&StatusError{r.StatusCode})
}

// ReadAll reads the whole body, and closes it. If it is longer than so many bytes, the error has a *TooLongError inside.
func (r *Response) ReadAll(limit int64) ([]byte, error) {
	defer r.Body.Close()
	// A response to HEAD tells the length of what it does not send.
	if r.ContentLength > limit && (r.Request == nil || r.Request.Method != MethodHead) {
		return nil, r.failed(&TooLongError{limit})
	}
	// What is read at most is one byte more, which tells that there is more.
	all, err := io.ReadAll(io.LimitReader(r.Body, max(limit, 0)+1))
	switch {
	case err != nil:
		return nil, err
	case int64(len(all)) > limit:
		return nil, r.failed(&TooLongError{limit})
	}
	return all, nil
}

func (r *Response) failed(err error) error {
	if r.Request == nil || r.Request.URL == nil {
		return err
	}
	return failed(r.Request, err)
}

// failed names the request beside what happened.
func failed(r *Request, err error) error {
	url := ""
	if r.URL != nil {
		url = r.URL.Redacted()
	}
	return &Error{Method: r.method(), URL: url, Err: err}
}
