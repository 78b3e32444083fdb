"""What of an activity's failure reaches workflow code in Rust and this client: failures.py HOST:PORT plain|hiding QUEUE."""

import asyncio
import os
import sys
from datetime import timedelta

from temporalio.client import Client, WorkflowFailureError
from temporalio.converter import DataConverter
from temporalio.exceptions import ActivityError, ApplicationError, ApplicationErrorCategory, RetryState

from codec import HIDING

# As the activity declares them: message, type, details, flag, delay, category. The outermost is the first.
CHAIN = [
    (
        "no water",
        "NoWater",
        ({"floor": 3}, ["kitchen", "bath"], 2.5),
        True,
        timedelta(seconds=7),
        ApplicationErrorCategory.BENIGN,
    ),
    ("the pump stands still", "PumpStopped", ("north", 7), False, None, ApplicationErrorCategory.UNSPECIFIED),
    ("the river is dry", "Drought", (), False, None, ApplicationErrorCategory.UNSPECIFIED),
]


def as_workflow_reads(link, hidden):
    message, kind, details, non_retryable, delay, category = link
    return {
        "message": "Encoded failure" if hidden else message,
        "type": kind,
        "details": ["binary/encrypted"] * len(details) if hidden else list(details),
        "non_retryable": non_retryable,
        "next_retry_delay_ms": delay and delay // timedelta(milliseconds=1),
        "benign": category is ApplicationErrorCategory.BENIGN,
        "encoded": hidden,
    }


def chain_of(error):
    while error is not None:
        assert isinstance(error, ApplicationError), repr(error)
        yield error
        error = error.cause


async def main(address, kind, queue) -> None:
    hidden = kind == "hiding"
    client = await Client.connect(address, data_converter=HIDING if hidden else DataConverter.default)
    handle = await client.start_workflow("Witness", id="witness", task_queue=queue)
    try:
        await handle.result()
        raise AssertionError("it did not fail")
    except WorkflowFailureError as error:
        activity = error.cause
    assert isinstance(activity, ActivityError), repr(activity)
    assert activity.activity_type == "fail", activity.activity_type
    assert activity.retry_state is RetryState.NON_RETRYABLE_FAILURE, activity.retry_state

    chain = list(chain_of(activity.cause))
    read = [
        (link.message, link.type, tuple(link.details), link.non_retryable, link.next_retry_delay, link.category)
        for link in chain
    ]
    assert read == CHAIN, read

    seen = await handle.query("seen")
    sources = [link.pop("source") for link in seen]
    assert sources == [link.failure.source for link in chain], sources
    # Where it was raised is the worker's own, and hidden with the message.
    traces = [bool(link.failure.stack_trace) for link in chain]
    assert [link.pop("has_stack_trace") for link in seen] == [trace and not hidden for trace in traces], traces
    assert seen == [as_workflow_reads(link, hidden) for link in CHAIN], seen
    print(f"{len(chain)} failures came whole, {sum(traces)} of them with a stack trace")


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
    # Not by the interpreter's own end: a thread of the client that still runs then can abort it.
    sys.stdout.flush()
    os._exit(0)
