"""A worker of Temporal's Python SDK for `longhaul bench remote-activity --no-worker`.

Its activities only return their argument, so that what is measured is the way there and back.

    longhaul server start --db bench.redb &
    target/venv/bin/python tests/bench/python_worker.py 127.0.0.1:7233 &
    longhaul bench remote-activity --no-worker --address 127.0.0.1:7233

Usage: python_worker.py HOST:PORT [POLLS]
"""

import asyncio
import sys

from temporalio import activity
from temporalio.client import Client
from temporalio.worker import Worker

QUEUE = "bench-remote"


@activity.defn(name="Echo")
async def echo(value: int) -> int:
    return value


async def main(address: str, polls: int) -> None:
    client = await Client.connect(address)
    worker = Worker(
        client,
        task_queue=QUEUE,
        activities=[echo],
        max_concurrent_activities=1_000,
        max_concurrent_activity_task_polls=polls,
    )
    await worker.run()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 64))
