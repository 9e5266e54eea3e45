"""A guard's memory as tags of its service, and back: so that it outlives Temporal's database.

What matters most comes first, as ECS allows 50 tags of 256 characters, some of them not ours: the
newest good revision with its digests, a freeze, the rollbacks of the last period (when they began,
how long they took: cooldown and limit count these), unproven revisions, the quarantine, older good
revisions. A task definition's JSON does not fit; it is read again by its name.

========================  =================================================================
``lastgood:good-1``       ``web:41 20260131T120000Z app=sha256:… sidecar=sha256:…``
``lastgood:rollbacks-1``  ``20260131T120000Z+42 …``: start, and seconds until it was verified
``lastgood:counted-from`` an operator's reset: earlier rollbacks no longer count
``lastgood:unproven``     ``web:43 web:42``: released, and not known to be good
``lastgood:quarantine-1`` ``shop/web:1.2@sha256:… …``: images that were rolled back; also by name,
                          as not every registry can be asked what a tag means
``lastgood:frozen``       ``20260131T120000Z until=… by=ann the reason``
========================  =================================================================
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta

from lastgood.contracts import Freeze, GuardState, Limits, Quarantined
from lastgood.decisions.ledger import digest_of
from lastgood.model import ContainerImage, Model, Revision, RollbackRecord

PREFIX = "lastgood:"
MOST_TAGS = 50
LONGEST_VALUE = 256
_GOOD, _ROLLBACK_TAGS, _QUARANTINE_TAGS = 3, 5, 8
KEYS = frozenset(
    PREFIX + name
    for name in (
        "frozen",
        "counted-from",
        "unproven",
        *(f"good-{n}" for n in range(1, _GOOD + 1)),
        *(f"rollbacks-{n}" for n in range(1, _ROLLBACK_TAGS + 1)),
        *(f"quarantine-{n}" for n in range(1, _QUARANTINE_TAGS + 1)),
    )
)
"""All tags that we ever write."""
_TIME = "%Y%m%dT%H%M%SZ"
_NOT_ALLOWED = re.compile(r"[^A-Za-z0-9 +\-=._:/@]")


class MirroredRevision(Model):
    """A good revision as a tag tells it."""

    task_definition: str
    """``family:revision``."""
    proven_at: datetime | None = None
    digests: dict[str, str] = {}
    """By container."""


class Mirrored(Model):
    """What a service's tags remember."""

    good: tuple[MirroredRevision, ...] = ()
    """Newest first."""
    unproven: tuple[str, ...] = ()
    """``family:revision``."""
    limits: Limits = Limits()
    quarantine: tuple[Quarantined, ...] = ()
    frozen: Freeze | None = None


class Change(Model):
    """What has to be written so that the tags say what the guard remembers."""

    tags: dict[str, str]
    remove: tuple[str, ...]

    @property
    def needed(self) -> bool:
        """Whether there is anything to write."""
        return bool(self.tags or self.remove)


# --- Writing -----------------------------------------------------------------------------------


def tags_of(state: GuardState, foreign: int) -> dict[str, str]:
    """The tags that say what matters of a guard's memory.

    Args:
        state: the memory.
        foreign: how many tags the service has that are not ours.
    """
    room = max(0, MOST_TAGS - foreign)
    return dict([*_tags(state)][:room])


def change(wanted: Mapping[str, str], there: Mapping[str, str]) -> Change:
    """What to set and to remove, from what is there."""
    return Change(
        tags={key: value for key, value in wanted.items() if there.get(key) != value},
        remove=tuple(key for key in there if key in KEYS and key not in wanted),
    )


def _tags(state: GuardState) -> Iterator[tuple[str, str]]:
    released = state.policy.container if state.policy else None
    words = [_good(one, released) for one in state.good if len(one.label) <= LONGEST_VALUE]
    good = [(f"{PREFIX}good-{n}", text) for n, text in enumerate(words[:_GOOD], 1)]
    yield from good[:1]
    if state.frozen:
        yield f"{PREFIX}frozen", _frozen(state.frozen)
    rollbacks = sorted(state.limits.rollbacks, key=lambda one: one.started_at, reverse=True)
    yield from _packed("rollbacks", map(_rollback, rollbacks), _ROLLBACK_TAGS)
    if state.limits.counted_from:
        yield f"{PREFIX}counted-from", _written(state.limits.counted_from)
    yield from _packed("unproven", (arn.rsplit("/", 1)[-1] for arn in state.unproven), 1)
    yield from _packed("quarantine", map(_quarantined, state.quarantine), _QUARANTINE_TAGS)
    yield from good[1:]


def _packed(name: str, words: Iterable[str], most: int) -> Iterator[tuple[str, str]]:
    """Words, as many in each tag as fit; what no longer fits is left out, the oldest first."""
    values: list[str] = []
    for word in words:
        if len(word) > LONGEST_VALUE or " " in word or _NOT_ALLOWED.search(word):
            continue
        if values and len(values[-1]) + 1 + len(word) <= LONGEST_VALUE:
            values[-1] += " " + word
        elif len(values) < most:
            values.append(word)
        else:
            break
    for number, value in enumerate(values, 1):
        yield (f"{PREFIX}{name}" if most == 1 else f"{PREFIX}{name}-{number}"), value


def _good(revision: Revision, released: str | None) -> str:
    """As much as fits: the digest of the container that releases replace comes first."""
    text = revision.label
    proven = f" {_written(revision.proven_at)}" if revision.proven_at else ""
    if len(text) + len(proven) <= LONGEST_VALUE:
        text += proven
    for image in sorted(revision.images, key=lambda one: one.container != released):
        digest = digest_of(image)
        word = f" {image.container}={digest}"
        if digest and len(text) + len(word) <= LONGEST_VALUE:
            text += word
    return text


def _rollback(record: RollbackRecord) -> str:
    start = _written(record.started_at)
    if record.finished_at is None:
        return start
    # Tags tell whole seconds: never an earlier end, or the cooldown would end earlier, too.
    lasted = record.finished_at - record.started_at.replace(microsecond=0)
    return f"{start}+{math.ceil(lasted.total_seconds())}"


def _quarantined(one: Quarantined) -> str:
    both = f"{one.image}@{one.digest}"
    if one.digest and "@" not in one.image and len(both) <= LONGEST_VALUE:
        return both
    return one.digest or one.image


def _frozen(freeze: Freeze) -> str:
    until = f" until={_written(freeze.until)}" if freeze.until else ""
    actor = _allowed(freeze.actor).replace(" ", "_")[:60]
    reason = _allowed(freeze.reason)
    return f"{_written(freeze.at)}{until} by={actor} {reason}"[:LONGEST_VALUE].strip()


def _allowed(text: str) -> str:
    return " ".join(_NOT_ALLOWED.sub(" ", text).split())


def _written(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime(_TIME)


# --- Reading -----------------------------------------------------------------------------------


def read(tags: Mapping[str, str]) -> Mirrored:
    """What tags remember; what cannot be understood is left out, as others may edit tags."""
    good = [_read_good(tags.get(f"{PREFIX}good-{n}", "")) for n in range(1, _GOOD + 1)]
    rollbacks = [_read_rollback(word) for word in _words(tags, "rollbacks", _ROLLBACK_TAGS)]
    return Mirrored(
        good=tuple(one for one in good if one),
        unproven=tuple(tags.get(f"{PREFIX}unproven", "").split()),
        limits=Limits(
            rollbacks=tuple(
                sorted((one for one in rollbacks if one), key=lambda one: one.started_at)
            ),
            counted_from=_moment(tags.get(f"{PREFIX}counted-from", "")),
        ),
        quarantine=tuple(
            _read_quarantined(word) for word in _words(tags, "quarantine", _QUARANTINE_TAGS)
        ),
        frozen=_read_frozen(tags.get(f"{PREFIX}frozen", "")),
    )


def _words(tags: Mapping[str, str], name: str, most: int) -> list[str]:
    values = (tags.get(f"{PREFIX}{name}-{number}", "") for number in range(1, most + 1))
    return [word for value in values for word in value.split()]


def _read_good(value: str) -> MirroredRevision | None:
    name, *words = value.split()[:20] or [""]
    if not re.fullmatch(r"[\w-]{1,255}:\d+", name):
        return None
    digests = dict(word.split("=", 1) for word in words if re.fullmatch(r"[\w-]+=sha256:\w+", word))
    moments = (_moment(word) for word in words)
    return MirroredRevision(
        task_definition=name, proven_at=next(filter(None, moments), None), digests=digests
    )


def _read_rollback(word: str) -> RollbackRecord | None:
    start, _, took = word.partition("+")
    started_at = _moment(start)
    if started_at is None:
        return None
    lasted = timedelta(seconds=int(took)) if took.isdecimal() and len(took) < 9 else None
    return RollbackRecord(
        release=None,
        started_at=started_at,
        finished_at=started_at + lasted if lasted is not None else None,
        trigger=None,
        reason="Remembered by the service's tags.",
        actor="unknown",
        to="",
    )


def _read_quarantined(word: str) -> Quarantined:
    digest = digest_of(ContainerImage(container="", image=word))
    return Quarantined(
        image=word.partition("@")[0] or word,
        digest=word if word.startswith("sha256:") else digest,
        release=None,
        at=datetime.fromtimestamp(0, UTC),
        reason="remembered by the service's tags",
    )


def _read_frozen(value: str) -> Freeze | None:
    start, *words = value.split() or [""]
    at = _moment(start)
    if at is None:
        return None
    until = next((_moment(w.removeprefix("until=")) for w in words if w.startswith("until=")), None)
    actor = next((w.removeprefix("by=") for w in words if w.startswith("by=")), "unknown")
    reason = " ".join(w for w in words if not w.startswith(("until=", "by=")))
    return Freeze(at=at, actor=actor.replace("_", " "), reason=reason or "unknown", until=until)


def _moment(word: str) -> datetime | None:
    try:
        return datetime.strptime(word, _TIME).replace(tzinfo=UTC)
    except ValueError:
        return None
