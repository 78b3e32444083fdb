"""Lets a workflow go on stage by stage: stages.py HOST:PORT."""

import asyncio
import os
import sys

from temporalio import workflow
from temporalio.client import Client, WorkflowExecutionStatus


@workflow.defn
class MyWorkflow:
    @workflow.run
    async def run(self) -> None:
        raise NotImplementedError

    @workflow.signal
    def advance_stage(self, stage: int) -> None:
        raise NotImplementedError


async def main() -> None:
    client = await Client.connect(sys.argv[1])
    handle = await client.start_workflow(MyWorkflow.run, id="stages", task_queue="stages")
    for stage in range(1, 4):
        assert (await handle.describe()).status is WorkflowExecutionStatus.RUNNING
        await handle.signal(MyWorkflow.advance_stage, stage)
        print(f"Advanced to stage {stage}")
    print(f"Result: {await handle.result()}")


if __name__ == "__main__":
    asyncio.run(main())
    # Not by the interpreter's own end: a thread of the client that still runs then can abort it.
    sys.stdout.flush()
    os._exit(0)
