"""Starts a payment and asks for its outcome later: payment.py HOST:PORT."""

import asyncio
import os
import sys
from decimal import Decimal

from temporalio import workflow
from temporalio.client import Client, WorkflowUpdateFailedError, WorkflowUpdateStage
from temporalio.contrib.pydantic import pydantic_data_converter


@workflow.defn
class PaymentWorkflow:
    @workflow.run
    async def run(self) -> str:
        raise NotImplementedError

    @workflow.update
    async def process_payment(self, payment_id: str, amount: Decimal) -> str:
        raise NotImplementedError

    @workflow.signal
    def finish(self) -> None:
        raise NotImplementedError


async def main() -> None:
    # The default converter knows no Decimal.
    client = await Client.connect(sys.argv[1], data_converter=pydantic_data_converter)
    handle = await client.start_workflow(PaymentWorkflow.run, id="payments", task_queue="payments")

    update = await handle.start_update(
        PaymentWorkflow.process_payment,
        args=["payment-1", Decimal("99.99")],
        id="once",
        wait_for_stage=WorkflowUpdateStage.ACCEPTED,
    )
    print("Update accepted by workflow (validator passed)")
    print(f"Payment processed: {await update.result()}")
    again = handle.get_update_handle_for(PaymentWorkflow.process_payment, "once")
    print(f"The same update: {await again.result()}")
    try:
        await handle.execute_update(PaymentWorkflow.process_payment, args=["payment-2", Decimal("-1")])
    except WorkflowUpdateFailedError as error:
        print(f"Payment failed: {error.cause.message}")
    await handle.signal(PaymentWorkflow.finish)
    print(await handle.result())


if __name__ == "__main__":
    asyncio.run(main())
    # Not by the interpreter's own end: a thread of the client that still runs then can abort it.
    sys.stdout.flush()
    os._exit(0)
