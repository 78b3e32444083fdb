"""Approves an expense and rejects another: approval.py HOST:PORT."""

import asyncio
import os
import sys
from dataclasses import dataclass
from decimal import Decimal

from temporalio import workflow
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter


@dataclass
class ExpenseRequest:
    request_id: str
    employee: str
    amount: Decimal
    description: str
    category: str


@workflow.defn
class ExpenseApprovalWorkflow:
    @workflow.run
    async def run(self, request: ExpenseRequest) -> str:
        raise NotImplementedError

    @workflow.signal
    def approve(self, approver: str, comment: str = "") -> None:
        raise NotImplementedError

    @workflow.signal
    def reject(self, approver: str, reason: str) -> None:
        raise NotImplementedError


async def main() -> None:
    # The default converter knows no Decimal.
    client = await Client.connect(sys.argv[1], data_converter=pydantic_data_converter)

    async def start(request_id: str):
        request = ExpenseRequest(
            request_id=request_id, employee="Bob", amount=Decimal("99.99"), description="Train", category="travel"
        )
        return await client.start_workflow(
            ExpenseApprovalWorkflow.run, request, id=f"approval-request-{request_id}", task_queue="expenses"
        )

    await start("123")
    handle = client.get_workflow_handle_for(ExpenseApprovalWorkflow.run, workflow_id="approval-request-123")
    await handle.signal(ExpenseApprovalWorkflow.approve, "Alice Johnson")
    print("Signal sent successfully")
    print(await handle.result())

    handle = await start("124")
    # By name, as a client does that has no declaration of the workflow.
    await handle.signal("reject", args=["Carol", "no budget"])
    print(await handle.result())


if __name__ == "__main__":
    asyncio.run(main())
    # Not by the interpreter's own end: a thread of the client that still runs then can abort it.
    sys.stdout.flush()
    os._exit(0)
