"""Follows an hourly loop from run to run, and repeats a payment: endless.py HOST:PORT."""

import asyncio
import os
import sys

from temporalio import workflow
from temporalio.client import Client, WorkflowContinuedAsNewError, WorkflowFailureError
from temporalio.exceptions import CancelledError


@workflow.defn
class LongRunningWorkflow:
    @workflow.run
    async def run(self) -> None:
        raise NotImplementedError

    @workflow.signal
    async def process_item(self, item: str) -> None:
        raise NotImplementedError

    @workflow.query
    def get_iteration(self) -> int:
        raise NotImplementedError

    @workflow.query
    def get_total_processed(self) -> int:
        raise NotImplementedError


@workflow.defn
class IdempotentWorkflow:
    @workflow.run
    async def run(self) -> None:
        raise NotImplementedError

    @workflow.update
    async def process_payment(self, payment_id: str) -> str:
        raise NotImplementedError

    @workflow.query
    def get_processed_count(self) -> int:
        raise NotImplementedError


async def main() -> None:
    client = await Client.connect(sys.argv[1])
    first = await client.start_workflow(LongRunningWorkflow.run, id="loop", task_queue="endless")
    for number in range(1, 4):
        await first.signal(LongRunningWorkflow.process_item, f"item-{number}")

    # The result of one run: this server skips the hours for whoever waits for it.
    this_run = client.get_workflow_handle("loop", run_id=first.result_run_id)
    try:
        await this_run.result(follow_runs=False)
    except WorkflowContinuedAsNewError as error:
        assert error.new_execution_run_id != first.result_run_id
        print("The first run has continued as new")

    newest = client.get_workflow_handle_for(LongRunningWorkflow.run, workflow_id="loop")
    assert await newest.query(LongRunningWorkflow.get_iteration) > 100
    print(f"Items in all runs: {await newest.query(LongRunningWorkflow.get_total_processed)}")
    await newest.cancel()
    try:
        # The first handle follows the runs.
        await first.result()
    except WorkflowFailureError as error:
        assert isinstance(error.cause, CancelledError), error.cause
        print("Cancelled")

    payments = await client.start_workflow(IdempotentWorkflow.run, id="payments", task_queue="endless")
    for _ in range(2):
        receipt = await payments.execute_update(IdempotentWorkflow.process_payment, "p1", id="u1")
        print(f"Receipt: {receipt}")
    print(f"Payments processed: {await payments.query(IdempotentWorkflow.get_processed_count)}")
    await payments.terminate("enough")


if __name__ == "__main__":
    asyncio.run(main())
    # Not by the interpreter's own end: a thread of the client that still runs then can abort it.
    sys.stdout.flush()
    os._exit(0)
