"""Serves the activities of the test subject `relay`: worker.py HOST:PORT plain|hiding."""

import asyncio
import sys
from collections.abc import Sequence
from datetime import timedelta

from temporalio import activity
from temporalio.client import Client
from temporalio.common import RawValue
from temporalio.converter import DataConverter
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory
from temporalio.worker import Worker

from codec import HIDING

QUEUE = "relay"


@activity.defn(dynamic=True)
async def relay(values: Sequence[RawValue]):
    """Gives back what it gets: as it is, or, if it can read it, in words."""
    assert activity.info().activity_type == "relay", activity.info()
    (value,) = values
    if sys.argv[2] == "plain":
        return value
    return f"read {activity.payload_converter().from_payload(value.payload, str)}"


@activity.defn
async def fail() -> None:
    if activity.info().attempt == 1:
        raise ApplicationError("not yet", type="NotYet", next_retry_delay=timedelta(milliseconds=10))
    root = ApplicationError("the river is dry", type="Drought")
    pump = ApplicationError("the pump stands still", "north", 7, type="PumpStopped")
    pump.__cause__ = root
    raise ApplicationError(
        "no water",
        {"floor": 3},
        ["kitchen", "bath"],
        2.5,
        type="NoWater",
        non_retryable=True,
        next_retry_delay=timedelta(seconds=7),
        category=ApplicationErrorCategory.BENIGN,
    ) from pump


async def main() -> None:
    converter = HIDING if sys.argv[2] == "hiding" else DataConverter.default
    client = await Client.connect(sys.argv[1], data_converter=converter)
    await Worker(client, task_queue=QUEUE, activities=[relay, fail]).run()


if __name__ == "__main__":
    asyncio.run(main())
