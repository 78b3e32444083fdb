"""Everything that is refused must reach the caller as the exception that Temporal's client documents: refusals.py HOST:PORT."""

import asyncio
import os
import sys
from decimal import Decimal

from temporalio.client import (
    Client,
    WorkflowFailureError,
    WorkflowQueryFailedError,
    WorkflowUpdateFailedError,
)
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.exceptions import (
    ApplicationError,
    CancelledError,
    TerminatedError,
    WorkflowAlreadyStartedError,
)
from temporalio.service import RPCError, RPCStatusCode

from order_client import OrderItem, OrderWorkflow, PaymentInfo

LAPTOP = OrderItem(sku="LAPTOP-001", name="Gaming Laptop", quantity=1, price=Decimal("1299.99"))
NOTHING = OrderItem(sku="LAPTOP-001", name="Gaming Laptop", quantity=0, price=Decimal("1299.99"))
CARD = "tok_1234567890abcdef"


async def refused(awaitable, kind, *words):
    """Awaits something that must raise `kind` with `words` in its text or in its cause's."""
    try:
        answer = await awaitable
    except kind as error:
        text = f"{error} | {getattr(error, 'cause', None)}"
        for word in words:
            assert word in text, f"{word!r} is missing: {text}"
        return error
    raise AssertionError(f"not refused: {answer!r}")


async def main() -> None:
    client = await Client.connect(sys.argv[1], data_converter=pydantic_data_converter)

    async def start(order_id, **options):
        return await client.start_workflow(
            OrderWorkflow.run, args=[order_id, "customer-789"], id=order_id, task_queue="orders", **options
        )

    handle = await start("order-1")

    # A second start.
    await refused(start("order-1"), WorkflowAlreadyStartedError, "already started")
    same = await start("order-1", id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING)
    assert same.result_run_id == handle.result_run_id, (same.result_run_id, handle.result_run_id)

    # Updates: rejected by a validator, failed in a handler, unknown.
    error = await refused(
        handle.execute_update(OrderWorkflow.add_item, NOTHING),
        WorkflowUpdateFailedError,
        "Quantity must be positive",
    )
    assert isinstance(error.cause, ApplicationError), error.cause
    await handle.execute_update(OrderWorkflow.add_item, LAPTOP)
    payment = PaymentInfo(payment_method="credit_card", amount=Decimal("1.00"), card_token=CARD)
    error = await refused(
        handle.execute_update(OrderWorkflow.process_payment, payment),
        WorkflowUpdateFailedError,
        "Payment amount 1.00 != order total 1299.99",
    )
    assert isinstance(error.cause, ApplicationError), error.cause
    error = await refused(
        handle.execute_update("ad_item", LAPTOP), WorkflowUpdateFailedError, "ad_item", "add_item"
    )
    assert error.cause.type == "RuntimeError", error.cause.type

    # The same update id executes once.
    first = await handle.execute_update(OrderWorkflow.add_item, LAPTOP, id="once")
    second = await handle.execute_update(OrderWorkflow.add_item, LAPTOP, id="once")
    assert first == second == {"items": 2, "total": "2599.98"}, (first, second)

    # An unknown query and an unknown signal.
    await refused(handle.query("get_totl"), WorkflowQueryFailedError, "get_totl", "get_total")
    error = await refused(handle.signal("mark_shiped"), RPCError, "mark_shiped", "mark_shipped")
    assert error.status == RPCStatusCode.INVALID_ARGUMENT, error.status

    # An unknown type and an unknown execution.
    error = await refused(
        client.start_workflow("OrderWorkflo", id="x", task_queue="orders"), RPCError, "OrderWorkflow"
    )
    assert error.status == RPCStatusCode.INVALID_ARGUMENT, error.status
    nobody = client.get_workflow_handle("nobody")
    for awaitable in (nobody.describe(), nobody.signal("s"), nobody.cancel(), nobody.terminate()):
        error = await refused(awaitable, RPCError, "nobody")
        assert error.status == RPCStatusCode.NOT_FOUND, error.status

    # Cancelled and terminated.
    await handle.cancel()
    error = await refused(handle.result(), WorkflowFailureError)
    assert isinstance(error.cause, CancelledError), error.cause
    error = await refused(handle.signal(OrderWorkflow.cancel_order, "late"), RPCError, "already completed")
    assert error.status == RPCStatusCode.NOT_FOUND, error.status
    handle = await start("order-2")
    await handle.terminate(reason="enough")
    error = await refused(handle.result(), WorkflowFailureError)
    assert isinstance(error.cause, TerminatedError), error.cause
    await refused(
        start("order-2", id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE),
        WorkflowAlreadyStartedError,
        "already started",
    )
    print("all refusals are as expected")


if __name__ == "__main__":
    asyncio.run(main())
    # Not by the interpreter's own end: a thread of the client that still runs then can abort it.
    sys.stdout.flush()
    os._exit(0)
