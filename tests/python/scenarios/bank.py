"""Withdraws from an account, several amounts at the same time: bank.py HOST:PORT."""

import asyncio
import os
import sys
from decimal import Decimal

from temporalio import workflow
from temporalio.client import Client, WorkflowUpdateFailedError
from temporalio.contrib.pydantic import pydantic_data_converter


@workflow.defn
class BankAccountWorkflow:
    @workflow.run
    async def run(self) -> Decimal:
        raise NotImplementedError

    @workflow.update
    async def withdraw(self, amount: Decimal) -> Decimal:
        raise NotImplementedError

    @workflow.query
    def get_balance(self) -> Decimal:
        raise NotImplementedError

    @workflow.signal
    def close(self) -> None:
        raise NotImplementedError


@workflow.defn
class QueueBasedWorkflow:
    @workflow.run
    async def run(self) -> None:
        raise NotImplementedError

    @workflow.signal
    def add_message(self, message: str) -> None:
        raise NotImplementedError

    @workflow.signal
    def shutdown(self) -> None:
        raise NotImplementedError

    @workflow.query
    def get_processed(self) -> int:
        raise NotImplementedError


async def main() -> None:
    # The default converter knows no Decimal.
    client = await Client.connect(sys.argv[1], data_converter=pydantic_data_converter)
    account = await client.start_workflow(BankAccountWorkflow.run, id="account", task_queue="bank")
    balances = await asyncio.gather(
        *(account.execute_update(BankAccountWorkflow.withdraw, Decimal("100.00")) for _ in range(5))
    )
    print(f"Balances after five withdrawals at the same time: {sorted(str(balance) for balance in balances)}")
    for amount in ["1000", "0"]:
        try:
            await account.execute_update(BankAccountWorkflow.withdraw, Decimal(amount))
        except WorkflowUpdateFailedError as error:
            print(f"Withdrawal failed: {error.cause.message}")
    print(f"Balance: {await account.query(BankAccountWorkflow.get_balance)}")
    await account.signal(BankAccountWorkflow.close)
    print(f"Closed with {await account.result()}")

    queue = await client.start_workflow(QueueBasedWorkflow.run, id="queue", task_queue="bank")
    for number in range(1, 6):
        await queue.signal(QueueBasedWorkflow.add_message, f"message-{number}")
    await queue.signal(QueueBasedWorkflow.shutdown)
    await queue.result()
    print(f"Messages processed: {await queue.query(QueueBasedWorkflow.get_processed)}")


if __name__ == "__main__":
    asyncio.run(main())
    # Not by the interpreter's own end: a thread of the client that still runs then can abort it.
    sys.stdout.flush()
    os._exit(0)
