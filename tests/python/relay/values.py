"""Sends payloads through a workflow and an activity: values.py HOST:PORT QUEUE raw|hidden.

Raw: payloads of any encoding, and what comes back is compared byte for byte. Hidden: one word; prints what the activity made of it.
"""

import asyncio
import os
import sys

from temporalio.api.common.v1 import Payload, WorkflowType
from temporalio.client import Client
from temporalio.common import RawValue

from codec import HIDING

WORD = "a word that nobody else may read"
MESSAGE = WorkflowType(name="a message")
EVERY_BYTE = bytes(range(256))

PAYLOADS = [
    Payload(metadata={"encoding": b"json/plain"}, data=b'{"b": 1.0,  "a": "\\u00e4", "big": 12345678901234567890}'),
    Payload(metadata={"encoding": b"json/plain"}, data=b"this is no JSON"),
    Payload(metadata={"encoding": b"binary/null"}),
    Payload(metadata={"encoding": b"binary/plain"}, data=EVERY_BYTE),
    Payload(
        metadata={"encoding": b"json/protobuf", "messageType": MESSAGE.DESCRIPTOR.full_name.encode()},
        data=b'{"name": "a message"}',
    ),
    Payload(
        metadata={"encoding": b"binary/protobuf", "messageType": MESSAGE.DESCRIPTOR.full_name.encode()},
        data=MESSAGE.SerializeToString(),
    ),
    Payload(metadata={"encoding": b"binary/encrypted", "key-id": b"\x00\xff"}, data=EVERY_BYTE[::-1]),
    Payload(metadata={"encoding": EVERY_BYTE, "": b"no name", "name": b""}, data=EVERY_BYTE),
    Payload(data=b"without any metadata"),
    Payload(),
]


async def raw(address, queue) -> None:
    client = await Client.connect(address)
    for number, payload in enumerate(PAYLOADS):
        came = await client.execute_workflow(
            "Relay", RawValue(payload), id=f"relay-{number}", task_queue=queue, result_type=RawValue
        )
        assert came.payload == payload, (payload, came.payload)
    print(f"{len(PAYLOADS)} payloads came back as they were")


async def hidden(address, queue) -> None:
    client = await Client.connect(address, data_converter=HIDING)
    print(await client.execute_workflow("Relay", WORD, id="relay", task_queue=queue, result_type=str))


if __name__ == "__main__":
    asyncio.run({"raw": raw, "hidden": hidden}[sys.argv[3]](*sys.argv[1:3]))
    # Not by the interpreter's own end: a thread of the client that still runs then can abort it.
    sys.stdout.flush()
    os._exit(0)
