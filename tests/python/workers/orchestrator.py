"""Serves the activity of the example `orchestrator` from Python: orchestrator.py HOST:PORT. It runs until it is stopped."""

import asyncio
import logging
import sys
from dataclasses import dataclass

from temporalio import activity
from temporalio.client import Client
from temporalio.worker import Worker


@dataclass
class TaskData:
    task_id: str
    priority: int


@activity.defn
async def process_task_activity(task: TaskData) -> str:
    activity.logger.info(f"Processing {task.task_id} (priority {task.priority})")
    return f"{task.task_id} done"


async def main() -> None:
    logging.basicConfig(level=logging.INFO)
    client = await Client.connect(sys.argv[1])
    await Worker(client, task_queue="workers", activities=[process_task_activity]).run()


if __name__ == "__main__":
    asyncio.run(main())
