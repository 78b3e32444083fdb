"""A codec that hides payloads from the server, as a company would that trusts nobody else with its data.

The cipher is a toy: what matters here is that nobody without it can read a payload, and that each payload looks different every time.
"""

import hashlib
import os
from collections.abc import Sequence

from temporalio.api.common.v1 import Payload
from temporalio.converter import (
    DataConverter,
    DefaultFailureConverterWithEncodedAttributes,
    DefaultPayloadConverter,
    PayloadCodec,
)

ENCODING = b"binary/encrypted"
KEY = b"only client and worker have it"
NONCE_BYTES = 16


def mask(nonce: bytes, data: bytes) -> bytes:
    stream = hashlib.shake_256(KEY + nonce).digest(len(data))
    return bytes(a ^ b for a, b in zip(data, stream))


class Hiding(PayloadCodec):
    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        return [self.hide(payload) for payload in payloads]

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        return [self.show(payload) for payload in payloads]

    def hide(self, payload: Payload) -> Payload:
        nonce = os.urandom(NONCE_BYTES)
        data = nonce + mask(nonce, payload.SerializeToString())
        return Payload(metadata={"encoding": ENCODING, "key-id": b"\xff\x00\x01"}, data=data)

    def show(self, payload: Payload) -> Payload:
        # A query's answer is made by the workflow, which has no key.
        if payload.metadata["encoding"] != ENCODING:
            return payload
        assert payload.metadata["key-id"] == b"\xff\x00\x01", payload
        return Payload.FromString(mask(payload.data[:NONCE_BYTES], payload.data[NONCE_BYTES:]))


# Everything is hidden, messages and stack traces of failures as well.
HIDING = DataConverter(
    payload_converter_class=DefaultPayloadConverter,
    failure_converter_class=DefaultFailureConverterWithEncodedAttributes,
    payload_codec=Hiding(),
)
