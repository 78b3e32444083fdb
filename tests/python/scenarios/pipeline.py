"""Tells a pipeline what other systems have done: pipeline.py HOST:PORT."""

import asyncio
import os
import sys

from temporalio import workflow
from temporalio.client import Client


@workflow.defn
class DataPipelineWorkflow:
    @workflow.run
    async def run(self, pipeline_id: str) -> str:
        raise NotImplementedError

    @workflow.signal
    def notify_upload_complete(self, data_location: str) -> None:
        raise NotImplementedError

    @workflow.signal
    def notify_validation_complete(self) -> None:
        raise NotImplementedError

    @workflow.signal
    def notify_transform_complete(self) -> None:
        raise NotImplementedError


async def main() -> None:
    client = await Client.connect(sys.argv[1])
    await client.start_workflow(DataPipelineWorkflow.run, "42", id="pipeline-42", task_queue="pipelines")
    # As the other systems would do it, which know the id alone.
    handle = client.get_workflow_handle_for(DataPipelineWorkflow.run, workflow_id="pipeline-42")
    await handle.signal(DataPipelineWorkflow.notify_upload_complete, "s3://bucket/raw.csv")
    await handle.signal(DataPipelineWorkflow.notify_validation_complete)
    await handle.signal(DataPipelineWorkflow.notify_transform_complete)
    print(await handle.result())


if __name__ == "__main__":
    asyncio.run(main())
    # Not by the interpreter's own end: a thread of the client that still runs then can abort it.
    sys.stdout.flush()
    os._exit(0)
