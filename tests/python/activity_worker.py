"""Activities for tests that kill their workers and their server: activity_worker.py HOST:PORT FOLDER NAME.

A worker notes in FOLDER what it does, one file for each thing, so that a test can wait for it; and what it waits for is a file, too.
"""

import asyncio
import pathlib
import sys
from datetime import timedelta

from temporalio import activity
from temporalio.client import Client
from temporalio.exceptions import ApplicationError
from temporalio.worker import Worker

QUEUE = "outside"
FOLDER = pathlib.Path(sys.argv[2])
NAME = sys.argv[3]
# A heartbeat that is due reaches the server after this, at the latest.
THROTTLE = timedelta(milliseconds=100)


def note(what, text=""):
    # Written beside it first: whoever sees the file sees all of it.
    beside = FOLDER / f".{what}"
    beside.write_text(text)
    beside.rename(FOLDER / what)


async def file(name):
    while not (FOLDER / name).exists():
        await asyncio.sleep(0.02)


@activity.defn
async def hold(name):
    """Beats until there is a file `NAME-go`; then tells who it is, which attempt, and what the one before has left."""
    info = activity.info()
    left = list(info.heartbeat_details)
    activity.heartbeat(NAME)
    note(f"{name}-{NAME}-{info.attempt}")
    go = asyncio.create_task(file(f"{name}-go"))
    try:
        while not go.done():
            activity.heartbeat(NAME)
            await asyncio.wait([go], timeout=0.05)
    except asyncio.CancelledError:
        note(f"{name}-cancelled")
        raise
    finally:
        go.cancel()
    return [NAME, info.attempt, left]


@activity.defn
async def later(name):
    """Leaves its end to somebody else; the first time. From the second attempt on it fails for good."""
    info = activity.info()
    if info.attempt > 1:
        raise ApplicationError("tried again", type="Again", non_retryable=True)
    note(f"{name}-token", info.task_token.hex())
    activity.raise_complete_async()


@activity.defn
async def large(size):
    """A result of so many characters."""
    return "x" * size


async def main():
    client = await Client.connect(sys.argv[1], identity=NAME)
    worker = Worker(
        client,
        task_queue=QUEUE,
        activities=[hold, later, large],
        max_heartbeat_throttle_interval=THROTTLE,
        default_heartbeat_throttle_interval=THROTTLE,
    )
    async with worker:
        note(f"worker-{NAME}")
        await file(f"worker-{NAME}-stop")
    note(f"worker-{NAME}-stopped")


asyncio.run(main())
