"""A guard's memory: its state, and its mirror in the service's tags."""

from __future__ import annotations

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError

from workflows import calls
from workflows.telling import Turns

with workflow.unsafe.imports_passed_through():
    from lastgood import errors
    from lastgood.contracts import GuardState, TagOrder
    from lastgood.decisions import guarding, mirror, remembering, targets
    from lastgood.model import Revision

_GONE = ("ClientException", errors.NOT_FOUND)
"""What ECS answers where it knows no such task definition, and what an emulator may."""


class Memory:
    """The state, shared by the guard's parts: replaced as a whole, never changed in place."""

    def __init__(self, state: GuardState) -> None:
        self.state = state
        self.writing = False
        """The mirror is being written."""
        self.reminding = False
        """People are being told again of a failure."""
        self._turns: dict[str, Turns] = {}
        self._looked = state.restored
        self._refused: dict[str, str] | None = None
        """Tags that could not be written; the next change is tried again."""

    def note(self, actor: str, verb: str, reason: str) -> None:
        """Remember what a person asked for."""
        self.state = guarding.with_action(self.state, actor, verb, reason, workflow.now())

    def turns_about(self, release: str) -> Turns:
        """Whose turn it is to tell of a release that has ended: one message after the other."""
        return self._turns.setdefault(release, {})

    # --- Reading the mirror ----------------------------------------------------------------

    async def restore(self) -> None:
        """Read what an earlier guard kept in the service's tags; once, and again if it failed."""
        if not self.state.restored:
            try:
                await self._restore()
            except ActivityError as error:
                self._problem(f"The service's tags cannot be read: {calls.why(error)}")
        self._looked = True

    async def compare(self) -> None:
        """Look at the tags again: somebody may have removed ours, or set more of their own."""
        if not self.state.restored:
            await self.restore()
            return
        try:
            found = await calls.describe_service(self.state.service, briefly=True, with_tags=True)
        except ActivityError as error:
            self._problem(f"The service's tags cannot be read: {calls.why(error)}")
            return
        if found:
            self._refused = None
            self.state = remembering.compared(self.state, found)

    @property
    def is_ready(self) -> bool:
        """The mirror was read, or could not be: until then there may be more to remember."""
        return self._looked

    async def ready(self) -> None:
        """Wait until the mirror was read, or could not be."""
        await workflow.wait_condition(lambda: self._looked)

    async def _restore(self) -> None:
        service = self.state.service
        found = await calls.describe_service(service, with_tags=True)
        if found is None:
            return
        told = mirror.read(found.tags)
        known: dict[str, Revision] = {}
        unread: list[str] = []
        for name in (one.task_definition for one in told.good):
            try:
                definition = await calls.describe_task_definition(service.region, name)
            except ActivityError as error:
                workflow.logger.warning("%s is not read: %s", name, error.cause)
                unread += [] if _is_gone(error) else [name]
                continue
            known[name] = targets.revision_of(definition, proven=None, at=workflow.now())
        self.state = remembering.restored(self.state, told, known, found, unread)

    # --- Writing the mirror ----------------------------------------------------------------

    async def keep(self) -> None:
        """Write each change into the service's tags; what cannot be written hinders nothing."""
        while True:
            await workflow.wait_condition(self._must_write)
            wanted = self._wanted()
            self.writing = True
            await self._write(wanted)
            self.writing = False

    def _wanted(self) -> dict[str, str]:
        return mirror.tags_of(self.state, self.state.foreign_tags)

    def _must_write(self) -> bool:
        if not self.state.service_arn:
            return False
        wanted = self._wanted()
        return wanted != self._refused and mirror.change(wanted, self.state.mirrored).needed

    async def _write(self, wanted: dict[str, str]) -> None:
        change = mirror.change(wanted, self.state.mirrored)
        order = TagOrder(
            region=self.state.service.region,
            arn=self.state.service_arn or "",
            tags=change.tags,
            remove=change.remove,
        )
        try:
            await calls.tag_resource(order)
        except ActivityError as error:
            self._refused = wanted
            self._problem(f"The service's tags cannot be written: {calls.why(error)}")
            return
        self._refused = None
        update = {"mirrored": wanted, "mirror_problem": None}
        self.state = self.state.model_copy(update=update)

    def _problem(self, text: str) -> None:
        workflow.logger.warning(text)
        self.state = self.state.model_copy(update={"mirror_problem": text})


def _is_gone(error: ActivityError) -> bool:
    """Whether ECS knows no such task definition, rather than that it could not be read."""
    return isinstance(error.cause, ApplicationError) and error.cause.type in _GONE
