package main

import (
	"encoding/json"
	"fmt"
)

// queue is the task queue of the lab and of its activities.
const queue = "lab"

// program is what an execution of the lab does.
type program struct {
	Steps []step `json:"steps"`
	// OnCancel is done, before the workflow ends as cancelled, when it is cancelled.
	OnCancel *[]step `json:"on_cancel"`
	// Log is what the log begins with: the log of the run before.
	Log []string `json:"log"`
}

// step is one step, by its operation. All times are in milliseconds.
type step struct{ do action }

type action interface{ run(t *task) error }

type (
	logStep   struct{ Text string }
	sleepStep struct{ Ms int64 }
	// waitStep waits until so many notes have come.
	waitStep struct {
		Notes     uint64
		TimeoutMs *int64 `json:"timeout_ms"`
	}
	// parallelStep is all branches; the first that fails ends it.
	parallelStep struct{ Branches [][]step }
	// raceStep: the first branch that ends cancels the others.
	raceStep struct{ Branches [][]step }
	// signalStep is a signal to another execution.
	signalStep struct {
		ID   string
		Name string
		Args []any
	}
	// cancelStep is a cancel request to another execution.
	cancelStep struct{ ID string }
	// continueStep continues as new.
	continueStep struct {
		// Program goes on as it came.
		Program map[string]any
		// Carry takes the log along.
		Carry *bool
	}
	patchStep struct {
		ID   string
		Then []step
		Else []step
	}
	// sideEffectStep is a side effect.
	sideEffectStep struct {
		// Value is its value. Default: the name of the language.
		Value any
		// Bytes makes the value a text of so many bytes.
		Bytes *int
	}
	failStep struct {
		Message      string
		Type         string
		NonRetryable bool `json:"non_retryable"`
	}
	// returnStep ends the workflow with this result. Only for the main routine.
	returnStep struct{ Value any }
	// memoStep sets memo fields; null removes one.
	memoStep struct{ Memo map[string]any }
	// handlersStep waits until no handler runs.
	handlersStep struct{}
)

// call is an activity, local or not.
type call struct {
	Type              string
	Args              []any
	StartToCloseMs    *int64 `json:"start_to_close_ms"`
	ScheduleToCloseMs int64  `json:"schedule_to_close_ms"`
	ScheduleToStartMs int64  `json:"schedule_to_start_ms"`
	HeartbeatMs       int64  `json:"heartbeat_ms"`
	// RetryMs is the wait before the second attempt.
	RetryMs *int64 `json:"retry_ms"`
	// Attempts: 0 is no limit.
	Attempts int32
	// FatalTypes: failures of these types are not retried.
	FatalTypes []string `json:"fatal_types"`
	Queue      string
}

type (
	activityStep      struct{ call }
	localActivityStep struct{ call }
)

// childStep is a child workflow.
type childStep struct {
	Type string
	ID   string
	// Program is the child's argument.
	Program any
	Policy  string
	// Wait waits for the result.
	Wait *bool
}

func (s *step) UnmarshalJSON(data []byte) error {
	var tag struct{ Op string }
	if err := json.Unmarshal(data, &tag); err != nil {
		return err
	}
	switch tag.Op {
	case "log":
		s.do = &logStep{}
	case "sleep":
		s.do = &sleepStep{}
	case "activity":
		s.do = &activityStep{}
	case "local_activity":
		s.do = &localActivityStep{}
	case "wait":
		s.do = &waitStep{}
	case "parallel":
		s.do = &parallelStep{}
	case "race":
		s.do = &raceStep{}
	case "child":
		s.do = &childStep{Type: "Lab"}
	case "signal":
		s.do = &signalStep{}
	case "cancel":
		s.do = &cancelStep{}
	case "continue":
		s.do = &continueStep{}
	case "patch":
		s.do = &patchStep{}
	case "side_effect":
		s.do = &sideEffectStep{}
	case "fail":
		s.do = &failStep{Type: "LabError"}
	case "return":
		s.do = &returnStep{}
	case "memo":
		s.do = &memoStep{}
	case "handlers":
		s.do = &handlersStep{}
	default:
		return fmt.Errorf("unknown step %q", tag.Op)
	}
	return json.Unmarshal(data, s.do)
}

// orElse is a value that may be missing, or what stands for it.
func orElse[T any](value *T, otherwise T) T {
	if value == nil {
		return otherwise
	}
	return *value
}
