"""Serves the activities of the example `pipeline` from Python: pipeline.py HOST:PORT. It runs until it is stopped.

What the pipeline asks of other systems is simulated: they would answer with the workflow's signals.
"""

import asyncio
import logging
import sys

from temporalio import activity
from temporalio.client import Client
from temporalio.worker import Worker


@activity.defn
async def start_validation(data_location: str) -> None:
    activity.logger.info(f"Validation of {data_location} is requested")


@activity.defn
async def start_transformation(data_location: str) -> None:
    activity.logger.info(f"Transformation of {data_location} is requested")


@activity.defn
async def finalize_pipeline(pipeline_id: str) -> None:
    activity.logger.info(f"Pipeline {pipeline_id} is published")


async def main() -> None:
    logging.basicConfig(level=logging.INFO)
    client = await Client.connect(sys.argv[1])
    activities = [start_validation, start_transformation, finalize_pipeline]
    await Worker(client, task_queue="pipelines", activities=activities).run()


if __name__ == "__main__":
    asyncio.run(main())
