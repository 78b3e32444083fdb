"""Serves the activities of the example `endless` from Python: endless.py HOST:PORT. It runs until it is stopped."""

import asyncio
import logging
import sys

from temporalio import activity
from temporalio.client import Client
from temporalio.worker import Worker


@activity.defn
async def batch_process() -> None:
    activity.logger.info("Processing the batch")


@activity.defn
async def process_item_activity(item: str) -> None:
    activity.logger.info(f"Processing {item}")


@activity.defn
async def charge_payment(payment_id: str) -> str:
    """Returns the receipt."""
    activity.logger.info(f"Charging {payment_id}")
    return f"receipt_{payment_id}"


async def main() -> None:
    logging.basicConfig(level=logging.INFO)
    client = await Client.connect(sys.argv[1])
    activities = [batch_process, process_item_activity, charge_payment]
    await Worker(client, task_queue="endless", activities=activities).run()


if __name__ == "__main__":
    asyncio.run(main())
