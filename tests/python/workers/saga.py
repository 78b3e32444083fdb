"""Serves the activities of the example `saga` from Python: saga.py HOST:PORT. It runs until it is stopped.

Bookings and payments are simulated. To undo what was not done does no harm, and neither does doing it twice: both happen.
"""

import asyncio
import logging
import sys
from decimal import Decimal

from temporalio import activity
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.exceptions import ApplicationError
from temporalio.worker import Worker

# The name of a hotel or flight that has no room left.
FULL = "full"
# A card that cannot be charged.
DECLINED = "declined"
# How much of a card's token the transaction's id shows.
TOKEN_PREFIX = 8


def refused(kind: str, message: str) -> ApplicationError:
    """A failure that another attempt would not change. The workflow and its clients know it by its type."""
    return ApplicationError(message, type=kind, non_retryable=True)


@activity.defn
async def book_hotel(trip_id: str, hotel: str) -> str:
    if hotel == FULL:
        raise refused("HotelFull", f"No room for trip {trip_id}")
    activity.logger.info(f"Booked hotel {hotel} for trip {trip_id}")
    return f"hotel_{trip_id}"


@activity.defn
async def cancel_hotel(trip_id: str) -> None:
    activity.logger.info(f"Cancelled the hotel of trip {trip_id}")


@activity.defn
async def book_flight(trip_id: str, flight: str) -> str:
    if flight == FULL:
        raise refused("FlightFull", f"No seat for trip {trip_id}")
    activity.logger.info(f"Booked flight {flight} for trip {trip_id}")
    return f"flight_{trip_id}"


@activity.defn
async def cancel_flight(trip_id: str) -> None:
    activity.logger.info(f"Cancelled the flight of trip {trip_id}")


@activity.defn
async def charge_card(trip_id: str, card_token: str, amount: Decimal) -> str:
    if card_token == DECLINED:
        raise refused("CardDeclined", f"The card for trip {trip_id} was declined")
    activity.logger.info(f"Charged {amount} for trip {trip_id}")
    return f"txn_{card_token[:TOKEN_PREFIX]}"


@activity.defn
async def refund_card(trip_id: str) -> None:
    activity.logger.info(f"Refunded trip {trip_id}")


async def main() -> None:
    logging.basicConfig(level=logging.INFO)
    # The default converter knows no Decimal.
    client = await Client.connect(sys.argv[1], data_converter=pydantic_data_converter)
    activities = [book_hotel, cancel_hotel, book_flight, cancel_flight, charge_card, refund_card]
    await Worker(client, task_queue="trips", activities=activities).run()


if __name__ == "__main__":
    asyncio.run(main())
