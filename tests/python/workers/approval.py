"""Serves the activities of the example `approval` from Python: approval.py HOST:PORT. It runs until it is stopped.

What it does is simulated: a real one would send mails and pay the money back.
"""

import asyncio
import logging
import sys
from dataclasses import dataclass
from decimal import Decimal

from temporalio import activity
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.worker import Worker


@dataclass
class ExpenseRequest:
    request_id: str
    employee: str
    amount: Decimal
    description: str
    category: str


@activity.defn
async def send_approval_notification(request: ExpenseRequest) -> None:
    activity.logger.info(
        f"Asking for approval of {request.request_id}: ${request.amount} for {request.description} by {request.employee}"
    )


@activity.defn
async def process_approved_expense(request: ExpenseRequest) -> None:
    activity.logger.info(f"Paying ${request.amount} ({request.category}) to {request.employee}")


@activity.defn
async def notify_rejection(request: ExpenseRequest, comment: str) -> None:
    activity.logger.info(f"Telling {request.employee} that {request.request_id} was rejected: {comment}")


async def main() -> None:
    logging.basicConfig(level=logging.INFO)
    # The default converter knows no Decimal.
    client = await Client.connect(sys.argv[1], data_converter=pydantic_data_converter)
    activities = [send_approval_notification, process_approved_expense, notify_rejection]
    await Worker(client, task_queue="expenses", activities=activities).run()


if __name__ == "__main__":
    asyncio.run(main())
