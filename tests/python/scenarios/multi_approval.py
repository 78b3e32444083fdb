"""Decides on a request and shows who has: multi_approval.py HOST:PORT."""

import asyncio
import os
import sys
from dataclasses import dataclass
from datetime import datetime, timezone
from decimal import Decimal

from temporalio import workflow
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter


@dataclass
class ApprovalRequest:
    request_id: str
    requester: str
    amount: Decimal
    description: str


@dataclass
class ApprovalDecision:
    approved: bool
    approver: str
    timestamp: datetime
    comment: str = ""


@workflow.defn
class MultiLevelApprovalWorkflow:
    @workflow.run
    async def run(self, request: ApprovalRequest) -> str:
        raise NotImplementedError

    @workflow.signal
    def approve_manager(self, decision: ApprovalDecision) -> None:
        raise NotImplementedError

    @workflow.signal
    def approve_director(self, decision: ApprovalDecision) -> None:
        raise NotImplementedError

    @workflow.query
    def get_approval_status(self) -> dict[str, str]:
        raise NotImplementedError

    @workflow.query
    def is_fully_approved(self) -> bool:
        raise NotImplementedError


async def main() -> None:
    # The default converter knows no Decimal.
    client = await Client.connect(sys.argv[1], data_converter=pydantic_data_converter)
    request = ApprovalRequest(request_id="r1", requester="Bob", amount=Decimal("4200"), description="Server")
    handle = await client.start_workflow(
        MultiLevelApprovalWorkflow.run, request, id="approval-r1", task_queue="approvals"
    )
    print(f"Status: {await handle.query(MultiLevelApprovalWorkflow.get_approval_status)}")
    for approve, approver in [
        (MultiLevelApprovalWorkflow.approve_manager, "Alice"),
        (MultiLevelApprovalWorkflow.approve_director, "Carol"),
    ]:
        assert not await handle.query(MultiLevelApprovalWorkflow.is_fully_approved)
        await handle.signal(
            approve, ApprovalDecision(approved=True, approver=approver, timestamp=datetime.now(timezone.utc))
        )
        print(f"Status: {await handle.query(MultiLevelApprovalWorkflow.get_approval_status)}")
    print(await handle.result())
    print(f"Fully approved: {await handle.query(MultiLevelApprovalWorkflow.is_fully_approved)}")


if __name__ == "__main__":
    asyncio.run(main())
    # Not by the interpreter's own end: a thread of the client that still runs then can abort it.
    sys.stdout.flush()
    os._exit(0)
