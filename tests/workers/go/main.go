// Activities in Temporal's Go SDK: worker HOST:PORT FOLDER NAME.
//
// It serves the activities of the lab, and one for tests that kill workers. Those wait for files that it writes to FOLDER, and it waits for
// theirs.
package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	sdklog "go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"
)

// A heartbeat that is due reaches the server after this, at the latest.
const throttle = 100 * time.Millisecond

// place is where tests and workers meet.
type place struct {
	folder, name string
}

func (p place) note(what string) error {
	// Written beside it first: whoever sees the file sees all of it.
	beside := filepath.Join(p.folder, "."+what)
	if err := os.WriteFile(beside, nil, 0o600); err != nil {
		return err
	}
	return os.Rename(beside, filepath.Join(p.folder, what))
}

func (p place) exists(what string) bool {
	_, err := os.Stat(filepath.Join(p.folder, what))
	return !errors.Is(err, fs.ErrNotExist)
}

// held is what hold returns: a list, as in the other languages.
type held [3]any

// hold beats until there is a file WHAT-go; then it tells who it is, which attempt, and what the one before has left.
func (p place) hold(ctx context.Context, what string) (*held, error) {
	attempt := activity.GetInfo(ctx).Attempt
	left := []string{}
	if activity.HasHeartbeatDetails(ctx) {
		var before string
		if err := activity.GetHeartbeatDetails(ctx, &before); err != nil {
			return nil, err
		}
		left = append(left, before)
	}
	activity.RecordHeartbeat(ctx, p.name)
	if err := p.note(fmt.Sprintf("%s-%s-%d", what, p.name, attempt)); err != nil {
		return nil, err
	}
	for !p.exists(what + "-go") {
		activity.RecordHeartbeat(ctx, p.name)
		if err := sleep(ctx, 20*time.Millisecond); err != nil {
			return nil, errors.Join(p.note(what+"-cancelled"), err)
		}
	}
	return &held{p.name, attempt, left}, nil
}

// echo gives its argument back as it came.
func echo(value converter.RawValue) (converter.RawValue, error) {
	return value, nil
}

// flaky fails so many times, then gives the number of the attempt.
func flaky(ctx context.Context, failures int32) (int32, error) {
	attempt := activity.GetInfo(ctx).Attempt
	if attempt <= failures {
		return 0, temporal.NewApplicationError(fmt.Sprintf("attempt %d", attempt), "Flaky")
	}
	return attempt, nil
}

func fatal(message string) error {
	return temporal.NewNonRetryableApplicationError(message, "Fatal", nil)
}

func slow(ctx context.Context, waitMs int64) (int64, error) {
	return waitMs, sleep(ctx, time.Duration(waitMs)*time.Millisecond)
}

// beat heartbeats so many times; a later attempt goes on from the recorded details.
func beat(ctx context.Context, beats, waitMs int) ([]int, error) {
	done := 0
	if activity.HasHeartbeatDetails(ctx) {
		if err := activity.GetHeartbeatDetails(ctx, &done); err != nil {
			return nil, err
		}
	}
	for i := done + 1; i <= beats; i++ {
		activity.RecordHeartbeat(ctx, i)
		if err := sleep(ctx, time.Duration(waitMs)*time.Millisecond); err != nil {
			return nil, err
		}
		if i == beats/2 && activity.GetInfo(ctx).Attempt == 1 {
			return nil, temporal.NewApplicationError("half way", "Half")
		}
	}
	return []int{done, beats}, nil
}

func sleep(ctx context.Context, long time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(long):
		return nil
	}
}

func run(address string, here place) error {
	logger := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	temporalClient, err := client.Dial(client.Options{
		HostPort: address,
		Identity: here.name,
		Logger:   sdklog.NewStructuredLogger(logger),
	})
	if err != nil {
		return err
	}
	defer temporalClient.Close()
	for queue, activities := range map[string]map[string]any{
		"lab":     {"echo": echo, "flaky": flaky, "fatal": fatal, "slow": slow, "beat": beat},
		"outside": {"hold": here.hold},
	} {
		served := worker.New(temporalClient, queue, worker.Options{
			DisableWorkflowWorker:            true,
			MaxHeartbeatThrottleInterval:     throttle,
			DefaultHeartbeatThrottleInterval: throttle,
		})
		for name, function := range activities {
			served.RegisterActivityWithOptions(function, activity.RegisterOptions{Name: name})
		}
		if err := served.Start(); err != nil {
			return err
		}
		defer served.Stop()
	}
	if err := here.note("worker-" + here.name); err != nil {
		return err
	}
	<-worker.InterruptCh()
	return nil
}

func main() {
	if len(os.Args) != 4 {
		log.Fatal("usage: worker HOST:PORT FOLDER NAME")
	}
	if err := run(os.Args[1], place{folder: os.Args[2], name: os.Args[3]}); err != nil {
		log.Fatal(err)
	}
}
