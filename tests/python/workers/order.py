"""Serves the activities of the example `order` from Python: order.py HOST:PORT. It runs until it is stopped.

What it does is simulated: a real one would call the warehouse, the payment gateway and the carrier.
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

# How much of a card's token the transaction's id shows.
TOKEN_PREFIX = 8


@dataclass
class OrderItem:
    sku: str
    name: str
    quantity: int
    price: Decimal


@dataclass
class PaymentInfo:
    payment_method: str
    amount: Decimal
    card_token: str


@dataclass
class ShippingInfo:
    address: str
    carrier: str
    tracking_number: str


@activity.defn
async def check_inventory(item: OrderItem) -> bool:
    activity.logger.info(f"Checking inventory for {item.sku}")
    return True


@activity.defn
async def charge_payment(payment: PaymentInfo) -> str:
    """Returns the transaction's id."""
    activity.logger.info(f"Charging {payment.amount} via {payment.payment_method}")
    return f"txn_{payment.card_token[:TOKEN_PREFIX]}"


@activity.defn
async def update_shipping_system(order_id: str, shipping: ShippingInfo) -> None:
    activity.logger.info(f"Updating shipping for {order_id} - {shipping.carrier}")


@activity.defn
async def send_delivery_confirmation(customer_id: str, order_id: str) -> None:
    activity.logger.info(f"Sending delivery confirmation to {customer_id} for {order_id}")


async def main() -> None:
    logging.basicConfig(level=logging.INFO)
    # The default converter knows no Decimal.
    client = await Client.connect(sys.argv[1], data_converter=pydantic_data_converter)
    activities = [check_inventory, charge_payment, update_shipping_system, send_delivery_confirmation]
    await Worker(client, task_queue="orders", activities=activities).run()


if __name__ == "__main__":
    asyncio.run(main())
