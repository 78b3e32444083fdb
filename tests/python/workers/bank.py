"""Serves the activities of the example `bank` from Python: bank.py HOST:PORT. It runs until it is stopped.

The ledger is simulated: it keeps nothing, so it is told the last balance that was written, and answers with it after a while.
"""

import asyncio
import logging
import sys
from decimal import Decimal

from temporalio import activity
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.worker import Worker

# How long the ledger takes, in seconds. Long enough for another withdrawal to come in between.
LATENCY = 0.02


@activity.defn
async def get_current_balance(last_known: Decimal) -> Decimal:
    await asyncio.sleep(LATENCY)
    return last_known


@activity.defn
async def update_balance(balance: Decimal) -> None:
    await asyncio.sleep(LATENCY)
    activity.logger.info(f"The balance is {balance}")


@activity.defn
async def process_message(message: str) -> None:
    activity.logger.info(f"Processing {message}")


async def main() -> None:
    logging.basicConfig(level=logging.INFO)
    # The default converter knows no Decimal.
    client = await Client.connect(sys.argv[1], data_converter=pydantic_data_converter)
    activities = [get_current_balance, update_balance, process_message]
    await Worker(client, task_queue="bank", activities=activities).run()


if __name__ == "__main__":
    asyncio.run(main())
