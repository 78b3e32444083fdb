"""Ends an activity by its task token, in place of its worker: complete_later.py HOST:PORT TOKEN_IN_HEX complete|fail|heartbeat VALUE."""

import asyncio
import os
import sys

from temporalio.client import AsyncActivityCancelledError, Client
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError


async def main(address, token, verb, value):
    client = await Client.connect(address, identity="later")
    handle = client.get_async_activity_handle(task_token=bytes.fromhex(token))
    try:
        if verb == "complete":
            await handle.complete(value)
        elif verb == "fail":
            await handle.fail(ApplicationError(value, type="Later", non_retryable=True))
        else:
            await handle.heartbeat(value)
        print("done")
    except AsyncActivityCancelledError:
        print("cancelled")
    except RPCError as error:
        print(f"{error.status.name}: {error.message}")


asyncio.run(main(*sys.argv[1:]))
# Not by the interpreter's own end: a thread of the client that still runs then can abort it.
sys.stdout.flush()
os._exit(0)
