"""Serves the activities of the example `payment` from Python: payment.py HOST:PORT. It runs until it is stopped."""

import asyncio
import logging
import sys
from decimal import Decimal

from temporalio import activity
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.worker import Worker

# What the optional work takes in this example, in seconds.
SIMULATED_WORK = 600


@activity.defn
async def charge_payment(payment_id: str, amount: Decimal) -> str:
    """Returns the transaction's id."""
    activity.logger.info(f"Charging {amount} for {payment_id}")
    return f"txn_{payment_id}"


@activity.defn
async def process_data(data: str) -> None:
    """Works for a long time, unless it is cancelled: it hears of that by its heartbeats."""
    activity.logger.info(f"Processing {data}")
    for _ in range(SIMULATED_WORK):
        activity.heartbeat()
        await asyncio.sleep(1)


async def main() -> None:
    logging.basicConfig(level=logging.INFO)
    # The default converter knows no Decimal.
    client = await Client.connect(sys.argv[1], data_converter=pydantic_data_converter)
    await Worker(client, task_queue="payments", activities=[charge_payment, process_data]).run()


if __name__ == "__main__":
    asyncio.run(main())
