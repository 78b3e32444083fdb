"""Changes a greeting's language, and tries one that there is not: greeting.py HOST:PORT."""

import asyncio
import os
import sys
from enum import Enum

from temporalio import workflow
from temporalio.client import Client, WorkflowUpdateFailedError
from temporalio.contrib.pydantic import pydantic_data_converter


class Language(Enum):
    ENGLISH = "en"
    GERMAN = "de"
    SPANISH = "es"
    FRENCH = "fr"
    KLINGON = "tlh"


@workflow.defn
class GreetingWorkflow:
    @workflow.run
    async def run(self) -> str:
        raise NotImplementedError

    @workflow.update
    def set_language(self, language: Language) -> Language:
        raise NotImplementedError


async def main() -> None:
    # The default converter knows no Enum.
    client = await Client.connect(sys.argv[1], data_converter=pydantic_data_converter)
    await client.start_workflow(GreetingWorkflow.run, id="greeting-123", task_queue="greetings")
    handle = client.get_workflow_handle_for(GreetingWorkflow.run, workflow_id="greeting-123")

    previous = await handle.execute_update(GreetingWorkflow.set_language, Language.GERMAN)
    assert previous is Language.ENGLISH, previous
    print(f"Language changed from {previous.value} to German")
    try:
        await handle.execute_update(GreetingWorkflow.set_language, Language.KLINGON)
    except WorkflowUpdateFailedError as error:
        print(f"Update failed: {error.cause.message}")
        assert error.cause.type == "ValueError", error.cause.type
    print(f"Greeting: {await handle.result()}")


if __name__ == "__main__":
    asyncio.run(main())
    # Not by the interpreter's own end: a thread of the client that still runs then can abort it.
    sys.stdout.flush()
    os._exit(0)
