"""The order's messages and handlers, as a client of it declares them. The workflow itself runs as a component."""

from dataclasses import dataclass
from decimal import Decimal
from enum import Enum

from temporalio import workflow


class OrderStatus(Enum):
    PENDING = "pending"
    PAID = "paid"
    SHIPPED = "shipped"
    DELIVERED = "delivered"
    CANCELLED = "cancelled"


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


@dataclass
class OrderProgress:
    status: OrderStatus
    items_count: int
    total_amount: str
    payment_status: str
    shipping_status: str


@workflow.defn
class OrderWorkflow:
    @workflow.run
    async def run(self, order_id: str, customer_id: str) -> str:
        raise NotImplementedError

    @workflow.query
    def get_status(self) -> str:
        raise NotImplementedError

    @workflow.query
    def get_total(self) -> str:
        raise NotImplementedError

    @workflow.query
    def get_progress(self) -> OrderProgress:
        raise NotImplementedError

    @workflow.update
    async def add_item(self, item: OrderItem) -> dict:
        raise NotImplementedError

    @workflow.update
    async def process_payment(self, payment: PaymentInfo) -> str:
        raise NotImplementedError

    @workflow.signal
    async def mark_shipped(self, shipping: ShippingInfo) -> None:
        raise NotImplementedError

    @workflow.signal
    def cancel_order(self, reason: str) -> None:
        raise NotImplementedError
