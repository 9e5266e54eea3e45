"""Temporal, as the command line finds it: reachable, namespace, workers, search attributes.

Without Temporal, its namespace or a worker nothing else can be examined, and no release begins:
broken. A search attribute that is missing hides releases from lists in the UI: a warning.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from lastgood.contracts import Examination, Line
from lastgood.decisions import attributes
from lastgood.decisions.examining.lines import (
    TEMPORAL,
    broken,
    fine,
    not_examined,
    unknown,
    warning,
)
from lastgood.messages import SEARCH_ATTRIBUTES, TASK_QUEUE, WATCH_TASK_QUEUE

REACHABLE, NAMESPACE, ATTRIBUTES = "reachable", "namespace", "search attributes"
KEYWORD = "Keyword"


_INNERMOST = re.compile(r'Failed client connect: (.*)message: "([^"]+)".*')
"""What the SDK says of a connection, of which people need the innermost reason."""


def unreachable(why: str) -> tuple[Line, ...]:
    """Nobody answers."""
    found, _, remedy = why.partition(". ")
    found = _INNERMOST.sub(r"\2", found)
    return (
        broken(TEMPORAL, REACHABLE, found, remedy or "Start the server."),
        *_rest(NAMESPACE, because="Temporal cannot be reached"),
    )


def without_namespace(why: str) -> tuple[Line, ...]:
    """Temporal answers, and does not know the namespace."""
    found, _, remedy = why.partition(". ")
    return (
        fine(TEMPORAL, REACHABLE, "answers"),
        broken(TEMPORAL, NAMESPACE, found, remedy),
        *_rest(f"queue {TASK_QUEUE}", because="there is no such namespace"),
    )


def _rest(first: str, because: str) -> Iterator[Line]:
    names = (NAMESPACE, f"queue {TASK_QUEUE}", f"queue {WATCH_TASK_QUEUE}", ATTRIBUTES)
    for what in names[names.index(first) :]:
        yield not_examined(TEMPORAL, what, because)


def of_queues(
    pollers: Mapping[str, int | None], why_nobody_begins: str | None, namespace: str
) -> Iterator[Line]:
    """Whether somebody polls both task queues.

    Args:
        pollers: workers by task queue; None where Temporal does not tell.
        why_nobody_begins: why a new release would wait for ever, and what to do.
        namespace: in which they were looked for.
    """
    for queue in (TASK_QUEUE, WATCH_TASK_QUEUE):
        what, count = f"queue {queue}", pollers.get(queue)
        if count is None:
            remedy = "Run `lastgood doctor` again; if it stays, see the server's own log."
            yield unknown(TEMPORAL, what, "Temporal does not tell who works", remedy)
        elif not count:
            yield broken(TEMPORAL, what, f"nobody polls it in namespace {namespace!r}", _START)
        elif queue == TASK_QUEUE and why_nobody_begins:
            found, _, remedy = why_nobody_begins.partition(". ")
            yield broken(TEMPORAL, what, found, remedy or _START)
        else:
            yield fine(TEMPORAL, what, f"{count} worker{'s' if count > 1 else ''}")


_START = (
    "Start a worker with the same TEMPORAL_ADDRESS and TEMPORAL_NAMESPACE: `python worker.py` "
    "polls both queues."
)


def of_attributes(registered: Mapping[str, str] | None, namespace: str) -> Iterator[Line]:
    """Whether the search attributes by which releases are found are registered.

    Args:
        registered: type by name; None where Temporal does not tell.
        namespace: to which they belong.
    """
    if registered is None:
        remedy = "See that these exist, as Keyword: " + ", ".join(SEARCH_ATTRIBUTES)
        yield unknown(TEMPORAL, ATTRIBUTES, "Temporal does not tell them", remedy, excused=True)
        return
    missing = [name for name in SEARCH_ATTRIBUTES if name not in registered]
    wrong = [name for name in SEARCH_ATTRIBUTES if registered.get(name, KEYWORD) != KEYWORD]
    if missing:
        yield warning(
            TEMPORAL,
            ATTRIBUTES,
            f"not registered: {', '.join(missing)}; releases are not found by them",
            attributes.remedy(tuple(missing), namespace),
        )
    for name in wrong:
        again = attributes.remedy((name,), namespace)
        yield warning(
            TEMPORAL,
            ATTRIBUTES,
            f"{name} is {registered[name]}, not {KEYWORD}; releases are not found by it",
            f"temporal operator search-attribute remove --namespace {namespace} --name {name}, "
            f"then {again}",
        )
    if not missing and not wrong:
        yield fine(TEMPORAL, ATTRIBUTES, f"all {len(SEARCH_ATTRIBUTES)} are registered")


def unexamined(subject: str, where: str, why: str) -> Examination:
    """A service that no worker could look at."""
    line = not_examined("service", subject, why)
    return Examination(subject=subject, where=where, lines=(line,))
