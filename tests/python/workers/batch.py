"""Serves the activity of the example `batch` from Python: batch.py HOST:PORT. It runs until it is stopped."""

import asyncio
import logging
import sys

from temporalio import activity
from temporalio.client import Client
from temporalio.exceptions import ApplicationError
from temporalio.worker import Worker

# What a batch takes in this example, in seconds.
SIMULATED_WORK = 0.2
# In this example every batch of which the number leaves the rest 3 is damaged.
DAMAGED_EVERY = 4


@activity.defn
async def process_batch(batch: int) -> None:
    await asyncio.sleep(SIMULATED_WORK)
    if batch % DAMAGED_EVERY == DAMAGED_EVERY - 1:
        # Nothing would be different the next time.
        raise ApplicationError(f"batch {batch} is damaged", non_retryable=True)
    activity.logger.info(f"Processed batch {batch}")


async def main() -> None:
    logging.basicConfig(level=logging.INFO)
    client = await Client.connect(sys.argv[1])
    await Worker(client, task_queue="batches", activities=[process_batch]).run()


if __name__ == "__main__":
    asyncio.run(main())
