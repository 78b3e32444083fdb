"""Shows a dashboard until the batches are done: batch.py HOST:PORT."""

import asyncio
import os
import sys
from dataclasses import dataclass
from datetime import datetime, timedelta

from temporalio import workflow
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter


@dataclass
class DashboardData:
    total_processed: int
    total_failed: int
    current_batch: int
    average_processing_time: float
    estimated_completion: datetime


@workflow.defn
class BatchProcessingWorkflow:
    @workflow.run
    async def run(self, total_batches: int) -> str:
        raise NotImplementedError

    @workflow.query
    def get_dashboard_data(self) -> DashboardData:
        raise NotImplementedError


async def main() -> None:
    # The converter that reads a datetime.
    client = await Client.connect(sys.argv[1], data_converter=pydantic_data_converter)
    handle = await client.start_workflow(BatchProcessingWorkflow.run, 8, id="batches", task_queue="batches")
    result = asyncio.ensure_future(handle.result())
    while True:
        data = await handle.query(BatchProcessingWorkflow.get_dashboard_data)
        assert data.estimated_completion.utcoffset() == timedelta(0), data
        print("Batch Progress Dashboard")
        print(f"Processed: {data.total_processed}")
        print(f"Failed: {data.total_failed}")
        print(f"Current Batch: {data.current_batch}")
        print(f"Avg Time: {data.average_processing_time:.2f}s")
        print(f"ETA: {data.estimated_completion}")
        # A dashboard is drawn again after a while, or at the end.
        done, _ = await asyncio.wait([result], timeout=0.1)
        if done:
            break
    print(f"Workflow completed: {await result}")


if __name__ == "__main__":
    asyncio.run(main())
    # Not by the interpreter's own end: a thread of the client that still runs then can abort it.
    sys.stdout.flush()
    os._exit(0)
