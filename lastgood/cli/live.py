"""What a release measures right now, from the heartbeats of its watches."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import ValidationError
from temporalio.client import Client
from temporalio.service import RPCError

from lastgood.cli.asking import RPC_TIMEOUT
from lastgood.contracts import ServiceGlance, Tally
from lastgood.model import Model


class Heartbeat(Model):
    """What a watch of triggers sends, as far as it is shown."""

    tallies: tuple[Tally, ...]


@dataclass(frozen=True)
class Latest:
    """The latest of one trigger."""

    trigger: str
    text: str
    reading: str | None = None
    firing: bool = False

    @property
    def line(self) -> str:
        """``error-rate 0.1 % (threshold 5.0 %)``: the trigger's name once."""
        said_already = self.text.startswith(self.trigger)
        return self.text if said_already else f"{self.trigger}: {self.text}"


@dataclass(frozen=True)
class Live:
    """The rollout in words, and the triggers in the policy's order."""

    rollout: str | None = None
    triggers: tuple[Latest, ...] = ()


NOTHING = Live()
_NOT_YET = "not looked yet"
"""What a service watch says before its first look."""


async def read(client: Client, *workflows: tuple[str, str | None]) -> Live:
    """Read the heartbeats of the workflows given by id and run id."""
    rollout: str | None = None
    tallies: list[Tally] = []
    for workflow_id, run_id in workflows:
        for beat in await _heartbeats(client, workflow_id, run_id):
            if isinstance(beat, ServiceGlance):
                rollout = None if beat.text == _NOT_YET else beat.text
            else:
                tallies += beat.tallies
    latest = {tally.key: tally for tally in tallies}
    ordered = sorted(latest.values(), key=lambda tally: _position(tally.key))
    return Live(rollout, tuple(latest_of(tally) for tally in ordered))


async def _heartbeats(
    client: Client, workflow_id: str, run_id: str | None
) -> list[ServiceGlance | Heartbeat]:
    handle = client.get_workflow_handle(workflow_id, run_id=run_id)
    try:
        description = await handle.describe(rpc_timeout=RPC_TIMEOUT)
    except RPCError:
        return []  # that values cannot be read is no reason to say nothing at all
    found: list[ServiceGlance | Heartbeat] = []
    for pending in description.raw_description.pending_activities:
        payloads = pending.heartbeat_details.payloads
        if not payloads:
            continue
        (first, *_) = await client.data_converter.decode(payloads)
        for kind in (Heartbeat, ServiceGlance):
            try:
                found.append(kind.model_validate(first))
                break
            except ValidationError:
                continue  # another kind of watch, or another version's
    return found


def _position(key: str) -> tuple[int, str]:
    number, _, rest = key.partition(" ")
    return (int(number), rest) if number.isdigit() else (1000, key)


def latest_of(tally: Tally) -> Latest:
    """What a trigger's tally says now; a dry run does not fire."""
    fires = tally.failing if tally.failing and not tally.failing.dry_run else None
    return Latest(
        trigger=tally.key.partition(" ")[2] or tally.key,
        text=fires.reason if fires else tally.latest,
        reading=tally.reading.value if tally.reading else None,
        firing=fires is not None,
    )
