"""Waits for half and for all of a migration: migration.py HOST:PORT."""

import asyncio
import os
import sys

from temporalio import workflow
from temporalio.client import Client


@workflow.defn
class DataMigrationWorkflow:
    @workflow.run
    async def run(self, total_records: int) -> str:
        raise NotImplementedError

    @workflow.update
    async def wait_for_progress(self, min_progress: int) -> int:
        raise NotImplementedError

    @workflow.query
    def get_current_progress(self) -> int:
        raise NotImplementedError


async def main() -> None:
    client = await Client.connect(sys.argv[1])
    handle = await client.start_workflow(DataMigrationWorkflow.run, 100, id="migration", task_queue="migrations")
    progress = await handle.execute_update(DataMigrationWorkflow.wait_for_progress, 50)
    print(f"50% checkpoint reached: {progress} records")
    progress = await handle.execute_update(DataMigrationWorkflow.wait_for_progress, 100)
    print(f"100% complete: {progress} records")
    print(await handle.result())
    assert await handle.query(DataMigrationWorkflow.get_current_progress) == 100


if __name__ == "__main__":
    asyncio.run(main())
    # Not by the interpreter's own end: a thread of the client that still runs then can abort it.
    sys.stdout.flush()
    os._exit(0)
