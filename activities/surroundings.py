"""Where a workflow runs: which search attributes its namespace has, and where the UI is."""

from __future__ import annotations

from datetime import timedelta

from temporalio import activity
from temporalio.service import RPCError

from lastgood.contracts import Surroundings
from lastgood.listing import registered

_PATIENCE = timedelta(seconds=1)


class SurroundingsActivities:
    """What a worker knows of Temporal, for the workflows that it carries out.

    Args:
        ui_url: where people find the Temporal UI.
    """

    def __init__(self, ui_url: str = "") -> None:
        self._ui_url = ui_url

    @activity.defn
    async def list_search_attributes(self) -> Surroundings:
        """Read which of ours the namespace has. One that does not say has none.

        A local activity: its answer and the upsert that is made of it reach the server together, so
        if that refuses the upsert it has taken no answer either, and the next attempt asks anew.
        """
        try:
            names = await registered(activity.client(), _PATIENCE)
        except RPCError as error:
            activity.logger.info("Temporal tells no search attributes: %s", error.message)
            names = ()
        return Surroundings(search_attributes=names, ui_url=self._ui_url)
