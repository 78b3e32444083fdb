package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"longhaul/http"
)

const (
	// toldBytes is how much of a response is told.
	toldBytes = 1 << 16
	// redirectsMax is how many redirects are followed.
	redirectsMax = 5
	// chunkBytes is how much of a file is read at once.
	chunkBytes = 1 << 16
)

// words are what a verb is about.
type words struct {
	left []string
	err  error
}

// next is the next word; without one the verb fails.
func (w *words) next() string {
	if len(w.left) == 0 {
		w.err = errors.New("it needs more words")
		return ""
	}
	word := w.left[0]
	w.left = w.left[1:]
	return word
}

func (w *words) number() int {
	number, err := strconv.Atoi(w.next())
	if err != nil && w.err == nil {
		w.err = err
	}
	return number
}

// reach does what a text says: a verb, and what it is about.
func reach(ctx context.Context, what string) (string, error) {
	verb, rest, _ := strings.Cut(what, " ")
	w := &words{}
	if rest != "" {
		w.left = strings.Split(rest, " ")
	}
	told, err := act(ctx, verb, w)
	if w.err != nil {
		return "", fmt.Errorf("%s: %w", verb, w.err)
	}
	return told, err
}

func act(ctx context.Context, verb string, w *words) (string, error) {
	if told, known, err := sockets(ctx, verb, w); known {
		return told, err
	}
	done := func(what string, err error) (string, error) { return what, err }
	switch verb {
	// HTTP.
	case "get":
		return get(ctx, http.DefaultClient, w.next())
	case "follow":
		return follow(ctx, w.next())
	case "post":
		body := strings.Repeat("x", w.number())
		return send(ctx, w.next(), strings.NewReader(body))
	// A body whose length is not known before, as it is made.
	case "pour":
		count := w.number()
		read, write := io.Pipe()
		go func() {
			for range count {
				if _, err := io.WriteString(write, "drop"); err != nil {
					return
				}
			}
			_ = write.Close()
		}()
		return send(ctx, w.next(), read)
	// A body that cannot be read to its end.
	case "break":
		return send(ctx, w.next(), io.MultiReader(strings.NewReader("begun"), broken{}))
	// Two at once.
	case "both":
		one, other := w.next(), w.next()
		type answer struct {
			told string
			err  error
		}
		answers := make(chan answer)
		go func() {
			told, err := get(ctx, http.DefaultClient, one)
			answers <- answer{told, err}
		}()
		second, err := get(ctx, http.DefaultClient, other)
		first := <-answers
		return first.told + ", " + second, errors.Join(first.err, err)
	// For so many milliseconds at most.
	case "patience":
		limited, cancel := context.WithTimeout(ctx, time.Duration(w.number())*time.Millisecond)
		defer cancel()
		told, err := get(limited, http.DefaultClient, w.next())
		if errors.Is(err, context.DeadlineExceeded) {
			return "given up", nil
		}
		return told, err
	// The server may say nothing for so many milliseconds.
	case "silence":
		limit := time.Duration(w.number()) * time.Millisecond
		transport := &http.Transport{ConnectTimeout: limit, ResponseHeaderTimeout: limit, BodyTimeout: limit}
		return get(ctx, &http.Client{Transport: transport}, w.next())
	// All of it may take so many milliseconds.
	case "within":
		return get(ctx, &http.Client{Timeout: time.Duration(w.number()) * time.Millisecond}, w.next())
	// While another goroutine never waits.
	case "beside":
		told, err := "", error(nil)
		done := false
		go func() {
			told, err = get(ctx, http.DefaultClient, w.next())
			done = true
		}()
		for !done {
			runtime.Gosched()
		}
		return told, err
	// Closed by another goroutine while it is read.
	case "close":
		return closed(ctx, w.next())
	// With a header.
	case "header":
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, w.next(), nil)
		if err != nil {
			return "", err
		}
		request.Header.Set(w.next(), w.next())
		return do(http.DefaultClient, request)
	// What follows, as often as the first word says.
	case "again":
		count := w.number()
		what := strings.Join(w.left, " ")
		last := ""
		for range count {
			var err error
			if last, err = reach(ctx, what); err != nil {
				return "", err
			}
		}
		return last, nil
	// The environment, time and random numbers.
	case "env":
		name := w.next()
		if value, ok := os.LookupEnv(name); ok {
			return value, nil
		}
		return "", errors.New(name + " is not set")
	case "envs":
		var names []string
		for _, variable := range os.Environ() {
			name, _, _ := strings.Cut(variable, "=")
			names = append(names, name)
		}
		slices.Sort(names)
		return strings.Join(names, " "), nil
	case "sleep":
		limit := time.Duration(w.number()) * time.Millisecond
		before := time.Now()
		time.Sleep(limit)
		if slept := time.Since(before); slept < limit {
			return "", fmt.Errorf("slept for %s only", slept)
		}
		return "slept", nil
	case "random":
		random := make([]byte, w.number())
		_, err := rand.Read(random)
		return hex.EncodeToString(random), err
	// Files.
	case "read":
		text, err := os.ReadFile(w.next())
		return string(text), err
	case "length":
		return length(w.next())
	case "write":
		return done("written", os.WriteFile(w.next(), []byte("written"), 0o666))
	case "append":
		file, err := os.OpenFile(w.next(), os.O_APPEND|os.O_WRONLY, 0)
		if err != nil {
			return "", err
		}
		_, err = file.WriteString("written")
		return "written", errors.Join(err, file.Close())
	case "list":
		entries, err := os.ReadDir(w.next())
		var names []string
		for _, entry := range entries {
			names = append(names, entry.Name())
		}
		return strings.Join(names, " "), err
	case "create":
		return done("created", os.Mkdir(w.next(), 0o777))
	case "remove":
		return done("removed", os.Remove(w.next()))
	case "rename":
		return done("renamed", os.Rename(w.next(), w.next()))
	case "link":
		return done("linked", os.Link(w.next(), w.next()))
	// As often as the second word says; the different texts that were readable.
	case "race":
		path, count := w.next(), w.number()
		var texts []string
		for range count {
			if text, err := os.ReadFile(path); err == nil && !slices.Contains(texts, string(text)) {
				texts = append(texts, string(text))
			}
		}
		slices.Sort(texts)
		return strings.Join(texts, " "), nil
	}
	return "", errors.New("this is nothing that can be reached for")
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errors.New("the body is broken") }

func get(ctx context.Context, client *http.Client, url string) (string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	return do(client, request)
}

func send(ctx context.Context, url string, body io.Reader) (string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, body)
	if err != nil {
		return "", err
	}
	return do(http.DefaultClient, request)
}

func do(client *http.Client, request *http.Request) (string, error) {
	response, err := client.Do(request)
	if err != nil {
		return "", err
	}
	return told(response)
}

func told(response *http.Response) (string, error) {
	text, err := response.ReadAll(toldBytes)
	return fmt.Sprintf("%d %s", response.StatusCode, text), err
}

// follow does as a browser does.
func follow(ctx context.Context, url string) (string, error) {
	for range redirectsMax {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return "", err
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			return "", err
		}
		next, err := response.Location()
		if err == http.ErrNoLocation {
			return told(response)
		}
		if err := errors.Join(err, response.Body.Close()); err != nil {
			return "", err
		}
		url = next.String()
	}
	return "", errors.New("too many redirects")
}

// closed closes a body that never ends while it is read.
func closed(ctx context.Context, url string) (string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return "", err
	}
	ended := make(chan error)
	go func() {
		_, err := io.Copy(io.Discard, response.Body)
		ended <- err
	}()
	time.Sleep(time.Millisecond)
	if err := response.Body.Close(); err != nil {
		return "", err
	}
	if err := <-ended; !errors.Is(err, http.ErrBodyReadAfterClose) {
		return "", fmt.Errorf("it ended otherwise: %w", err)
	}
	return "closed", nil
}

// length reads a file in parts.
func length(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer file.Close()
	chunk, length := make([]byte, chunkBytes), 0
	for {
		n, err := file.Read(chunk)
		length += n
		if err == io.EOF {
			return strconv.Itoa(length), nil
		}
		if err != nil {
			return "", err
		}
	}
}

// kept is what has been used up.
var kept [][]byte

// exhaust does what a text says without end.
func exhaust(ctx context.Context, what string) (string, error) {
	verb, object, _ := strings.Cut(what, " ")
	switch verb {
	case "memory":
		for {
			kept = append(kept, bytes.Repeat([]byte{1}, 1<<20))
		}
	case "time":
		for {
			time.Sleep(time.Minute)
		}
	case "fuel":
		for {
			kept = nil
		}
	case "stack":
		return overrun()
	case "handles":
		var open []*os.File
		for {
			file, err := os.Open(object)
			if err != nil {
				return "", err
			}
			open = append(open, file)
		}
	case "sockets":
		return exhaustSockets(ctx, object)
	case "response":
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, object, nil)
		if err != nil {
			return "", err
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			return "", err
		}
		body, err := io.ReadAll(response.Body)
		return strconv.Itoa(len(body)), err
	}
	return "", errors.New("this is nothing that can be exhausted")
}
