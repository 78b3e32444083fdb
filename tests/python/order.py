"""Plays an order from creation to delivery: order.py HOST:PORT."""

import asyncio
import os
import sys
from decimal import Decimal

from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter

from order_client import OrderItem, OrderWorkflow, PaymentInfo, ShippingInfo


async def main() -> None:
    # The default converter knows no Decimal.
    client = await Client.connect(sys.argv[1], data_converter=pydantic_data_converter)

    order_id = "order-12345"
    handle = await client.start_workflow(
        OrderWorkflow.run,
        args=[order_id, "customer-789"],
        id=order_id,
        task_queue="orders",
    )
    print(f"Order {order_id} created")

    result = await handle.execute_update(
        OrderWorkflow.add_item,
        OrderItem(sku="LAPTOP-001", name="Gaming Laptop", quantity=1, price=Decimal("1299.99")),
    )
    print(f"Item added: {result}")
    result = await handle.execute_update(
        OrderWorkflow.add_item,
        OrderItem(sku="MOUSE-001", name="Wireless Mouse", quantity=2, price=Decimal("29.99")),
    )
    print(f"Item added: {result}")

    total = await handle.query(OrderWorkflow.get_total)
    print(f"Order total: ${total}")
    progress = await handle.query(OrderWorkflow.get_progress)
    print(f"Progress: {progress}")

    payment = PaymentInfo(payment_method="credit_card", amount=Decimal(total), card_token="tok_1234567890abcdef")
    transaction = await handle.execute_update(OrderWorkflow.process_payment, payment)
    print(f"Payment processed: {transaction}")
    status = await handle.query(OrderWorkflow.get_status)
    print(f"Order status: {status}")

    await handle.signal(
        OrderWorkflow.mark_shipped,
        ShippingInfo(
            address="123 Main St, City, State 12345",
            carrier="UPS",
            tracking_number="1Z999AA10123456784",
        ),
    )
    print("Order marked as shipped")

    result = await handle.result()
    print(f"\nWorkflow completed: {result}")
    status = await handle.query(OrderWorkflow.get_status)
    print(f"Order status: {status}")


if __name__ == "__main__":
    asyncio.run(main())
    # Not by the interpreter's own end: a thread of the client that still runs then can abort it.
    sys.stdout.flush()
    os._exit(0)
