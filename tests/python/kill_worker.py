"""Activities for a test that kills this worker at any moment: kill_worker.py HOST:PORT FOLDER NAME.

Each attempt writes a line to FOLDER/attempts before it does anything: `WORKFLOW_ID ACTIVITY_ID ATTEMPT`. A line that was written outlives
its process.
"""

import asyncio
import os
import pathlib
import sys
from datetime import timedelta

from temporalio import activity
from temporalio.client import Client
from temporalio.exceptions import ApplicationError
from temporalio.worker import Worker

QUEUE = "python"
FOLDER = pathlib.Path(sys.argv[2])
NAME = sys.argv[3]
# A heartbeat that is due reaches the server after this, at the latest.
THROTTLE = timedelta(milliseconds=50)
# Between two heartbeats, in seconds.
BEAT = 0.02
ATTEMPTS = os.open(FOLDER / "attempts", os.O_WRONLY | os.O_APPEND | os.O_CREAT)


def begin():
    """Notes the attempt; its number."""
    info = activity.info()
    os.write(ATTEMPTS, f"{info.workflow_id} {info.activity_id} {info.attempt}\n".encode())
    return info.attempt


@activity.defn
async def quick():
    return begin()


@activity.defn
async def fails(times):
    """Fails so many times, then gives the number of the attempt."""
    attempt = begin()
    if attempt <= times:
        raise ApplicationError(f"attempt {attempt}", type="Flaky")
    return attempt


@activity.defn
async def beats(count):
    """Heartbeats so many times, and goes on where an earlier attempt was: where it began, and its attempt."""
    attempt = begin()
    (done,) = activity.info().heartbeat_details or [0]
    for number in range(done, count):
        activity.heartbeat(number + 1)
        await asyncio.sleep(BEAT)
    return [done, attempt]


@activity.defn
async def never():
    """Does not end by itself."""
    begin()
    await asyncio.Event().wait()


@activity.defn
async def until_cancelled():
    begin()
    while True:
        activity.heartbeat()
        await asyncio.sleep(BEAT)


@activity.defn
async def later():
    """Leaves its end to the test, which finds its token in FOLDER/token-WORKFLOW_ID-ATTEMPT."""
    attempt = begin()
    info = activity.info()
    # Written beside it first: whoever sees the file sees all of it.
    beside = FOLDER / f".token-{info.workflow_id}-{attempt}"
    beside.write_bytes(info.task_token)
    beside.rename(FOLDER / f"token-{info.workflow_id}-{attempt}")
    activity.raise_complete_async()


async def main():
    client = await Client.connect(sys.argv[1], identity=NAME)
    await Worker(
        client,
        task_queue=QUEUE,
        activities=[quick, fails, beats, never, until_cancelled, later],
        max_heartbeat_throttle_interval=THROTTLE,
        default_heartbeat_throttle_interval=THROTTLE,
    ).run()


asyncio.run(main())
