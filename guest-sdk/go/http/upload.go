//go:build wasip2

package http

import (
	"context"
	"errors"
	"io"

	"longhaul/internal/poll"
	"longhaul/internal/wit/httptypes"
	"longhaul/internal/wit/iostreams"
)

// chunkBytes is how much of a body is passed to or from the host at once.
const chunkBytes = 64 << 10

// errNotTaken: the host takes no more. The answer to the request says why.
var errNotTaken = errors.New("the connection takes no more")

// upload sends a body. What is wrong with the body itself ends the request.
func upload(ctx context.Context, cancel context.CancelCauseFunc, to httptypes.OutgoingBody, from io.ReadCloser) {
	defer from.Close()
	// It is the first time, so it is there.
	stream := to.Write().Value
	err := copyTo(ctx, stream, from)
	stream.Drop()
	if err != nil {
		// Not finished: the server is told that this was not all of it.
		to.Drop()
		if err != errNotTaken {
			cancel(err)
		}
		return
	}
	if finished := httptypes.OutgoingBodyFinish(to, nil); finished.Err != nil {
		cancel(failure(*finished.Err))
	}
}

func copyTo(ctx context.Context, stream iostreams.OutputStream, from io.Reader) error {
	chunk := make([]byte, chunkBytes)
	for {
		n, err := from.Read(chunk)
		if err := write(ctx, stream, chunk[:n]); err != nil {
			return err
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
	}
	if taken(stream.Flush().Err) != nil || poll.Wait(ctx, stream.Subscribe()) != nil || taken(stream.CheckWrite().Err) != nil {
		return errNotTaken
	}
	return nil
}

func write(ctx context.Context, stream iostreams.OutputStream, bytes []byte) error {
	for len(bytes) > 0 {
		room := stream.CheckWrite()
		if err := taken(room.Err); err != nil {
			return err
		}
		if room.Value == 0 {
			if poll.Wait(ctx, stream.Subscribe()) != nil {
				return errNotTaken
			}
			continue
		}
		now := bytes[:min(uint64(len(bytes)), room.Value)]
		if err := taken(stream.Write(now).Err); err != nil {
			return err
		}
		bytes = bytes[len(now):]
	}
	return nil
}

// taken gives back what a stream's error brings.
func taken(err *iostreams.StreamError) error {
	if err == nil {
		return nil
	}
	if failed, ok := (*err).(iostreams.StreamErrorLastOperationFailed); ok {
		failed.Value.Drop()
	}
	return errNotTaken
}
