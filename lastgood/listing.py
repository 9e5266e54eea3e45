"""Which of our search attributes a namespace has; for the worker, and whoever looks after it."""

from __future__ import annotations

from datetime import timedelta

from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import ListSearchAttributesRequest
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from lastgood.messages import SEARCH_ATTRIBUTES

_NOT_FOR_US = (
    RPCStatusCode.PERMISSION_DENIED,
    RPCStatusCode.UNIMPLEMENTED,
    RPCStatusCode.UNAUTHENTICATED,
)


async def registered(client: Client, patience: timedelta = timedelta(seconds=5)) -> tuple[str, ...]:
    """Those of ours that the client's namespace has, with the type that we write.

    Raises:
        RPCError: if the server does not say.
    """
    request = ListSearchAttributesRequest(namespace=client.namespace)
    try:
        answer = await client.operator_service.list_search_attributes(request, timeout=patience)
    except RPCError as error:
        if error.status not in _NOT_FOR_US:
            raise
        return await told_by_the_namespace(client, patience)  # operators alone may ask for a list
    keyword, known = IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD, answer.custom_attributes
    return tuple(name for name in SEARCH_ATTRIBUTES if known.get(name) == keyword)


async def told_by_the_namespace(client: Client, patience: timedelta) -> tuple[str, ...]:
    """The same from what every client may read; it tells them on SQL databases and in the Cloud.

    Raises:
        RPCError: if the server does not say.
    """
    request = DescribeNamespaceRequest(namespace=client.namespace)
    answer = await client.workflow_service.describe_namespace(request, timeout=patience)
    columns = answer.config.custom_search_attribute_aliases  # "Keyword01": "LastgoodService"
    known = {name for column, name in columns.items() if column.startswith("Keyword")}
    return tuple(name for name in SEARCH_ATTRIBUTES if name in known)
