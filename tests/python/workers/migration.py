"""Serves the activity of the example `migration` from Python: migration.py HOST:PORT. It runs until it is stopped."""

import asyncio
import sys

from temporalio import activity
from temporalio.client import Client
from temporalio.worker import Worker

# What a record takes in this example, in seconds.
SIMULATED_WORK = 0.02


@activity.defn
async def migrate_record(record: int) -> None:
    await asyncio.sleep(SIMULATED_WORK)
    activity.logger.debug(f"Migrated record {record}")


async def main() -> None:
    client = await Client.connect(sys.argv[1])
    await Worker(client, task_queue="migrations", activities=[migrate_record]).run()


if __name__ == "__main__":
    asyncio.run(main())
