"""Tells a family some news: family.py HOST:PORT."""

import asyncio
import os
import sys
from dataclasses import dataclass, field

from temporalio import workflow
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client, WorkflowFailureError
from temporalio.exceptions import TerminatedError
from temporalio.service import RPCError, RPCStatusCode


@dataclass
class Member:
    name: str = ""
    quiet: bool = False
    children: list["Member"] = field(default_factory=list)


@workflow.defn
class FamilyWorkflow:
    @workflow.run
    async def run(self, member: Member) -> int:
        raise NotImplementedError

    @workflow.signal
    async def tell(self, news: str, propagate: bool = False) -> None:
        raise NotImplementedError

    @workflow.signal
    def leave(self) -> None:
        raise NotImplementedError

    @workflow.query
    def get_heard(self) -> list[dict]:
        raise NotImplementedError


async def has_child(client: Client, member: str) -> None:
    """Waits until a member is born and has heard of its child's birth: before that it tells the child nothing."""
    handle = client.get_workflow_handle(member)
    while True:
        try:
            history = await handle.fetch_history()
        except RPCError as error:
            assert error.status is RPCStatusCode.NOT_FOUND, error
        else:
            if any(event.event_type == EventType.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_STARTED for event in history.events):
                return
        await asyncio.sleep(0.02)


async def hears(client: Client, member: str) -> dict:
    """Waits until a member has heard something. News travel, and their teller does not wait for it."""
    handle = client.get_workflow_handle(member)
    while not (heard := await handle.query(FamilyWorkflow.get_heard)):
        await asyncio.sleep(0.02)
    return heard[0]


async def main() -> None:
    client = await Client.connect(sys.argv[1])
    family = Member(children=[Member(name="bob", children=[Member(name="dan")])])
    ann = await client.start_workflow(FamilyWorkflow.run, family, id="ann", task_queue="families")
    await has_child(client, "ann")
    await has_child(client, "ann/bob")

    await ann.signal(FamilyWorkflow.tell, args=["It rains", True])
    for member in ["ann", "ann/bob", "ann/bob/dan"]:
        heard = await hears(client, member)
        print(f"{member} has heard from {heard['from']}: {heard['news']}")

    await ann.signal(FamilyWorkflow.leave)
    print(f"Ann has left; news: {await ann.result()}")
    try:
        await client.get_workflow_handle("ann/bob").result()
    except WorkflowFailureError as error:
        assert isinstance(error.cause, TerminatedError), error.cause
        print("Bob has left with her")


if __name__ == "__main__":
    asyncio.run(main())
    # Not by the interpreter's own end: a thread of the client that still runs then can abort it.
    sys.stdout.flush()
    os._exit(0)
