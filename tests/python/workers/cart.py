"""Serves the activity of the example `cart` from Python: cart.py HOST:PORT. It runs until it is stopped.

The checkout is simulated: a real one would make an order of the cart.
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
class CartItem:
    price: Decimal
    sku: str = ""
    name: str = ""


@dataclass
class Checkout:
    items: list[CartItem]
    total: Decimal


@activity.defn
async def process_checkout(checkout: Checkout) -> None:
    activity.logger.info(f"Checking out {len(checkout.items)} items for ${checkout.total}")


async def main() -> None:
    logging.basicConfig(level=logging.INFO)
    # The default converter knows no Decimal.
    client = await Client.connect(sys.argv[1], data_converter=pydantic_data_converter)
    await Worker(client, task_queue="shopping", activities=[process_checkout]).run()


if __name__ == "__main__":
    asyncio.run(main())
