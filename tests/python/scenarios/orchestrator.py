"""Lets one workflow give tasks to others, and another to its children: orchestrator.py HOST:PORT."""

import asyncio
import os
import sys
from dataclasses import dataclass

from temporalio import workflow
from temporalio.client import Client


@dataclass
class Coordinated:
    workers_coordinated: int
    unreachable: list[str]


@workflow.defn
class WorkerWorkflow:
    @workflow.run
    async def run(self) -> list[str]:
        raise NotImplementedError


@workflow.defn
class OrchestratorWorkflow:
    @workflow.run
    async def run(self, worker_ids: list[str]) -> Coordinated:
        raise NotImplementedError


@workflow.defn
class CollectorWorkflow:
    @workflow.run
    async def run(self, worker_ids: list[str]) -> dict[str, list[str]]:
        raise NotImplementedError


async def main() -> None:
    client = await Client.connect(sys.argv[1])
    worker = await client.start_workflow(WorkerWorkflow.run, id="worker-a", task_queue="workers")
    coordinated = await client.execute_workflow(
        OrchestratorWorkflow.run, ["a", "ghost"], id="orchestrator", task_queue="workers"
    )
    print(coordinated)
    print(f"Worker a: {await worker.result()}")

    collected = await client.execute_workflow(CollectorWorkflow.run, ["x"], id="collector", task_queue="workers")
    for worker_id, results in collected.items():
        # They worked at the same time.
        print(f"Worker {worker_id}: {sorted(results)}")


if __name__ == "__main__":
    asyncio.run(main())
    # Not by the interpreter's own end: a thread of the client that still runs then can abort it.
    sys.stdout.flush()
    os._exit(0)
