"""Lists and adds search attributes as Temporal's tools do: search_attributes.py HOST:PORT. One execution has used `Colour`."""

import asyncio
import os
import sys

from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest, ListSearchAttributesRequest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

DOUBLE = IndexedValueType.INDEXED_VALUE_TYPE_DOUBLE
INT = IndexedValueType.INDEXED_VALUE_TYPE_INT
KEYWORD = IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD


async def main() -> None:
    client = await Client.connect(sys.argv[1])
    operator = client.operator_service

    async def add(**attributes):
        request = AddSearchAttributesRequest(namespace="default", search_attributes=attributes)
        await operator.add_search_attributes(request)

    async def custom():
        listed = await operator.list_search_attributes(ListSearchAttributesRequest(namespace="default"))
        assert listed.system_attributes["WorkflowId"] == KEYWORD, listed
        # Those that are there without anybody's doing begin with Temporal's name.
        return {name: kind for name, kind in listed.custom_attributes.items() if not name.startswith("Temporal")}

    # Used without being added.
    assert await custom() == {"Colour": KEYWORD}, await custom()
    await add(Weight=DOUBLE)
    assert await custom() == {"Colour": KEYWORD, "Weight": DOUBLE}, await custom()
    # Again: it is so already.
    await add(Weight=DOUBLE, Colour=KEYWORD)
    try:
        await add(Colour=INT)
    except RPCError as error:
        assert error.status == RPCStatusCode.INVALID_ARGUMENT, error
        assert "Colour" in str(error), error
    else:
        raise AssertionError("the type of an attribute was changed")
    assert await custom() == {"Colour": KEYWORD, "Weight": DOUBLE}, await custom()
    print("attributes are listed and added")


asyncio.run(main())
# Not by the interpreter's own end: a thread of the client that still runs then can abort it.
sys.stdout.flush()
os._exit(0)
