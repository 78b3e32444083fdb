"""Fills a cart by signal-with-start and update-with-start: cart.py HOST:PORT."""

import asyncio
import os
import sys
from dataclasses import dataclass
from decimal import Decimal

from temporalio import workflow
from temporalio.client import Client, WithStartWorkflowOperation, WorkflowUpdateFailedError
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.contrib.pydantic import pydantic_data_converter


@dataclass
class CartItem:
    sku: str
    name: str
    price: Decimal


@workflow.defn
class ShoppingCartWorkflow:
    @workflow.run
    async def run(self) -> dict:
        raise NotImplementedError

    @workflow.update
    def add_item(self, item: CartItem) -> Decimal:
        raise NotImplementedError


async def add_to_cart(client: Client, user_id: str, item: dict) -> None:
    await client.start_workflow(
        ShoppingCartWorkflow.run,
        id=f"cart-{user_id}",
        task_queue="shopping",
        start_signal="add_item",
        start_signal_args=[item],
    )
    print(f"Item added to cart for user {user_id}")


async def update_or_start_cart(client: Client, user_id: str, item: CartItem):
    start = WithStartWorkflowOperation(
        ShoppingCartWorkflow.run,
        id=f"cart-{user_id}",
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        task_queue="shopping",
    )
    try:
        total = await client.execute_update_with_start_workflow(
            ShoppingCartWorkflow.add_item, item, start_workflow_operation=start
        )
        print(f"Item added. Cart total: ${total}")
    except WorkflowUpdateFailedError as error:
        print(f"Failed to add item: {error.cause.message}")
    return await start.workflow_handle()


async def main() -> None:
    # The default converter knows no Decimal.
    client = await Client.connect(sys.argv[1], data_converter=pydantic_data_converter)
    await add_to_cart(client, "alice", {"name": "Tea", "price": 4.5})
    await add_to_cart(client, "alice", {"name": "Pot", "price": 12.5})
    cup = CartItem(sku="CUP-1", name="Cup", price=Decimal("7.50"))
    await update_or_start_cart(client, "alice", cup)
    handle = await update_or_start_cart(client, "alice", cup)
    print(await handle.result())


if __name__ == "__main__":
    asyncio.run(main())
    # Not by the interpreter's own end: a thread of the client that still runs then can abort it.
    sys.stdout.flush()
    os._exit(0)
