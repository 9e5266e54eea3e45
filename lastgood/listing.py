"""Which of our search attributes a namespace has; for the worker, and whoever looks after it."""

from __future__ import annotations

from datetime import timedelta

from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import ListSearchAttributesRequest
from temporalio.client import Client

from lastgood.messages import SEARCH_ATTRIBUTES


async def registered(client: Client, patience: timedelta = timedelta(seconds=5)) -> tuple[str, ...]:
    """Those of ours that the client's namespace has, with the type that we write.

    Raises:
        RPCError: if the server does not say: it may keep that to its operators.
    """
    request = ListSearchAttributesRequest(namespace=client.namespace)
    answer = await client.operator_service.list_search_attributes(request, timeout=patience)
    keyword, known = IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD, answer.custom_attributes
    return tuple(name for name in SEARCH_ATTRIBUTES if known.get(name) == keyword)
