"""Books a trip, cancels one, and has one declined: saga.py HOST:PORT."""

import asyncio
import os
import sys
from dataclasses import dataclass
from decimal import Decimal

from temporalio import workflow
from temporalio.client import Client, WorkflowFailureError, WorkflowHandle
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.exceptions import ActivityError, ApplicationError, CancelledError


@dataclass
class Trip:
    trip_id: str
    hotel: str
    flight: str
    card_token: str
    amount: Decimal


@dataclass
class Booked:
    hotel: str
    flight: str
    payment: str


@workflow.defn
class TripWorkflow:
    @workflow.run
    async def run(self, trip: Trip) -> Booked:
        raise NotImplementedError

    @workflow.signal
    def confirm(self) -> None:
        raise NotImplementedError

    @workflow.query
    def get_status(self) -> str:
        raise NotImplementedError


async def start(client: Client, trip_id: str, card_token: str) -> WorkflowHandle[TripWorkflow, Booked]:
    trip = Trip(trip_id=trip_id, hotel="Ritz", flight="LH400", card_token=card_token, amount=Decimal("899.00"))
    return await client.start_workflow(TripWorkflow.run, trip, id=f"trip-{trip_id}", task_queue="trips")


async def main() -> None:
    # The default converter knows no Decimal.
    client = await Client.connect(sys.argv[1], data_converter=pydantic_data_converter)
    trip = await start(client, "1", "tok_1234567890")
    await trip.signal(TripWorkflow.confirm)
    print(await trip.result())

    trip = await start(client, "2", "declined")
    await trip.signal(TripWorkflow.confirm)
    try:
        await trip.result()
    except WorkflowFailureError as error:
        # What went wrong in the activity, and in which.
        assert isinstance(error.cause, ActivityError), error.cause
        assert error.cause.activity_type == "charge_card", error.cause.activity_type
        assert isinstance(error.cause.cause, ApplicationError), error.cause.cause
        print(f"{error.cause.cause.type}: {error.cause.cause.message}")
    print(f"The trip is {await trip.query(TripWorkflow.get_status)}")

    trip = await start(client, "3", "tok_1234567890")
    await trip.cancel()
    try:
        await trip.result()
    except WorkflowFailureError as error:
        assert isinstance(error.cause, CancelledError), error.cause
        print("The trip was cancelled")
    print(f"The trip is {await trip.query(TripWorkflow.get_status)}")


if __name__ == "__main__":
    asyncio.run(main())
    # Not by the interpreter's own end: a thread of the client that still runs then can abort it.
    sys.stdout.flush()
    os._exit(0)
