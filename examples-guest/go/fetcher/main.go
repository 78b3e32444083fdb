// Files from the web into a folder. Workflow and activity are one component; what the activity may reach stands in `fetcher.toml` of
// the same example in Rust.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"longhaul/activity"
	"longhaul/http"
	"longhaul/temporal"
	"longhaul/workflow"
)

const (
	// folder is where the settings put the folder.
	folder = "/downloads"
	// silenceMax: an attempt that says nothing for this long is given up, and the next one goes on where its last heartbeat was.
	silenceMax = 10 * time.Second
	// requestMax: a server that says nothing for this long is asked again in the next attempt.
	requestMax = 2 * time.Second
	// chunkBytes is how much of a file is written at once.
	chunkBytes = 64 << 10
)

var client = &http.Client{Transport: &http.Transport{ConnectTimeout: requestMax, ResponseHeaderTimeout: requestMax, BodyTimeout: requestMax}}

// fetched is one file.
type fetched struct {
	Name  string `json:"name"`
	Bytes int64  `json:"bytes"`
}

// fetchFiles fetches files one after the other. A heartbeat after each says which are there.
func fetchFiles(ctx context.Context, urls []string) ([]fetched, error) {
	if err := refuseDoubles(urls); err != nil {
		return nil, err
	}
	var there []fetched
	if activity.HasHeartbeatDetails(ctx) {
		var err error
		if there, err = activity.GetHeartbeatDetails[[]fetched](ctx); err != nil {
			return nil, err
		}
	}
	if len(there) > 0 {
		activity.GetLogger(ctx).Info(fmt.Sprintf("%d of %d files are there already", len(there), len(urls)))
	}
	for _, url := range urls[len(there):] {
		if activity.IsCancelled(ctx) {
			return nil, temporal.NewCanceledError(strconv.Itoa(len(there)))
		}
		file, err := fetch(ctx, there, url)
		if err != nil {
			return nil, err
		}
		there = append(there, file)
		activity.RecordHeartbeat(ctx, there)
	}
	return there, nil
}

func fetch(ctx context.Context, before []fetched, url string) (fetched, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return fetched{}, err
	}
	if token, ok := os.LookupEnv("FETCH_TOKEN"); ok {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := client.Do(request)
	if err != nil {
		return fetched{}, failure(err)
	}
	defer response.Body.Close()
	if err := response.ErrorForStatus(); err != nil {
		return fetched{}, err
	}
	name := nameOf(url)
	path := folder + "/" + name
	// Another run may fetch a file of this name at the same time.
	partial := path + "." + activity.GetInfo(ctx).WorkflowExecution.RunID + ".part"
	file, err := os.Create(partial)
	if err != nil {
		return fetched{}, failure(err)
	}
	// Long files are silent otherwise.
	beat := func() { activity.RecordHeartbeat(ctx, before) }
	bytes, err := copyTo(file, response.Body, beat)
	if err == nil {
		// Whoever looks finds the whole file or none, also when this attempt ends here and the next one fetches it again.
		err = file.Sync()
	}
	if err := errors.Join(err, file.Close()); err != nil {
		return fetched{}, failure(err)
	}
	if err := os.Rename(partial, path); err != nil {
		return fetched{}, failure(err)
	}
	return fetched{name, bytes}, nil
}

// copyTo copies a body, and beats after each part.
func copyTo(file *os.File, body io.Reader, beat func()) (int64, error) {
	var bytes int64
	chunk := make([]byte, chunkBytes)
	for {
		n, err := body.Read(chunk)
		if _, err := file.Write(chunk[:n]); err != nil {
			return bytes, err
		}
		bytes += int64(n)
		if err == io.EOF {
			return bytes, nil
		}
		if err != nil {
			return bytes, err
		}
		beat()
	}
}

// nameOf is the last part of the path.
func nameOf(url string) string {
	path := url
	if end := strings.IndexAny(path, "?#"); end >= 0 {
		path = path[:end]
	}
	if _, rest, ok := strings.Cut(path, "://"); ok {
		path = rest
	}
	path = strings.TrimRight(path, "/")
	if slash := strings.LastIndexByte(path, '/'); slash >= 0 && path[slash+1:] != "." && path[slash+1:] != ".." {
		return path[slash+1:]
	}
	return "index"
}

// refuseDoubles refuses two addresses with one name: each file has the name of its address's last part, so one would be left.
func refuseDoubles(urls []string) error {
	names := map[string]bool{}
	for _, url := range urls {
		name := nameOf(url)
		if names[name] {
			text := fmt.Sprintf("%s: another address of the list is stored as %q too", url, name)
			return temporal.NewNonRetryableApplicationError(text, "SameName", nil)
		}
		names[name] = true
	}
	return nil
}

// failure is final where something is not granted: nor is it in the next attempt, for settings change with a new version of the module.
// A full disk, on the other hand, may have room again.
func failure(err error) error {
	var denied *http.DeniedError
	if errors.As(err, &denied) || errors.Is(err, os.ErrPermission) || errors.Is(err, syscall.EROFS) {
		return temporal.NewNonRetryableApplicationError(err.Error(), "Denied", nil)
	}
	return err
}

// fetchWorkflow fetches files.
func fetchWorkflow(ctx workflow.Context, urls []string) ([]fetched, error) {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: time.Hour,
		HeartbeatTimeout:    silenceMax,
		RetryPolicy:         &temporal.RetryPolicy{InitialInterval: 100 * time.Millisecond},
	})
	return workflow.ExecuteActivity[[]fetched](ctx, "FetchFiles", urls).Get(ctx)
}

// state is nothing but the argument.
type state struct{ urls []string }

func main() {
	workflow.RegisterWithInitOptions(workflow.RegisterOptions{Name: "FetchWorkflow", Description: "Fetches files."},
		func(_ workflow.Context, urls []string) (*state, error) { return &state{urls}, nil },
		func(s *state, ctx workflow.Context) ([]fetched, error) { return fetchWorkflow(ctx, s.urls) })
	activity.RegisterWithOptions(activity.RegisterOptions{
		Name:        "FetchFiles",
		Description: "Fetch files one after the other. A heartbeat after each says which are there.",
	}, fetchFiles)
}
