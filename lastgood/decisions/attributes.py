"""Search attributes: by what a workflow is found in Temporal's lists.

The rule. Every value is one line of at most 255 characters, which is what a Keyword holds in an
SQL database: a longer one would never be indexed. What is not known is not set. Only what the
namespace has is ever written: Temporal refuses the rest, and the workflow could not go on.
"""

from __future__ import annotations

from collections.abc import Mapping

from lastgood.contracts import GroupOrder, ReleaseOrder, RollbackOrder
from lastgood.decisions.plain import one_line
from lastgood.messages import (
    ACTOR_ATTRIBUTE,
    IMAGE_ATTRIBUTE,
    OUTCOME_ATTRIBUTE,
    SEARCH_ATTRIBUTES,
    SERVICE_ATTRIBUTE,
)
from lastgood.model import Outcome, Revision, ServiceRef

MOST = 255

Values = Mapping[str, str | None]
"""By name; None: it has none any more."""


def of_service(service: ServiceRef) -> Values:
    """What is known of each workflow."""
    return _known({SERVICE_ATTRIBUTE: str(service)})


def of_release(order: ReleaseOrder, service: ServiceRef) -> Values:
    """What is known of a release at its start."""
    return _known(
        {
            SERVICE_ATTRIBUTE: str(service),
            IMAGE_ATTRIBUTE: order.image or "",
            ACTOR_ATTRIBUTE: order.actor,
        }
    )


def of_rollback(order: RollbackOrder) -> Values:
    """What is known of a rollback at its start; its image is the one that it brings back."""
    known = {SERVICE_ATTRIBUTE: str(order.service), ACTOR_ATTRIBUTE: order.actor}
    return {**_known(known), **of_image(order.target)}


def of_group(order: GroupOrder) -> Values:
    """What is known of a group's release; its services are its members' own."""
    return _known({IMAGE_ATTRIBUTE: order.what, ACTOR_ATTRIBUTE: order.actor})


def of_image(revision: Revision | None) -> Values:
    """The image of a revision, of its first container."""
    images = revision.images if revision else ()
    return _known({IMAGE_ATTRIBUTE: images[0].image if images else ""})


def of_outcome(outcome: Outcome | None) -> Values:
    """How it ended, or that it is held; None: it goes on after all."""
    return {OUTCOME_ATTRIBUTE: outcome.value if outcome else None}


def to_write(wanted: Values, written: Values, registered: tuple[str, ...]) -> Values:
    """What is to be changed, of what the namespace has."""
    return {
        name: value
        for name, value in wanted.items()
        if name in registered and written.get(name) != value
    }


def missing(registered: tuple[str, ...]) -> tuple[str, ...]:
    """Those that a namespace lacks."""
    return tuple(name for name in SEARCH_ATTRIBUTES if name not in registered)


def remedy(names: tuple[str, ...], namespace: str) -> str:
    """What to type so that the namespace has them."""
    words = " ".join(f"--name {name} --type Keyword" for name in names)
    return f"temporal operator search-attribute create --namespace {namespace} {words}"


def _known(values: Mapping[str, str]) -> Values:
    lines = {name: one_line(value, MOST) for name, value in values.items()}
    return {name: line for name, line in lines.items() if line}
