"""What operators ordered about the release under way, each answered at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from lastgood.contracts import (
        Instruction,
        InstructionAnswer,
        OperatorRequest,
        RollbackRequest,
    )
    from lastgood.decisions import operators
    from lastgood.model import Action

if TYPE_CHECKING:
    from workflows.release import Release

_PHASES: dict[str, operators.Phase] = {
    "hold": "held",
    "roll back": "rolling back",
    "verify": "rolling back",
}
"""Steps whose phase has another name."""


class Orders:
    """The orders in force; the release's steps look at them."""

    def __init__(self, release: Release) -> None:
        self._release = release
        self._answers: dict[str, InstructionAnswer] = {}
        self.actions: list[Action] = []
        self.rollback: RollbackRequest | None = None
        self.cancelled: OperatorRequest | None = None
        self.held: OperatorRequest | None = None
        self.resumed: OperatorRequest | None = None
        self.promoted: OperatorRequest | None = None
        self.approved: OperatorRequest | None = None

    @property
    def phase(self) -> operators.Phase:
        """Where the release stands."""
        release = self._release
        if release.over:
            return "ended"
        if release.judged_good:
            return "ending"
        if release.rolling_back:
            return "rolling back"
        if release.closing:
            return "ended"
        now = release.journal.now
        return _PHASES.get(now) or operators.phase(now)

    @property
    def good(self) -> bool:
        """Whether a person took the release for good: no trigger watches it any more."""
        return bool(self.promoted or self.approved)

    @property
    def decided(self) -> bool:
        """Whether a person said what becomes of a held release, other than to go back."""
        return bool(self.approved or self.resumed)

    def wait_for_a_person(self) -> None:
        """What was ordered so far led to the hold: it takes a new order to end it."""
        self.rollback = self.held = self.promoted = self.approved = None

    def take(self, instruction: Instruction) -> InstructionAnswer:
        """Carry out an instruction, or refuse it; the same one again gets the same answer."""
        ident = instruction.request.id
        if ident not in self._answers:
            self._answers[ident] = self._decide(instruction)
        return self._answers[ident]

    def _decide(self, instruction: Instruction) -> InstructionAnswer:
        request, release = instruction.request, self._release
        ident = release.order.release.id
        verb = operators.known(instruction.verb)
        if verb is None:
            text = operators.too_new(instruction.verb, ident)
            return InstructionAnswer(id=request.id, done=False, text=text)
        standing = operators.Standing(service=str(release.service), phase=self.phase, release=ident)
        to = instruction.rollback.to if instruction.rollback else None
        why = operators.refuse_in_drill(verb, ident) if release.drilling else None
        why = why or operators.refuse_after(self._in_force, verb)
        why = why or operators.refuse(verb, standing)
        why = why or operators.refuse_nowhere(verb, standing, bool(to or release.target))
        if why:
            return InstructionAnswer(id=request.id, done=False, text=why)
        self._put_in_force(instruction)
        action = Action(at=workflow.now(), actor=request.actor, verb=verb, reason=request.reason)
        self.actions.append(action)
        release.journal.note(f"{request.actor}: {verb}. {request.reason}")
        text = operators.done(verb, standing, bool(to or release.target))
        return InstructionAnswer(id=request.id, done=True, text=text)

    @property
    def _in_force(self) -> dict[operators.Verb, str]:
        """Who ordered what that the release is about to do, or does."""
        orders: dict[operators.Verb, OperatorRequest | RollbackRequest | None] = {
            "rollback": self.rollback,
            "cancel": self.cancelled,
            "approve": self.approved,
            "resume": self.resumed,
            "hold": self.held,
            "promote": self.promoted,
        }
        return {verb: order.actor for verb, order in orders.items() if order}

    def _put_in_force(self, instruction: Instruction) -> None:
        request = instruction.request
        match instruction.verb:
            case "rollback" | "deny":
                self.rollback = instruction.rollback or RollbackRequest(
                    actor=request.actor, reason=request.reason, service=self._release.service
                )
            case "cancel":
                self.cancelled = request
            case "hold":
                self.held = request
            case "resume":
                self.resumed = request
            case "promote":
                self.promoted = request
            case "approve":
                self.approved = request
