"""How a workflow is found in Temporal's lists, and where Temporal's UI is."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy, SearchAttributeKey, SearchAttributeUpdate
from temporalio.exceptions import ActivityError

from workflows.calls import why

with workflow.unsafe.imports_passed_through():
    from activities.surroundings import SurroundingsActivities
    from lastgood.contracts import Surroundings
    from lastgood.decisions import attributes
    from lastgood.decisions.rendering.temporal_ui.release import Place

_ATTEMPT = timedelta(seconds=2)
"""Well below the ten seconds that the server waits for a workflow's answer."""


class Listed:
    """Sets search attributes beside everything else; that they cannot be set hinders nothing.

    Args:
        wanted: False for what an older build began: its history has no such thing.
        show: called when more is known of where the workflow runs.
    """

    def __init__(self, *, wanted: bool, show: Callable[[], None] = lambda: None) -> None:
        self._on = wanted
        self._show = show
        self._wanted: dict[str, str | None] = {}
        self._looked: dict[str, str | None] = {}
        """What was wanted at the last look, whether or not it could be set."""
        self._written: dict[str, str | None] = {}
        self._writing: asyncio.Task[None] | None = None
        self._ui_url = ""

    @property
    def place(self) -> Place:
        """Where this run is in the UI, as far as it is known yet."""
        info = workflow.info()
        return Place(
            ui=self._ui_url,
            namespace=info.namespace,
            workflow_id=info.workflow_id,
            run_id=info.run_id,
        )

    def put(self, values: attributes.Values) -> None:
        """Set some from now on."""
        self._wanted |= values
        if self._on and not self.writing:
            self._writing = asyncio.create_task(self._write())

    @property
    def writing(self) -> bool:
        """Something that was put is not set yet."""
        return self._writing is not None and not self._writing.done()

    async def settled(self) -> None:
        """Wait until what was put is set, before the workflow ends."""
        await workflow.wait_condition(lambda: not self.writing)

    async def _write(self) -> None:
        while self._wanted != self._looked:
            around, wanted = await _look_around(), dict(self._wanted)
            changes = attributes.to_write(wanted, self._written, around.search_attributes)
            if changes:
                workflow.upsert_search_attributes(
                    [_update(name, value) for name, value in changes.items()]
                )
            self._written |= changes
            self._looked, self._ui_url = wanted, around.ui_url
            self._show()


def _update(name: str, value: str | None) -> SearchAttributeUpdate[str]:
    key = SearchAttributeKey.for_keyword(name)
    return key.value_unset() if value is None else key.value_set(value)


async def _look_around() -> Surroundings:
    """Ask in the very task in which the answer is used.

    A local activity, as its answer goes to the server together with the upsert. Had the server lost
    one of the attributes in between, it would refuse both, and both would be made anew.
    """
    try:
        return await workflow.execute_local_activity_method(
            SurroundingsActivities.list_search_attributes,
            start_to_close_timeout=_ATTEMPT,
            schedule_to_close_timeout=2 * _ATTEMPT,
            retry_policy=RetryPolicy(maximum_attempts=1),
            summary="Which search attributes are there?",
        )
    except ActivityError as error:
        workflow.logger.warning("The search attributes are not known: %s", why(error))
        return Surroundings()
