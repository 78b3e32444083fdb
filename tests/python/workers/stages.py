"""Serves the activities of the example `stages` from Python: stages.py HOST:PORT. It runs until it is stopped.

A real one would ask another system for something that it announces later by a signal.
"""

import asyncio
import logging
import sys

from temporalio import activity
from temporalio.client import Client
from temporalio.worker import Worker


def run() -> None:
    info = activity.info()
    activity.logger.info(f"{info.activity_type} of {info.workflow_id}, attempt {info.attempt}")


@activity.defn
async def my_activity_1() -> None:
    run()


@activity.defn
async def my_activity_2() -> None:
    run()


@activity.defn
async def my_activity_3() -> None:
    run()


@activity.defn
async def my_activity_4() -> None:
    run()


async def main() -> None:
    logging.basicConfig(level=logging.INFO)
    client = await Client.connect(sys.argv[1])
    activities = [my_activity_1, my_activity_2, my_activity_3, my_activity_4]
    await Worker(client, task_queue="stages", activities=activities).run()


if __name__ == "__main__":
    asyncio.run(main())
