"""How far a rolling rollout has come: which share of the tasks that answer are new."""

from __future__ import annotations

from temporalio.exceptions import ApplicationError

from activities.ecs_calls import EcsCalls
from lastgood.contracts import WatchOrder
from lastgood.decisions import comparing


class RolloutShare(EcsCalls):
    """Reads the service while old tasks are replaced by new ones."""

    async def of_new_tasks(self, order: WatchOrder) -> float:
        """Between 0 and 1; 1 where nothing rolls, and where it cannot be read.

        To take too large a share for true only costs power: a rise is looked for that is larger
        than it can be.
        """
        if order.rolling is None:
            return 1.0
        try:
            state = await self._describe(order.service)
        except ApplicationError:
            return 1.0
        return comparing.share_of(state, order.rolling) if state else 1.0
