package http

import (
	"bytes"
	"context"
	"errors"
	"io"
	native "net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// server answers requests in a test.
func server(t *testing.T, answer native.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(answer)
	t.Cleanup(s.Close)
	return s.URL
}

func request(t *testing.T, ctx context.Context, method, address string, body io.Reader) *Request {
	t.Helper()
	r, err := NewRequestWithContext(ctx, method, address, body)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestARequestIsSentAsItIsMeant(t *testing.T) {
	address := server(t, func(w native.ResponseWriter, r *native.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("x-answer", r.Method+" "+r.URL.RequestURI()+" "+r.Header.Get("X-Question")+" "+string(body))
		w.WriteHeader(native.StatusCreated)
		_, _ = io.WriteString(w, "made")
	})
	r := request(t, context.Background(), MethodPut, address+"/a?b=c", strings.NewReader("body"))
	r.Header.Set("x-question", "why")
	response, err := DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	if have, want := response.Header.Get("X-Answer"), "PUT /a?b=c why body"; have != want {
		t.Errorf("have %q, want %q", have, want)
	}
	body, err := response.ReadAll(4)
	if err != nil || string(body) != "made" || response.StatusCode != StatusCreated || response.Status != "201 Created" {
		t.Errorf("%q %v %s", body, err, response.Status)
	}
}

func TestWhatIsNoAddressIsRefusedBeforeAnythingIsSent(t *testing.T) {
	for address, why := range map[string]string{
		"a/b":                "begins with",
		"ftp://a":            "begins with",
		"http:///b":          "no host",
		"http://:80/":        "no host",
		"http://user:word@a": "authorization",
		"http://a/%zz":       "invalid URL escape",
		"http://a\n/":        "control character",
	} {
		_, err := NewRequest(MethodGet, address, nil)
		if err == nil || !strings.Contains(err.Error(), why) || strings.Contains(err.Error(), ":word") {
			t.Errorf("%q: %v", address, err)
		}
	}
	for address, shown := range map[string]string{
		"http://eve:xyzzy@a/b?c": "http://***@a/b?c",
		"http://xyzzy@a":         "http://***@a",
		"http://eve:xyz/zy@a":    "http://***@a",
		"http://eve:xyz@zy@a":    "http://***@a",
		"http://eve:xyz%zz@a":    "http://***@a",
		"http://eve:xyz zy@a":    "http://***@a",
		"ftp://eve:xyzzy@a":      "ftp://***@a",
		"eve:xyzzy@a/b":          "***@a/b",
		"eve:xyz://zy@a":         "***@a",
		"http:eve:xyzzy@a":       "***@a",
	} {
		_, err := NewRequest(MethodGet, address, nil)
		if err == nil || !strings.HasPrefix(err.Error(), `"`+shown+`"`) || strings.Contains(err.Error(), "eve") || strings.Contains(err.Error(), "xyz") {
			t.Errorf("%q: %v", address, err)
		}
	}
	if _, err := NewRequest("GET it", "http://a", nil); err == nil || !strings.Contains(err.Error(), `"GET it"`) {
		t.Error(err)
	}
	body := &closing{Reader: strings.NewReader("x")}
	if _, err := DefaultClient.Do(&Request{Body: body}); err == nil || !body.closed {
		t.Errorf("%v %v", err, body.closed)
	}
}

type closing struct {
	io.Reader
	closed bool
}

func (c *closing) Close() error {
	c.closed = true
	return nil
}

func TestARedirectIsNotFollowed(t *testing.T) {
	asked := 0
	address := server(t, func(w native.ResponseWriter, r *native.Request) {
		asked++
		native.Redirect(w, r, "/elsewhere", native.StatusFound)
	})
	response, err := Get(address + "/here")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	location, err := response.Location()
	if err != nil || location.String() != address+"/elsewhere" || response.StatusCode != StatusFound || asked != 1 {
		t.Errorf("%v %v %d %d", location, err, response.StatusCode, asked)
	}
	if _, err := (&Response{}).Location(); err != ErrNoLocation {
		t.Error(err)
	}
}

func TestABodyThatIsTooLongIsNotTaken(t *testing.T) {
	address := server(t, func(w native.ResponseWriter, r *native.Request) {
		if r.URL.Path == "/told" {
			w.Header().Set("Content-Length", "11")
		}
		_, _ = io.WriteString(w, "eleven")
		w.(native.Flusher).Flush()
		_, _ = io.WriteString(w, "bytes")
	})
	for _, path := range []string{"/told", "/untold"} {
		for limit, fits := range map[int64]bool{0: false, 10: false, 11: true, 12: true} {
			response, err := Get(address + path)
			if err != nil {
				t.Fatal(err)
			}
			body, err := response.ReadAll(limit)
			var long *TooLongError
			switch {
			case fits && (err != nil || string(body) != "elevenbytes"):
				t.Errorf("%s %d: %q %v", path, limit, body, err)
			case !fits && (!errors.As(err, &long) || long.Limit != limit || !strings.HasPrefix(err.Error(), "GET "+address+path+": the response is longer than")):
				t.Errorf("%s %d: %v", path, limit, err)
			}
		}
	}
}

func TestALimitOfTheWholeEndsTheWaitAndTheBody(t *testing.T) {
	gate := make(chan struct{})
	defer close(gate)
	address := server(t, func(w native.ResponseWriter, r *native.Request) {
		if r.URL.Path == "/begun" {
			_, _ = io.WriteString(w, "begun")
			w.(native.Flusher).Flush()
		}
		<-gate
	})
	late := func(err error) {
		t.Helper()
		var e *Error
		if !errors.As(err, &e) || !e.Timeout() || !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "longer than 20ms") {
			t.Error(err)
		}
	}
	client := &Client{Timeout: 20 * time.Millisecond}
	_, err := client.Get(address)
	late(err)

	client = &Client{Timeout: 20 * time.Millisecond, Transport: begun{}}
	response, err := client.Get(address + "/begun")
	if err != nil {
		t.Fatal(err)
	}
	_, err = response.ReadAll(100)
	late(err)
}

// begun is a response whose body never ends, but with its request.
type begun struct{}

func (begun) RoundTrip(r *Request) (*Response, error) {
	return &Response{StatusCode: StatusOK, ContentLength: -1, Body: endless{r.Context()}}, nil
}

type endless struct{ ctx context.Context }

func (e endless) Read([]byte) (int, error) {
	<-e.ctx.Done()
	return 0, context.Cause(e.ctx)
}

func (endless) Close() error { return nil }

func TestARequestEndsWithItsContext(t *testing.T) {
	gate, asked := make(chan struct{}), make(chan struct{})
	defer close(gate)
	address := server(t, func(native.ResponseWriter, *native.Request) {
		close(asked)
		<-gate
	})
	ctx, cancel := context.WithCancelCause(context.Background())
	reason := errors.New("the activity was cancelled")
	go func() {
		<-asked
		cancel(reason)
	}()
	_, err := DefaultClient.Do(request(t, ctx, MethodGet, address, nil))
	if !errors.Is(err, reason) || err.Error() != "GET "+address+": the activity was cancelled" {
		t.Error(err)
	}
}

func TestAStatusThatSaysThatItFailedIsAnErrorOnlyIfAsked(t *testing.T) {
	address := server(t, native.NotFound)
	response, err := Get(address)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var status *StatusError
	if err := response.ErrorForStatus(); !errors.As(err, &status) || err.Error() != "GET "+address+": the server answered 404" {
		t.Error(err)
	}
	if err := (&Response{StatusCode: 399}).ErrorForStatus(); err != nil {
		t.Error(err)
	}
}

func TestTheLengthOfABodyIsToldWhereItIsKnown(t *testing.T) {
	for _, c := range []struct {
		body   io.Reader
		length int64
		none   bool
	}{
		{nil, 0, true},
		{strings.NewReader("four"), 4, false},
		{bytes.NewReader([]byte("four")), 4, false},
		{bytes.NewBufferString("four"), 4, false},
		{strings.NewReader(""), 0, true},
		{io.LimitReader(strings.NewReader("four"), 2), 0, false},
	} {
		r := request(t, context.Background(), MethodPost, "http://a", c.body)
		if none := r.Body == nil || r.Body == NoBody; r.ContentLength != c.length || none != c.none {
			t.Errorf("%T: %d %v", c.body, r.ContentLength, none)
		}
	}
}

func TestHeadersAreNamedInOneWay(t *testing.T) {
	h := Header{}
	h.Add("content-TYPE", "a")
	h.Add("Content-Type", "b")
	clone := h.Clone()
	h.Set("x", "1")
	h.Del("CONTENT-type")
	if len(h) != 1 || h.Get("X") != "1" || len(clone.Values("content-type")) != 2 || clone.Get("content-type") != "a" {
		t.Errorf("%v %v", h, clone)
	}
	for name, canonical := range map[string]string{"etag": "Etag", "x-a-": "X-A-", "no name": "no name", "": "", "ä": "ä"} {
		if have := CanonicalHeaderKey(name); have != canonical {
			t.Errorf("%q: %q", name, have)
		}
	}
}
