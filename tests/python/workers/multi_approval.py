"""Serves the activities of the example `multi-approval` from Python: multi_approval.py HOST:PORT. It runs until it is stopped.

What it does is simulated: a real one would send mails.
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
class ApprovalRequest:
    request_id: str
    requester: str
    amount: Decimal
    description: str


@activity.defn
async def send_approval_requests(request: ApprovalRequest, approvers: list[str]) -> None:
    activity.logger.info(f"Asking {', '.join(approvers)} to approve {request.request_id}")


@activity.defn
async def notify_rejection(request: ApprovalRequest, rejected_by: list[str]) -> None:
    activity.logger.info(
        f"Telling {request.requester} that {request.request_id} was rejected by {', '.join(rejected_by)}"
    )


@activity.defn
async def process_approved_request(request: ApprovalRequest) -> None:
    activity.logger.info(f"Processing {request.request_id}: ${request.amount} for {request.description}")


async def main() -> None:
    logging.basicConfig(level=logging.INFO)
    # The default converter knows no Decimal.
    client = await Client.connect(sys.argv[1], data_converter=pydantic_data_converter)
    activities = [send_approval_requests, notify_rejection, process_approved_request]
    await Worker(client, task_queue="approvals", activities=activities).run()


if __name__ == "__main__":
    asyncio.run(main())
